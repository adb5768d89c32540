"""A face as one row of a table: which columns there are, in which order, and what stands in them.

``source``, ``frame``, ``time``, ``track``, ``x0``, ``y0``, ``x1``, ``y1`` (the box), ``score``,
``expression``, ``confidence``, ``uncertain``, ``doubt`` (why), ``possible`` (labels that can't be ruled out,
``neutral|sadness``), one ``p_<label>`` for each label, one ``votes_<label>`` for each label (the share of
annotators who would call it so) where the model knows votes, ten coordinates of landmarks, ``yaw``, ``pitch``
and ``roll`` of the head in degrees, ``width`` and ``height`` of the box and ``picture_width`` and
``picture_height`` in pixels, one ``quality_<name>`` for each score that was asked for, and ``reason``, which
says why there is no face.
Left and right are those of the image. What is unknown is empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from halfsmile.predict.face import Face, NoFace

Row = dict[str, Any]

BEGINNING = (
    "source", "frame", "time", "track", "x0", "y0", "x1", "y1", "score", "expression", "confidence",
    "uncertain", "doubt", "possible",
)  # fmt: skip
POINTS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
LANDMARKS = tuple(f"{point}_{axis}" for point in POINTS for axis in "xy")
POSE = ("yaw", "pitch", "roll")
SIZES = ("width", "height", "picture_width", "picture_height")
QUALITY = ("size", "sharpness", "exposure", "frontal")
TEXTS = ("source", "expression", "doubt", "possible", "reason")
WHOLE_NUMBERS = ("frame", "track", "picture_width", "picture_height")

_OPENFACE_BEGINNING = ("frame", "face_id", "timestamp", "confidence", "success")
_OPENFACE_POINTS = tuple(f"{axis}_{point}" for axis in "xy" for point in range(len(POINTS)))
_OPENFACE_END = ("source", "expression", "expression_confidence", "uncertain")


def column_names(labels: Sequence[str], quality: Sequence[str] = (), *, votes: bool = False) -> list[str]:
    """All columns for a model with these labels, in order.

    Args:
        labels: In the model's order.
        quality: Names of the quality scores, of :data:`QUALITY`; empty where they are not asked for.
        votes: Whether the model knows votes.
    """
    probabilities = [f"p_{label}" for label in labels] + [f"votes_{label}" for label in labels if votes]
    scores = (f"quality_{name}" for name in quality)
    return [*BEGINNING, *probabilities, *LANDMARKS, *POSE, *SIZES, *scores, "reason"]


def flat_row(result: Face | NoFace) -> Row:
    """Values by column; columns that are missing are unknown."""
    row: Row = {"source": result.source, "frame": result.frame, "time": result.time}
    if isinstance(result, NoFace):
        return row | {"reason": result.reason}
    row |= dict(zip(("x0", "y0", "x1", "y1"), result.box, strict=True))
    row |= {"width": result.box[2] - result.box[0], "height": result.box[3] - result.box[1]}
    row |= {"track": result.track, "score": result.score, "expression": result.expression}
    row |= {"confidence": result.confidence, "uncertain": result.uncertain, "doubt": result.doubt}
    row |= {"possible": None if result.possible is None else "|".join(result.possible)}
    row |= {f"p_{label}": value for label, value in result.probabilities.items()}
    row |= {f"votes_{label}": value for label, value in (result.votes or {}).items()}
    if result.landmarks is not None:
        flat = (value for point in result.landmarks for value in point)
        row |= dict(zip(LANDMARKS, flat, strict=True))
    row |= result.pose or {}
    if result.picture_size is not None:
        row |= dict(zip(SIZES[2:], result.picture_size, strict=True))
    return row | {f"quality_{name}": value for name, value in (result.quality or {}).items()}


def rounded(row: Mapping[str, Any]) -> Row:
    """Numbers as they are worth writing: seconds and probabilities to 1e-6, scores to 1e-4."""
    places = {"time": 6, "score": 4, "width": 2, "height": 2} | {
        name: 4 for name in row if name.startswith("quality_")
    }
    return {
        name: round(value, places.get(name, 6)) if isinstance(value, float) else value
        for name, value in row.items()
    }


def openface_names(labels: Sequence[str]) -> list[str]:
    """Columns of the table that OpenFace's readers understand.

    Its first five columns and its points in pixels keep OpenFace's names, order and meaning (frames from 1,
    faces from 0, ``confidence`` is the detector's), but there are 5 points, not 68, and neither gaze, pose
    nor action units; expressions stand at the end, and why there is no face.
    """
    probabilities = [f"p_{label}" for label in labels]
    return [*_OPENFACE_BEGINNING, *_OPENFACE_POINTS, *_OPENFACE_END, *probabilities, "reason"]


def openface_row(result: Face | NoFace, number: int = 0) -> Row:
    """Values by column of :func:`openface_names`; a frame without a face has ``success`` 0.

    Args:
        result: What is said.
        number: Of the face within its picture, from 0; a track comes first.
    """
    frame = 1 if result.frame is None else result.frame + 1
    row: Row = {"frame": frame, "face_id": 0, "timestamp": result.time or 0.0, "source": result.source}
    if isinstance(result, NoFace):
        return row | {"confidence": 0.0, "success": 0, "reason": result.reason}
    row |= {"face_id": number if result.track is None else result.track - 1}
    row |= {"confidence": result.score, "success": 1, "expression": result.expression}
    row |= {"expression_confidence": result.confidence, "uncertain": result.uncertain}
    if result.landmarks is not None:
        flat = [point[axis] for axis in range(2) for point in result.landmarks]
        row |= dict(zip(_OPENFACE_POINTS, flat, strict=True))
    return row | {f"p_{label}": value for label, value in result.probabilities.items()}
