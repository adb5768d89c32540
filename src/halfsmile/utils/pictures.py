"""Grids of faces with captions, as arrays: what the masked autoencoder painted, FaceMix pairs, mistakes.

Every function takes uint8 images (N, S, S, C), C = 1 (gray) or 3 (RGB), and returns one RGB uint8 picture.
The dark sheet reads well on a light and on a dark page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from halfsmile.utils.files import atomic_write

Images = npt.NDArray[np.uint8]
Color = tuple[int, int, int]

TILE = 144
GAP = 6
MARGIN = 16
LINE = 22
SHEET: Color = (27, 30, 36)
TEXT: Color = (233, 231, 226)
QUIET: Color = (160, 166, 176)
FIRST: Color = (242, 166, 90)
SECOND: Color = (122, 167, 247)
WRONG: Color = (240, 138, 166)


def reconstruction_grid(
    originals: Images, masked: Images, reconstructed: Images, *, triples_per_row: int = 3
) -> Images:
    """Triples of a face, what the masked autoencoder saw of it, and what it made of that.

    Args:
        originals: (N, S, S, C).
        masked: The same with the hidden patches blanked.
        reconstructed: The same with the hidden patches painted by the model.
        triples_per_row: Triples side by side.

    Raises:
        ValueError: If an argument is not a stack of images, or the stacks differ in shape.
    """
    stacks = [_checked(originals), _checked(masked), _checked(reconstructed)]
    _require_same_shape(*stacks)
    sheet, corners = _sheet(len(originals), triples_per_row, tiles=3, above=LINE, below=0)
    for i, (x, y) in enumerate(corners):
        for position, (stack, caption) in enumerate(
            zip(stacks, ("original", "visible to the model", "reconstructed"), strict=True)
        ):
            left = x + position * (TILE + GAP)
            _place(sheet, stack[i], left, y)
            if i < triples_per_row:
                _write(sheet, caption, left, y - 8, TILE, QUIET)
    return sheet


def facemix_grid(
    first: Images,
    second: Images,
    mixed: Images,
    boxes_first: npt.NDArray[np.floating[Any]],
    boxes_second: npt.NDArray[np.floating[Any]],
    iou: npt.NDArray[np.floating[Any]],
    real_weight: npt.NDArray[np.floating[Any]],
    *,
    examples_per_row: int = 2,
) -> Images:
    """Two faces with their boxes, their mix with both boxes, and what the overlap makes of the real images.

    Args:
        first: (N, S, S, C).
        second: Partners of the first.
        mixed: Their mixes.
        boxes_first: (N, 4) xyxy in pixels of the images; a row with NaN draws no box.
        boxes_second: The same for the partners.
        iou: (N,) overlap of the two boxes, in [0, 1].
        real_weight: (N,) weight of the real images in the loss.
        examples_per_row: Examples side by side.

    Raises:
        ValueError: If an argument is not a stack of images, or lengths or shapes differ.
    """
    stacks = [_checked(first), _checked(second), _checked(mixed)]
    _require_same_shape(*stacks)
    count, size = len(first), first.shape[1]
    if (
        np.shape(boxes_first) != (count, 4)
        or np.shape(boxes_second) != (count, 4)
        or np.shape(iou) != (count,)
        or np.shape(real_weight) != (count,)
    ):
        raise ValueError(
            f"{count} examples need boxes ({count}, 4) twice and ({count},) overlaps and weights; found "
            f"{np.shape(boxes_first)}, {np.shape(boxes_second)}, {np.shape(iou)} and {np.shape(real_weight)}."
        )
    scale = TILE / size
    sheet, corners = _sheet(count, examples_per_row, tiles=3, above=0, below=LINE)
    for i, (x, y) in enumerate(corners):
        boxes = (
            [(boxes_first[i], FIRST)],
            [(boxes_second[i], SECOND)],
            [(boxes_first[i], FIRST), (boxes_second[i], SECOND)],
        )
        for position, stack in enumerate(stacks):
            left = x + position * (TILE + GAP)
            _place(sheet, stack[i], left, y)
            tile = sheet[y : y + TILE, left : left + TILE]
            for box, color in boxes[position]:
                if np.isfinite(box).all():
                    x0, y0, x1, y1 = (int(v) for v in np.clip(np.round(box * scale), 0, TILE))
                    cv2.rectangle(tile, (x0, y0), (max(x0, x1 - 1), max(y0, y1 - 1)), color, 2)
        text = f"IoU {iou[i]:.2f}     weight of the real faces {real_weight[i]:.2f}"
        _write(sheet, text, x, y + TILE + 17, 3 * TILE + 2 * GAP, TEXT)
    return sheet


def mistakes_grid(
    images: Images,
    truth: Sequence[str],
    predicted: Sequence[str],
    confidence: npt.NDArray[np.floating[Any]],
    *,
    columns: int = 6,
) -> Images:
    """Faces that the model named wrongly, with the true label, the predicted one and its probability.

    Args:
        images: (N, S, S, C).
        truth: N labels.
        predicted: N labels.
        confidence: (N,) probability of the predicted label, in [0, 1].
        columns: Faces side by side.

    Raises:
        ValueError: If the images are no stack or lengths differ.
    """
    images = _checked(images)
    if not len(images) == len(truth) == len(predicted) == len(confidence):
        raise ValueError(
            f"Found {len(images)} images, {len(truth)} true labels, {len(predicted)} predicted labels and "
            f"{len(confidence)} confidences; expected one of each per image."
        )
    sheet, corners = _sheet(len(images), columns, tiles=1, above=0, below=2 * LINE)
    for i, (x, y) in enumerate(corners):
        _place(sheet, images[i], x, y)
        _write(sheet, f"labeled {truth[i]}", x, y + TILE + 17, TILE, QUIET)
        _write(sheet, f"{predicted[i]} {100 * confidence[i]:.0f} %", x, y + TILE + 17 + LINE - 3, TILE, WRONG)
    return sheet


def write_png(path: Path, array: npt.NDArray[np.uint8]) -> None:
    """Write a picture as PNG, atomically; see :func:`encode_png`.

    Raises:
        ValueError: If the array is not a uint8 picture.
    """
    content = encode_png(array)
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def encode_png(array: npt.NDArray[np.uint8]) -> bytes:
    """An RGB or gray picture (H, W, 3), (H, W, 1) or (H, W) as the bytes of a PNG file.

    Raises:
        ValueError: If the array is not a uint8 picture.
    """
    if (
        array.dtype != np.uint8
        or array.ndim not in (2, 3)
        or (array.ndim == 3 and array.shape[2] not in (1, 3))
    ):
        raise ValueError(
            f"A picture is uint8 (H, W), (H, W, 1) or (H, W, 3), found {array.dtype} {array.shape}."
        )
    is_color = array.ndim == 3 and array.shape[2] == 3
    pixels = cv2.cvtColor(array, cv2.COLOR_RGB2BGR) if is_color else array
    done, encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 6])
    if not done:
        raise ValueError(f"Cannot encode a picture of shape {array.shape} as PNG.")
    return bytes(encoded.tobytes())


def _checked(images: npt.NDArray[np.uint8]) -> Images:
    if (
        images.dtype != np.uint8
        or images.ndim != 4
        or images.shape[3] not in (1, 3)
        or images.shape[1] != images.shape[2]
        or len(images) == 0
    ):
        raise ValueError(
            f"Expected square uint8 images (N, S, S, 1 or 3), N > 0, found {images.dtype} {images.shape}."
        )
    return images


def _require_same_shape(*stacks: Images) -> None:
    if len({stack.shape for stack in stacks}) > 1:
        raise ValueError(f"Stacks of images differ in shape: {[stack.shape for stack in stacks]}.")


def _sheet(
    count: int, per_row: int, *, tiles: int, above: int, below: int
) -> tuple[Images, list[tuple[int, int]]]:
    """An empty sheet for ``count`` cells of ``tiles`` tiles; and the top left corner of each cell's tiles.

    ``above`` is the room for column headings over the first row, ``below`` for captions under every row.
    """
    per_row = min(per_row, count)
    space = 3 * GAP if tiles > 1 else 2 * GAP
    width, height = tiles * TILE + (tiles - 1) * GAP, TILE + below
    rows = math.ceil(count / per_row)
    sheet = np.empty(
        (
            2 * MARGIN + above + rows * height + (rows - 1) * (space if below else GAP),
            2 * MARGIN + per_row * width + (per_row - 1) * space,
            3,
        ),
        dtype=np.uint8,
    )
    sheet[:] = SHEET
    corners = [
        (
            MARGIN + (i % per_row) * (width + space),
            MARGIN + above + (i // per_row) * (height + (space if below else GAP)),
        )
        for i in range(count)
    ]
    return sheet, corners


def _place(sheet: Images, image: Images, x: int, y: int) -> None:
    """Put one image (S, S, C) onto the sheet, enlarged or reduced to a tile."""
    interpolation = cv2.INTER_CUBIC if image.shape[0] < TILE else cv2.INTER_AREA
    tile = cv2.resize(np.ascontiguousarray(image), (TILE, TILE), interpolation=interpolation)
    sheet[y : y + TILE, x : x + TILE] = tile if tile.ndim == 3 else tile[..., None]


def _write(sheet: Images, text: str, x: int, baseline: int, width: int, color: Color) -> None:
    """Write one line centered in ``width``, smaller if it would not fit."""
    scale = 0.5
    (length, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    if length > width:
        scale *= width / length
        length = width
    origin = (x + (width - length) // 2, baseline)
    cv2.putText(sheet, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, color, 1, cv2.LINE_AA)
