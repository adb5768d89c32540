"""Annotated copies of pictures and videos."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from halfsmile.data.preprocess import Image
from halfsmile.predict.drawing.blur import Box, VideoBlur, blur_faces
from halfsmile.predict.drawing.overlay import draw
from halfsmile.predict.face import Face
from halfsmile.utils.files import atomic_write

if TYPE_CHECKING:
    from halfsmile.faces.video.sound import Sound
    from halfsmile.predict.video import Seen

_JPEG_QUALITY = 92


def write_picture(path: Path, image: Image, faces: Sequence[Face], *, hidden: Sequence[Face] = ()) -> None:
    """Write a picture with its faces drawn over it.

    Args:
        path: ``.png`` or ``.jpg``.
        image: RGB (H, W, 3) or gray (H, W, 1), uint8.
        faces: In pixels of it.
        hidden: Faces that are made unrecognizable.
    """
    shown = blur_faces(image, [face.box for face in hidden]) if hidden else image
    pixels = cv2.cvtColor(draw(shown, faces), cv2.COLOR_RGB2BGR)
    options = [] if path.suffix == ".png" else [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    data = cv2.imencode(path.suffix, pixels, options)[1]
    with atomic_write(path) as temporary:
        temporary.write_bytes(data.tobytes())


@contextmanager
def annotated_video(
    path: Path, *, hide_faces: bool = False, sound: Sound | None = None
) -> Iterator[Callable[[Seen], None]]:
    """Yield a function that takes one frame after the other; the video appears when the block ends.

    Frames of another size than the first, as a stream may have, are scaled to it.

    Args:
        path: As :func:`halfsmile.faces.video.writer.write_video` takes it.
        hide_faces: Make faces unrecognizable, see :mod:`halfsmile.predict.drawing.blur`.
        sound: That of the video.
    """
    from halfsmile.faces.video.writer import write_video

    blur = VideoBlur() if hide_faces else None
    waiting: dict[float, Seen] = {}
    shape: tuple[int, ...] = ()

    with write_video(path, sound=sound) as write:

        def put(image: Image, seen: Seen) -> None:
            nonlocal shape
            drawn = draw(image, seen.faces)
            shape = shape or drawn.shape
            if drawn.shape != shape:
                drawn = np.asarray(cv2.resize(drawn, (shape[1], shape[0])), np.uint8)
            write(drawn, seen.frame.time)

        def add(seen: Seen) -> None:
            if blur is None:
                put(seen.frame.image, seen)
                return
            waiting[seen.frame.time] = seen
            for image, time in blur.push(seen.frame.image, seen.frame.time, _boxes(seen)):
                put(image, waiting.pop(time))

        yield add
        for image, time in blur.flush() if blur else ():
            put(image, waiting.pop(time))


def _boxes(seen: Seen) -> list[Box]:
    """All that may be a face: those that are followed, and those that the detector just found."""
    detected: list[Box] = [tuple(map(float, detection.box)) for detection in seen.detections]  # type: ignore[misc]
    return [*(face.box for face in seen.faces), *detected]
