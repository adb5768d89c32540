"""Submissions to the ABAW expression (EXPR) challenge, written and checked.

A submission is one text file. Its header is ``image_location,Neutral,Anger,…,Other``; each further line is
``<video>/<frame>.jpg,<class>`` with a class from 0 to 7. It must name every frame of the organizers' example,
also those in which no face was found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from halfsmile.data.readers.affwild2 import HEADER as CLASS_NAMES
from halfsmile.evaluation.abaw.metric import NUM_CLASSES
from halfsmile.utils.files import atomic_write

HEADER = f"image_location,{CLASS_NAMES}"
_CLASSES = frozenset(str(k) for k in range(NUM_CLASSES))
_SHOWN = 3


@dataclass(frozen=True)
class Problem:
    """One kind of mistake in a submission.

    Args:
        what: What is wrong.
        count: How many lines or frames.
        examples: The first of them.
    """

    what: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class SubmissionReport:
    """What a check found.

    Args:
        rows: Lines below the header.
        expected: Frames that a submission must name.
        problems: All kinds of mistakes; none in a valid submission.
    """

    rows: int
    expected: int
    problems: tuple[Problem, ...]

    @property
    def is_valid(self) -> bool:
        """Whether there is no problem."""
        return not self.problems

    def to_text(self) -> str:
        """The report in lines."""
        lines = [f"{self.rows:,} rows, {self.expected:,} frames expected: "]
        lines[0] += "valid" if self.is_valid else f"{len(self.problems)} kinds of problems"
        lines += [f"  {p.count:,} {p.what}: {', '.join(p.examples)}" for p in self.problems]
        return "\n".join(lines)


def expected_frames(example: Path) -> list[str]:
    """Frames that a submission must name, from the organizers' example, in its order.

    Args:
        example: A text file with ``<video>/<frame>.jpg`` before the first comma of each line below a header.

    Raises:
        ValueError: If the file can't be read or names no or other things.
    """
    try:
        lines = Path(example).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{example} is not a readable example of a submission: {error}") from error
    names = [line.split(",")[0].strip() for line in lines]
    frames = [name for name in names[names[:1] == ["image_location"] :] if name]
    if not frames:
        raise ValueError(f"{example} names no frame.")
    try:
        for frame in frames:
            video_and_frame(frame)
    except ValueError as error:
        raise ValueError(
            f"{example}: {error} The example of a submission is needed, which names every frame; the list of "
            "videos does not."
        ) from error
    return list(dict.fromkeys(frames))


def write_submission(path: Path, classes: Mapping[str, int]) -> None:
    """Write a submission, atomically.

    Args:
        path: The text file.
        classes: Class from 0 to 7 by ``<video>/<frame>.jpg``, in the order of the lines.

    Raises:
        ValueError: If there is no row, a class is out of range, or a name is not of this form.
    """
    wrong = [f"{location} {value}" for location, value in classes.items() if str(value) not in _CLASSES]
    if wrong or not classes:
        raise ValueError(
            f"{len(wrong)} of {len(classes)} rows have a class other than 0 to {NUM_CLASSES - 1}, first "
            f"{wrong[:1]}; expected at least one row and only such classes."
        )
    for location in classes:
        video_and_frame(location)
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write(HEADER + "\n")
        file.writelines(f"{location},{value}\n" for location, value in classes.items())


def check_submission(path: Path, expected: Iterable[str]) -> SubmissionReport:
    """Look for every mistake that a submission can have.

    Args:
        path: The text file.
        expected: Frames that must be named, see :func:`expected_frames`.

    Raises:
        ValueError: If the file is missing or no text.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a readable submission: {error}") from error
    header, *lines = text.removesuffix("\n").split("\n")
    seen: dict[str, int] = {}
    malformed, values = [], []
    for number, line in enumerate(lines, 2):
        location, *rest = line.split(",")
        if len(rest) != 1 or location.count("/") != 1:
            malformed.append(f"line {number} {line[:60]!r}")
            continue
        seen[location] = seen.get(location, 0) + 1
        if rest[0] not in _CLASSES:
            values.append(f"line {number} {rest[0][:20]!r}")
    wanted = dict.fromkeys(expected)
    found = (
        ("wrong header", [] if header == HEADER else [repr(header[:120])]),
        ("lines that are not <video>/<frame>.jpg,<class>", malformed),
        (f"classes other than 0 to {NUM_CLASSES - 1}", values),
        ("missing frames", [location for location in wanted if location not in seen]),
        ("duplicate frames", [location for location, times in seen.items() if times > 1]),
        ("frames that are not expected", [location for location in seen if location not in wanted]),
    )
    problems = tuple(Problem(what, len(which), tuple(which[:_SHOWN])) for what, which in found if which)
    return SubmissionReport(len(lines), len(wanted), problems)


def video_and_frame(location: str) -> tuple[str, int]:
    """Video and frame number of ``<video>/<frame>.jpg``.

    Raises:
        ValueError: If the location is not of this form.

    Example:
        >>> video_and_frame("video5_left/00012.jpg")
        ('video5_left', 12)
    """
    video, slash, name = location.partition("/")
    number, dot, suffix = name.partition(".")
    if not (video and slash and dot and suffix == "jpg" and number.isdecimal() and number.isascii()):
        raise ValueError(f"Expected <video>/<frame>.jpg, found {location!r}.")
    return video, int(number)
