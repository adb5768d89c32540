"""What Python programs call a picture: files, their bytes, PIL images and arrays, as RGB or gray pixels."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from halfsmile.data.decode import BadImageError, decode, read_image
from halfsmile.data.preprocess import Image

ChannelOrder = Literal["RGB", "BGR", "RGBA", "BGRA"]
CHANNEL_ORDERS = ("RGB", "BGR", "RGBA", "BGRA")
_LONGEST_PATH = 4096  # bytes, on the systems that allow most
_SAMPLES_OF_PIL = {"1": "L", "L": "L", "LA": "L"}


class ReadableFile(Protocol):
    """A file that was opened to read bytes."""

    def read(self) -> bytes:
        """All that is left of it."""
        ...


Picture: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | ReadableFile | npt.NDArray[Any]
"""A file's path, its bytes, the open file, or pixels; images of PIL are taken, too."""


def read_picture(
    picture: Picture,
    *,
    channel_order: ChannelOrder = "RGB",
    value_range: tuple[float, float] | None = None,
) -> tuple[Image, str]:
    """The pixels of a picture, and what ``Face.source`` will say.

    Args:
        picture: Path of a file, bytes of one, a file opened for reading bytes, an image of PIL, or an array:
            (H, W), (H, W, 1), (H, W, 3), or (H, W, 4) with an order that names its transparency.
        channel_order: Of arrays. OpenCV's functions give ``BGR``; nothing in the pixels tells. Transparency
            is dropped, the color beneath it kept.
        value_range: Of arrays that are not uint8: which values are black and white, as (0, 1) or (-1, 1).

    Returns:
        RGB (H, W, 3) or gray (H, W, 1), uint8, and a name.

    Raises:
        BadImageError: If a file can't be read, or is a folder or a video.
        ValueError: If it is none of these, or an array is not as described.
    """
    if channel_order not in CHANNEL_ORDERS:
        raise ValueError(f"channel_order is one of {', '.join(CHANNEL_ORDERS)}, found {channel_order!r}.")
    if isinstance(picture, str) and (picture.startswith("data:") or len(picture) > _LONGEST_PATH):
        raise BadImageError(
            f"A text of {len(picture):,} characters that begins with {picture[:20]!r} is no path. If it is a "
            'picture in Base64, give its bytes: base64.b64decode(text.rpartition(",")[2]).'
        )
    if isinstance(picture, str | os.PathLike):
        if not os.fspath(picture):
            raise BadImageError("The path is empty, perhaps that of a variable that is not set.")
        return _read_path(os.fspath(picture)), os.fspath(picture)
    if isinstance(picture, bytes | bytearray | memoryview):
        return _decode(bytes(picture), "bytes"), "bytes"
    if type(picture).__module__.partition(".")[0] == "PIL" and hasattr(picture, "getexif"):
        return _of_pil(picture), str(getattr(picture, "filename", "") or "PIL image")
    if hasattr(picture, "read"):
        name = str(getattr(picture, "name", "") or "file")
        return _decode(_read_file(picture, name), Path(name).name), name
    if isinstance(picture, bool | int | float):
        raise ValueError(f"{picture!r} is no picture; cameras and videos are read by Predictor.video.")
    if isinstance(picture, list | tuple):
        raise ValueError(_of_list(picture))
    if not hasattr(picture, "__array__"):
        raise ValueError(
            f"Expected a picture (a path, bytes, an open file, an image of PIL, or an array of RGB pixels), "
            f"found {type(picture).__name__}."
        )
    try:
        array = np.asarray(picture)
    except (TypeError, ValueError, RuntimeError) as error:  # as that of a tensor on another device
        raise ValueError(f"{type(picture).__name__} can't be read as an array of pixels: {error}") from error
    return as_pixels(array, channel_order=channel_order, value_range=value_range), "array"


def as_pixels(
    array: npt.NDArray[Any],
    *,
    channel_order: ChannelOrder = "RGB",
    value_range: tuple[float, float] | None = None,
) -> Image:
    """An array of pixels as RGB (H, W, 3) or gray (H, W, 1), uint8; see :func:`read_picture`.

    Raises:
        ValueError: If it is not as described.
    """
    wanted = "a picture has the shape (H, W), (H, W, 1) or (H, W, 3)"
    if array.ndim not in (2, 3):
        more = ": Predictor.faces takes several pictures as a list" if array.ndim == 4 else ""
        raise ValueError(f"Expected one picture, found an array of shape {array.shape}; {wanted}{more}.")
    if array.dtype != np.uint8:
        array = _scaled(array, value_range)
    pixels = np.asarray(array if array.ndim == 3 else array[:, :, None], np.uint8)
    channels = pixels.shape[2]
    if 0 in pixels.shape:
        raise ValueError(f"The picture is empty: its shape is {array.shape}; {wanted}.")
    if channels == 4 and channel_order in ("RGB", "BGR"):
        raise ValueError(
            f"Found shape {array.shape}: an RGB picture has 3 channels. If the fourth is transparency, say "
            'channel_order="RGBA" (or "BGRA", as OpenCV has it); it is then dropped.'
        )
    if channels == 1:
        return np.ascontiguousarray(pixels)
    if channels != len(channel_order):
        turned = (
            "; move the channels to the end: pixels.transpose(1, 2, 0)" if array.shape[0] in (1, 3) else ""
        )
        raise ValueError(f"Found shape {array.shape} for {channel_order} pixels; {wanted}{turned}.")
    rgb = pixels[:, :, 2::-1] if channel_order.startswith("BGR") else pixels[:, :, :3]
    return np.ascontiguousarray(rgb)


def rgb(image: Image) -> Image:
    """A picture (H, W, 3), (H, W, 1) or (H, W) as RGB (H, W, 3)."""
    if image.ndim == 2:
        image = image[:, :, None]
    return np.repeat(image, 3, axis=2) if image.ndim == 3 and image.shape[2] == 1 else image


def each_picture(
    pictures: Iterable[Picture] | str | os.PathLike[str],
) -> Iterator[tuple[Picture, str | None]]:
    """Pictures of a list one after the other, those in folders one by one, with names of files.

    Args:
        pictures: A folder or file, or a list of anything that :func:`read_picture` takes.

    Raises:
        ValueError: If it is no list.
    """
    if isinstance(pictures, str | os.PathLike):
        pictures = [pictures]
    elif not isinstance(pictures, Iterable) or isinstance(pictures, np.ndarray | bytes | bytearray):
        raise ValueError(
            f"predict_many takes a list of pictures or a folder, found {type(pictures).__name__}; one "
            "picture is for predict."
        )
    for picture in pictures:
        if not isinstance(picture, str | os.PathLike):
            yield picture, None
        elif os.path.isdir(picture):
            from halfsmile.faces.sources import find_sources

            for source in find_sources([os.fspath(picture)]).items:
                if source.kind == "picture":
                    yield source.name, source.name
        else:
            yield picture, os.fspath(picture)


def _read_path(path: str) -> Image:
    if path.startswith(("http://", "https://")):
        from halfsmile.faces.web_image import read_web_image

        return read_web_image(path)
    if path.lower().startswith("file:"):
        raise BadImageError(f"{path}: name the file itself, without file:.")
    place = Path(path)
    if not place.exists():
        raise BadImageError(f"{path} does not exist.")
    if place.is_dir():
        raise BadImageError(
            f"{path}: it is a folder, and predict takes one picture; predict_many takes a folder or a list."
        )
    problems: list[str] = []
    try:
        image = read_image(place.parent, place.name, problems=problems)
        _warn(problems)
        return image
    except BadImageError as error:
        from halfsmile.data.file_kind import file_kind

        if file_kind(place) == "video":
            raise BadImageError(f"{path}: it is a video; use Predictor.video for it.") from error
        raise


def _read_file(file: ReadableFile, name: str) -> bytes:
    """All that is left of a file that was opened to read bytes."""
    try:
        data: object = file.read()
    except UnicodeDecodeError:
        data = ""
    except (OSError, ValueError) as error:  # closed, or opened to be written
        raise BadImageError(f"{name}: it can't be read ({error}); open it with open(path, 'rb').") from error
    if not isinstance(data, bytes):
        raise ValueError(f"{name} gives {type(data).__name__}, not bytes: open it with open(path, 'rb').")
    if not data:
        raise BadImageError(f"{name}: nothing is left to read. If it was read before, go back by seek(0).")
    return data


def _decode(data: bytes, name: str) -> Image:
    """Decode a file's bytes as far as they go."""
    problems: list[str] = []
    image = decode(data, name, problems=problems)
    _warn(problems)
    return image


def _warn(problems: list[str]) -> None:
    for problem in problems:
        warnings.warn(problem, stacklevel=5)


def _of_pil(image: Any) -> Image:
    """The pixels of an image of PIL, turned as its EXIF data say."""
    from PIL import ImageOps

    try:
        kind = image.format  # a turned image has none
        image = ImageOps.exif_transpose(image)
        if image.mode == "F" or (image.mode == "I" and kind not in ("PNG", "PPM")):
            raise ValueError(
                f"The image of PIL has samples of 32 bits (mode {image.mode}), and nothing tells which are "
                "black and white: give its pixels, numpy.asarray(image), with value_range=(black, white)."
            )
        if image.mode == "La":
            image = image.convert("LA")
        if image.mode.startswith("I"):  # 16-bit samples, which some versions call 32-bit
            samples = np.asarray(image).astype(np.float64)
            return as_pixels(samples, value_range=(0, 65535))
        return as_pixels(np.asarray(image.convert(_SAMPLES_OF_PIL.get(image.mode, "RGB"))))
    except (OSError, SyntaxError) as error:
        raise BadImageError(f"The image of PIL can't be read: {error}") from error


def _scaled(array: npt.NDArray[Any], value_range: tuple[float, float] | None) -> Image:
    if value_range is None:
        raise ValueError(
            f"Expected uint8 pixels, found {array.dtype} values. If black is 0 and white 1, say "
            "value_range=(0, 1), or convert them: (pixels * 255).round().astype('uint8')."
        )
    if array.dtype.kind not in "biufO":
        raise ValueError(f"Pixels are numbers, found {array.dtype} values.")
    black, white = value_range
    if not black < white:
        raise ValueError(f"value_range is (black, white) with black < white, found {value_range}.")
    values = np.asarray(array, np.float64)
    if not np.isfinite(values).all():
        raise ValueError("Pixels must be finite numbers.")
    slack = 0.01 * (white - black)
    if values.size and (values.min() < black - slack or values.max() > white + slack):
        raise ValueError(
            f"Pixels lie from {values.min():g} to {values.max():g}, beyond value_range={value_range}."
        )
    return np.clip(np.rint((values - black) * (255 / (white - black))), 0, 255).astype(np.uint8)


def _of_list(pictures: list[Any] | tuple[Any, ...]) -> str:
    first = pictures[0] if pictures else None
    if isinstance(first, list | tuple | int | float):
        return "Expected a picture, found a list of numbers: make an array of it, np.array(pixels, np.uint8)."
    return (
        f"Expected one picture, found a list of {len(pictures)}: predict_many takes a list, one after the "
        "other, and faces takes arrays, all together."
    )
