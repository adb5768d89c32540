"""What a decoded frame brings besides its pixels, of kinds that PyAV knows and of others.

PyAV lists all side data of a frame when one kind is asked for, and fails at a kind that its enumeration
lacks: EXIF in the motion JPEG of cameras, the views of spatial films, whatever later versions of FFmpeg add.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt
from av.buffer import Buffer
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame


def display_matrix(frame: VideoFrame) -> npt.NDArray[np.int32] | None:
    """The (9,) numbers of FFmpeg's ``AV_FRAME_DATA_DISPLAYMATRIX``; None for a frame without them."""
    matrix = cast(Buffer | None, frame.side_data.get("DISPLAYMATRIX"))
    return None if matrix is None else np.frombuffer(bytes(matrix), np.int32)


def _unknown(kinds: type[Type], value: Any) -> Type:
    """A member for a kind of side data without a name."""
    kind = object.__new__(kinds)
    kind._name_, kind._value_ = f"UNKNOWN_{value}", value
    return kind


if "_missing_" not in vars(Type):
    Type._missing_ = classmethod(_unknown)  # type: ignore[method-assign, assignment]
