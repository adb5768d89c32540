"""What a data set is, what is in it, what is wrong with it, and how to mend that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from halfsmile.data.check import faces as check_faces
from halfsmile.data.check import labels as check_labels
from halfsmile.data.check.duplicates import Duplicates, group_duplicates, without_leaks
from halfsmile.data.check.pictures import Pictures, measure_pictures
from halfsmile.data.check.stats import Stats, describe
from halfsmile.data.check.subject import Finding, Subject
from halfsmile.data.containers.archive import ARCHIVE_SUFFIXES, open_archive
from halfsmile.data.exchange.label_names import read_named
from halfsmile.data.manifest import LeftOut, Manifest, UnreadLabelsError
from halfsmile.data.readers.registry import LAYOUTS, Layout, recognize
from halfsmile.data.store.read import source_names
from halfsmile.utils.console import plain

FINDERS: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    check_labels.unread,
    check_labels.faults,
    check_faces.unreadable,
    check_labels.repeated_rows,
    check_labels.classes,
    check_labels.splits,
    check_faces.copies,
    check_labels.people,
    check_faces.places,
    check_labels.votes,
    check_faces.looks,
)
"""All that can be wrong with a data set: one function for each thing, each with how to mend it."""

_SHOWN = 3


@dataclass(frozen=True)
class Check:
    """What :func:`check` found.

    Args:
        path: As it was given.
        layout: How it was read.
        manifest: Its rows.
        stats: Counts.
        pictures: What was seen of them; None if they were not read.
        duplicates: None if the pictures were not read.
        findings: Problems first, then what should be known.
    """

    path: Path
    layout: Layout
    manifest: Manifest
    stats: Stats
    pictures: Pictures | None
    duplicates: Duplicates | None
    findings: tuple[Finding, ...]

    @property
    def problems(self) -> tuple[Finding, ...]:
        """What is wrong."""
        return tuple(finding for finding in self.findings if finding.is_problem)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    @property
    def verdict(self) -> str:
        """One sentence; that nothing is wrong is said only where nothing is missing, either."""
        if self.ok:
            bare = self.manifest.table["label"].null_count
            left_out = any(isinstance(note, LeftOut) for note in self.manifest.notes)
            said = ["No fault was found in what was read."]
            if left_out:
                said.append("See the notes for what was left out.")
            if bare:
                said.append(f"{bare:,} of {self.stats.faces:,} faces have no label.")
            if len(said) > 1:
                return " ".join(said)
            return "Nothing is wrong. No picture was ignored, dropped or left without a label."
        return f"{len(self.problems)} {'things are' if len(self.problems) > 1 else 'thing is'} wrong."

    def facts(self) -> list[tuple[str, str]]:
        """What the data set is, as pairs of a name and a text."""
        guess = "" if self.layout.is_certain else " (a guess)"
        stats, taxonomy = self.stats, self.manifest.taxonomy
        found = [
            ("layout", f"{self.layout.name}{guess}: {LAYOUTS[self.layout.name]}"),
            ("because", self.layout.reason),
            ("faces", f"{stats.faces:,}"),
        ]
        if taxonomy is not None:
            found.append(("classes", f"{taxonomy.name}: {', '.join(taxonomy.labels)}"))
        if stats.people:
            found.append(("people", f"{stats.named_people:,}"))
        if stats.videos:
            found.append(("videos", f"{stats.videos:,}"))
        known = (("boxes", stats.with_box), ("landmarks", stats.with_landmarks), ("votes", stats.with_votes))
        said = [f"{name} of {_share(count, stats.faces)}" for name, count in known if count]
        if said:
            found.append(("known", ", ".join(said)))
        return found + self._sizes()

    def _sizes(self) -> list[tuple[str, str]]:
        if self.pictures is None or not len(self.pictures.rows):
            return []
        sizes, counts = np.unique(self.pictures.sizes, axis=0, return_counts=True)
        if len(sizes) == 1:
            text = f"all {sizes[0][0]} × {sizes[0][1]} pixels"
        else:
            sides = np.percentile(self.pictures.sizes.min(axis=1), (0, 50, 100)).round().astype(int)
            width, height = sizes[counts.argmax()]
            text = (
                f"{len(sizes):,} different; shorter side {sides[0]} to {sides[2]}, median {sides[1]} pixels; "
                f"most often {width} × {height}"
            )
        gray = int(self.pictures.is_gray.sum())
        colors = (
            "gray" if gray == len(self.pictures.rows) else "color" if not gray else f"{gray:,} of them gray"
        )
        return [("sizes", f"{text}; {colors}")]

    def render(self, console: Console) -> None:
        """Print for people."""
        facts = Table.grid(padding=(0, 2))
        for name, text in (*self.facts(), *(("note", note) for note in self.manifest.notes)):
            facts.add_row(Text(name, style="dim"), Text(text))
        console.print(facts)
        if self.manifest.taxonomy is not None:
            header, rows = self.stats.counts()
            table = Table(*header, title="Faces per class", title_justify="left")
            for row in rows:
                table.add_row(*plain(row), style="bold" if row is rows[-1] else None)
            for column in table.columns[1:]:
                column.justify = "right"
            console.print("", table)
        for title, findings in (
            ("Wrong", self.problems),
            ("To know", tuple(finding for finding in self.findings if not finding.is_problem)),
        ):
            if findings:
                console.print(f"\n{title}", style="bold")
            for number, finding in enumerate(findings, 1):
                _say(console, f"{number}. {finding.what}", indent=0)
                more = len(finding.examples) - _SHOWN
                lines = [*finding.examples[:_SHOWN], *([f"… and {more:,} more"] if more > 0 else [])]
                for line in lines:
                    _say(console, line, indent=6, style="dim")
                _say(console, f"→ {finding.mend}", indent=3)
        console.print(f"\n{self.verdict}", style="bold")


def check(
    path: Path,
    *,
    layout: str | None = None,
    pixels: bool = True,
    progress: bool = True,
    **options: Any,
) -> Check:
    """Recognize, read and examine a data set; nothing is changed.

    Args:
        path: See :func:`~halfsmile.data.readers.registry.recognize`.
        layout: One of :data:`~halfsmile.data.readers.registry.LAYOUTS`; recognized if None.
        pixels: Read all pictures, for missing and damaged ones, sizes and duplicates.
        progress: Show progress on standard error when it takes more than two seconds.
        options: For the reader.

    Raises:
        ValueError: If no reader fits, or the data are not as the reader expects; the message says what to do.
        OSError: If something can't be read.
    """
    path = Path(path)
    found = recognize(path) if layout is None else Layout(layout, path, "as asked")
    if found.name == "store":
        options = {"skip_damaged": True, **options}
    unread: UnreadLabelsError | None = None
    try:
        manifest = read_named(path, layout, **options)
    except UnreadLabelsError as error:
        manifest, unread = error.faces, error
    pictures = measure_pictures(manifest, progress=progress) if pixels else None
    duplicates = None if pictures is None else group_duplicates(pictures.signatures)
    names = source_names(Path(manifest.root)) if found.name == "store" else {}
    subject = Subject(manifest, pictures, duplicates, unread, names)
    findings = [finding for finder in FINDERS for finding in finder(subject)]
    findings.sort(key=lambda finding: not finding.is_problem)
    findings = [*_container_findings(found, manifest), *findings]
    return Check(path, found, manifest, describe(manifest), pictures, duplicates, tuple(findings))


def clean(found: Check) -> Manifest:
    """The rows without pictures that can't be read, and without copies of pictures in a stricter split.

    Of two copies the training row goes first, and a test row never; copies within a split stay.

    Raises:
        ValueError: If the pictures were not read.
    """
    if found.pictures is None or found.duplicates is None:
        raise ValueError("To clean a data set, its pictures must be read.")
    manifest = without_leaks(found.manifest, found.duplicates.groups)
    bad = {found.manifest.column("image")[row] for row, _ in found.pictures.bad}
    if not bad:
        return manifest
    kept = manifest.take([row for row, image in enumerate(manifest.column("image")) if image not in bad])
    note = f"Dropped {len(manifest) - len(kept)} rows whose picture can't be read."
    return Manifest(kept.table, kept.root, kept.taxonomy, (*kept.notes, note))


def _container_findings(layout: Layout, manifest: Manifest) -> Iterator[Finding]:
    """What is wrong with the store or archive as a file."""
    if layout.name == "store" and manifest.notes:
        mend = "Copy it again; `halfsmile data verify` lists every face."
        yield Finding("The store is damaged.", mend, manifest.notes)
    root = Path(manifest.root)
    if root.is_file() and root.name.lower().endswith(ARCHIVE_SUFFIXES):
        notes = open_archive(root).notes
        if notes:
            mend = (
                "Where it is cut short, copy it again. What was refused is not read; ask where it comes from."
            )
            yield Finding("The archive is not as it should be.", mend, notes)


def _say(console: Console, text: str, *, indent: int, style: str = "") -> None:
    """Print a paragraph with all its lines indented."""
    console.print(Padding(Text(text), (0, 0, 0, indent), expand=False), style=style)


def _share(count: int, total: int) -> str:
    return "all" if count == total else f"{count:,}"
