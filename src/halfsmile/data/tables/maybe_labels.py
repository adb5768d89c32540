"""Labels that a table may hold in columns that are not known for it, and labels in sentences."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any

from halfsmile.data.readers.words import EXPRESSIONS, word_in

Cells = Sequence[Mapping[str, Any]]

_ACTION_UNIT = re.compile(r"AU[\s_-]*\d+([_\s-]?[a-z]+)?", re.IGNORECASE)
_SAYS_NO = re.compile(r"\b(not|no|never|without)\b|n['’]t\b", re.IGNORECASE)
_MAX_VALUES = 64
_SHOWN = 8
_LONGEST = 20
_LEAST_WORDS = 4
_ENOUGH = 0.9


def maybe_labels(rows: Cells, names: Sequence[str]) -> list[str]:
    """Columns that could hold labels, with what they hold.

    These are columns with a few values that come again and again, with sentences that each have a word for an
    expression, and three or more that are named after expressions.
    """
    names = [name for name in names if not is_measured(name)]
    called = [name for name in names if name.casefold() in EXPRESSIONS]
    found = []
    for name in names:
        cells = _cells(rows, name)
        values = sorted(set(cells))
        is_class = 1 < len(values) <= min(_MAX_VALUES, len(cells) // 2)
        if is_class or are_captions(cells) or (len(called) > 2 and name in called and cells):
            shown = ", ".join(value[:_LONGEST] for value in values[:_SHOWN])
            found.append(f"{name} ({shown}{' …' if len(values) > _SHOWN else ''})")
    return found


def is_measured(name: str) -> bool:
    """Whether a column tells of valence, arousal or an action unit, which are no classes.

    Example:
        >>> [name for name in ("Valence", "AU 12", "AU06_c", "aura", "mood") if is_measured(name)]
        ['Valence', 'AU 12', 'AU06_c']
    """
    return name.casefold() in ("valence", "arousal") or _ACTION_UNIT.fullmatch(name) is not None


def how_to_take(maybe: Sequence[str]) -> str:
    """What to type, or to write, so that labels are read from columns of :func:`maybe_labels`."""
    names = [column.rpartition(" (")[0] for column in maybe]
    without = "or --columns label= where none of them does."
    if sum(name.casefold() in EXPRESSIONS for name in names) > 2:
        return f"Write a number into each, 1 or 0 or a share: they are votes then; {without}"
    first = f"Name it: --columns {quote('label=' + names[0])}"
    raters = _raters(maybe)
    if len(raters) > 1:
        first += f" (or all, if they are people's answers: --columns {quote('label=' + ','.join(raters))})"
    return f"{first}, {without}"


def _raters(maybe: Sequence[str]) -> list[str]:
    """Columns that hold mostly the same values as the first, as those of several people do."""
    told = (column.rpartition(" (") for column in maybe)
    held = {name: set(values.rstrip(")").split(", ")) for name, _, values in told}
    first = next(iter(held.values()))
    return [name for name, values in held.items() if 2 * len(values & first) > len(values | first)]


def are_captions(cells: Sequence[str]) -> bool:
    """Whether cells are sentences that have one word for an expression each, and not the same one.

    Example:
        >>> are_captions(["a photo of a happy face", "a photo of a sad man"])
        True
        >>> are_captions(["happy", "very sad"])
        False
    """
    words = [word_in(cell) for cell in cells if len(cell.split()) >= _LEAST_WORDS]
    told = [word for word in words if word]
    return len(set(told)) > 1 and len(told) >= _ENOUGH * len(cells)


def labels_of_captions(rows: list[dict[str, Any]], table: str, names: Mapping[str, Any]) -> list[str]:
    """Put the word for an expression in place of the sentence that is a row's label; a note on it.

    Sentences that say no lose their label. Nothing is changed where labels are no sentences, see
    :func:`are_captions`, or ``names``, which are given by label, has one of them.
    """
    told = [row["label"] for row in rows if row.get("label")]
    if not are_captions(told) or names.keys() & set(told):
        return []
    bare = 0
    for row in rows:
        if row.get("label"):
            row["label"] = None if _SAYS_NO.search(row["label"]) else word_in(row["label"])
            bare += row["label"] is None
    left = f"; {bare:,} rows have none or several, or say no, and have no label" if bare else ""
    return [f"The labels of {table} are sentences, of which the one word for an expression is taken{left}."]


def _cells(rows: Cells, name: str) -> list[str]:
    """What is in a column; empty cells are passed over."""
    return [str(row[name]).strip() for row in rows if row.get(name) not in (None, "")]
