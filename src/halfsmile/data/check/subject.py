"""What a check is about, and what it finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from halfsmile.data.check.duplicates import Duplicates
from halfsmile.data.check.pictures import Pictures
from halfsmile.data.manifest import Manifest, UnreadLabelsError


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or should be known.

    Args:
        what: In one sentence, with counts.
        mend: What to do about it.
        examples: Some of the pictures, people or classes.
        rows: Rows of the manifest that show it, for pictures of them; rows of one group stand together.
        is_problem: False for what may be as it should.
    """

    what: str
    mend: str
    examples: tuple[str, ...] = ()
    rows: tuple[tuple[int, ...], ...] = ()
    is_problem: bool = True


@dataclass(frozen=True)
class Subject:
    """What the findings are about.

    Args:
        manifest: The rows.
        pictures: What was seen of them; None if they were not read.
        duplicates: None if they were not compared.
        unread: What was seen of labels that were not read.
        names: What people know a picture by, by its locator, where that is something else.
    """

    manifest: Manifest
    pictures: Pictures | None
    duplicates: Duplicates | None
    unread: UnreadLabelsError | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    def shown(self) -> list[str]:
        """Each picture as people find it."""
        return [self.names.get(image, image) for image in self.manifest.column("image")]


def of_rows(
    rows: Sequence[int], what: str, mend: str, images: Sequence[str], *, is_problem: bool = True
) -> Iterator[Finding]:
    """A finding about single pictures, if there are any."""
    if rows:
        examples = tuple(images[row] for row in rows)
        text = f"{what}: {len(rows):,} of {len(images):,}."
        yield Finding(text, mend, examples, tuple((row,) for row in rows), is_problem)
