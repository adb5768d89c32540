"""The one result of inference: what is said of one face. Tables, pictures, server and page all take it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Any

NO_FACE = "no face"
LOOKS_CUT_OUT = (
    f"{NO_FACE}; if the picture is a face that was cut out already: --detector aligned, or given with a table"
)
ODD_FACE = "a face could not be cut out"


@dataclass(frozen=True, kw_only=True)
class Face:
    """One face in one picture.

    Args:
        source: Path, address or camera, as it was given.
        frame: Number of the frame in a video, from 0; None for a picture.
        time: Seconds from the start of a video; None for a picture.
        box: Left, top, right, bottom in pixels of the upright picture.
        landmarks: Five points (x, y): eye at image left, eye at image right, nose, mouth corner at image
            left, mouth corner at image right; None where only the box is known.
        score: The detector's confidence that this is a face, 0 to 1.
        track: The same number for the same person in a video while in view, and mostly when seen again;
            None for a picture.
        expression: The most probable label.
        probabilities: Of every label, in the model's order; they sum to 1.
        confidence: Probability of ``expression``.
        uncertain: Whether ``confidence`` lies below the threshold of certainty; None where there is none.
        doubt: Why the answer is uncertain, one or several of :mod:`halfsmile.predict.answers.doubt`; None
            where it is certain, and where there is no threshold.
        possible: The labels that can't be ruled out, most probable first: over many faces this set holds the
            true one as often as the model's ``set_coverage`` says, rare expressions less often (conformal
            prediction). None where the model has no such sets.
        votes: Share of annotators, of ten like those of the labels, who would call the face so, by label:
            a faint smile is seen by some. They sum to 1; None where the model never saw votes.
        quality: Scores from 0 to 1 by name; None where they were not asked for.
        pose: ``yaw``, ``pitch`` and ``roll`` of the head in degrees, rough; see
            :class:`halfsmile.faces.quality.Pose`. None without landmarks.
        picture_size: Width and height of the upright picture in pixels.
    """

    source: str
    frame: int | None = None
    time: float | None = None
    box: tuple[float, float, float, float]
    landmarks: tuple[tuple[float, float], ...] | None
    score: float
    track: int | None = None
    expression: str
    probabilities: dict[str, float]
    confidence: float
    uncertain: bool | None
    doubt: str | None = None
    possible: tuple[str, ...] | None = None
    votes: dict[str, float] | None = None
    quality: dict[str, float] | None = None
    pose: dict[str, float] | None = None
    picture_size: tuple[int, int] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class NoFace:
    """A picture or frame of which nothing can be said.

    Args:
        source: Path, address or camera, as it was given.
        frame: Number of the frame in a video; None for a picture or a whole video.
        time: Seconds from the start of a video; None for a picture or a whole video.
        reason: ``no face``, ``no face in 20 frames``, ``a face could not be cut out: …`` (there may be others
            beside it) or what went wrong, in words.
    """

    source: str
    frame: int | None = None
    time: float | None = None
    reason: str = NO_FACE

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, ready for JSON; ``expression`` is null."""
        return asdict(self) | {"expression": None}


def tells_of_failure(reason: str | None) -> bool:
    """Whether the reason in a row says that its source could not be read.

    Example:
        >>> [tells_of_failure(reason) for reason in (None, "no face", "no face in 20 frames", "cut short")]
        [False, False, False, True]
    """
    told = (NO_FACE, LOOKS_CUT_OUT)
    return bool(reason) and reason not in told and not str(reason).startswith((f"{NO_FACE} in ", ODD_FACE))


class Faces(list[Face]):
    """Faces of one picture, or of as many as you put together: a list that also makes a table.

    Attributes:
        left_out: A reason for each face that was found and could not be cut out, as one whose landmarks
            coincide.
    """

    left_out: tuple[NoFace, ...] = ()

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame`` with one row a face and the columns of the CSV files.

        Raises:
            ValueError: If pandas is not installed.
        """
        from halfsmile.predict.tables.columns import column_names, flat_row

        try:
            pandas = import_module("pandas")
        except ModuleNotFoundError as error:
            raise ValueError("to_pandas needs pandas: pip install pandas") from error
        labels = list(self[0].probabilities) if self else []
        scores = list(self[0].quality or ()) if self else []
        names = column_names(labels, scores, votes=bool(self) and self[0].votes is not None)
        return pandas.DataFrame([flat_row(face) for face in self], columns=names)
