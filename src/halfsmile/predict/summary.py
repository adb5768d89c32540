"""What a run processed and found, counted while it goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from halfsmile.predict.answers.baseline import Reference
from halfsmile.predict.face import Face, NoFace
from halfsmile.utils.console import plain
from halfsmile.utils.percent import percent_number

UNKNOWN = (
    "Certainty unknown: the model was not calibrated. --threshold sets the confidence from which answers are "
    "certain."
)
"""Where a model has no threshold of certainty."""


@dataclass(kw_only=True)
class PredictSummary:
    """Counts of a run.

    Attributes:
        pictures: That were processed.
        videos: Files, cameras and streams that were processed.
        frames: Of the videos, that were processed.
        faces: In pictures and frames.
        people: Tracks in the videos.
        references: How many of them have answers relative to their own rest, and to that of the photograph.
        neutral: The photograph of a resting face, for people.
        expressions: Faces by expression.
        uncertain: Faces whose answer is uncertain.
        unknown: Faces of which nobody knows, as the model has no threshold of certainty.
        detector: What found the faces, for people.
        device: What computed the expressions.
        left_out: Faces that were found and not asked for.
        left_out_by: The options that ask for others only, as they were given.
        without_face: Pictures and videos that were read and show no face.
        skipped: Sources that an earlier run had done.
        failures: Source and reason of what could not be read.
        damaged: A sentence on each picture that was not read just as it is: as far as it goes, its first page
            only, or tone-mapped.
        ignored: Name and reason of files that are neither picture nor video.
        notes: What else should be known.
        written: Files and folders with the results.
        seconds: Of wall-clock time.
    """

    pictures: int = 0
    videos: int = 0
    frames: int = 0
    faces: int = 0
    people: int = 0
    references: Counter[Reference] = field(default_factory=Counter)
    neutral: str = ""
    expressions: Counter[str] = field(default_factory=Counter)
    uncertain: int = 0
    unknown: int = 0
    detector: str = ""
    device: str = ""
    left_out: int = 0
    left_out_by: str = ""
    without_face: int = 0
    skipped: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    ignored: tuple[tuple[str, str], ...] = ()
    notes: list[str] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)
    seconds: float = 0.0

    def count(self, results: Sequence[Face | NoFace]) -> None:
        """Count the faces of a picture or frame."""
        for result in results:
            if isinstance(result, Face):
                self.faces += 1
                self.expressions[result.expression] += 1
                self.uncertain += bool(result.uncertain)
                self.unknown += result.uncertain is None

    def fail(self, source: str, reason: str) -> None:
        """Note that a source could not be read."""
        self.failures.append((source, reason))

    def failure_reasons(self) -> Counter[str]:
        """How often what went wrong."""
        return Counter(reason for _, reason in self.failures)

    def render(self, console: Console) -> None:
        """Print the counts, the expressions as a table, and what went wrong."""

        def say(text: str, style: str | None = None) -> None:
            console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

        processed = [_plural(self.pictures, "picture")] if self.pictures or not self.videos else []
        if self.videos:
            processed.append(f"{_plural(self.videos, 'video')} ({_plural(self.frames, 'frame')})")
        found = _plural(self.faces, "face")
        known = self.faces > self.unknown
        found += f" found by {self.detector}" if self.detector and self.faces else ""
        found += f" and answered on {self.device}" if self.device and self.faces else ""
        found += f", {self.uncertain:,} of them uncertain" if known else ""
        found += f"; {_plural(self.people, 'person', 'people')} in videos" if self.videos else ""
        say(f"{' and '.join(processed)} in {self.seconds:.1f} s: {found}.")
        if self.faces:
            table = Table(box=None, pad_edge=False, show_header=False)
            for label, count in self.expressions.most_common():
                table.add_row(*plain((label, f"{count:,}", f"{percent_number(count / self.faces, 0)}%")))
            console.print(table)
        rests: dict[Reference, str] = {
            "photograph": f"the resting face of {self.neutral}",
            "own": "their own resting face",
        }
        for reference, rest in rests.items():
            if count := self.references[reference]:
                say(f"Answers for {_plural(count, 'person', 'people')} in videos are relative to {rest}.")
        if self.left_out:
            by = f" by {self.left_out_by}" if self.left_out_by else ""
            say(f"{_plural(self.left_out, 'face')} more left out{by}.")
        if self.unknown:
            say(UNKNOWN)
        if self.skipped:
            say(f"{_plural(self.skipped, 'source')} had been done before.")
        if self.without_face:
            say(f"{_plural(self.without_face, 'source')} without a face.")
        if self.failures:
            say(f"{_plural(len(self.failures), 'source')} could not be read:", "yellow")
            for reason, count in self.failure_reasons().most_common(5):
                first = next(name for name, text in self.failures if text == reason)
                say(f"  {count:,} × {reason} (first: {first})", "yellow")
        if self.damaged:
            say(f"{_plural(len(self.damaged), 'picture')} not read just as they are:", "yellow")
            for problem in self.damaged[:5]:
                say(f"  {problem}", "yellow")
        if self.ignored:
            name, reason = self.ignored[0]
            say(f"{_plural(len(self.ignored), 'file')} ignored, first {name} ({reason}).", "yellow")
            for text, count in Counter(text for _, text in self.ignored).most_common(6):
                if text != reason:
                    say(f"  {count:,} × {text}", "yellow")
        for note in self.notes:
            say(note, "yellow")
        for path in self.written:
            say(f"Written: {path}")


def _plural(count: int, one: str, many: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"
