"""All that can be wrong with a data set: one function for each thing, each with how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from halfsmile.data.check import faces as check_faces
from halfsmile.data.check import labels as check_labels
from halfsmile.data.check.subject import Finding, Subject

FINDERS: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
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


def find_all(subject: Subject) -> tuple[Finding, ...]:
    """All findings, problems first."""
    found = [finding for finder in FINDERS for finding in finder(subject)]
    return tuple(sorted(found, key=lambda finding: not finding.is_problem))
