"""A cheap look of a face, to tell whether the same place still shows the same one."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from halfsmile.data.preprocess import Image

SIDE = 16

Look = npt.NDArray[np.float32]


def look(image: Image, box: npt.ArrayLike) -> Look | None:
    """Gray pixels of a box, shrunk and freed of brightness and contrast.

    The scalar product of two looks is their correlation, -1 to 1. It tells people apart only in the same pose
    and light: it is no identity.

    Args:
        image: (H, W, 3) uint8, RGB.
        box: (4,) xyxy; what reaches beyond the picture is left out.

    Returns:
        (SIDE * SIDE,) of mean 0 and length 1; None where the box has no pixel in the picture or no contrast.
    """
    height, width = image.shape[:2]
    left, top, right, bottom = np.round(np.asarray(box, np.float64)).astype(int)
    crop = image[max(0, top) : max(0, min(height, bottom)), max(0, left) : max(0, min(width, right))]
    if not crop.size:
        return None
    gray = cv2.cvtColor(np.ascontiguousarray(crop), cv2.COLOR_RGB2GRAY)
    pixels = cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    pixels -= pixels.mean()
    length = float(np.linalg.norm(pixels))
    return pixels / length if length > SIDE else None
