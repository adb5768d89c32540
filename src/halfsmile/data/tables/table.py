"""A table as it was found: names of columns, and rows as dictionaries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Rows = Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class Table:
    """A table as it was found.

    Args:
        names: Columns in their order.
        rows: Cells by column.
        notes: What was left out, with counts.
        has_header: False where the columns have no names of their own; they are then ``column 1``, …
        is_comma_decimal: Whether numbers may be written with a comma, since it separates no cells.
    """

    names: list[str]
    rows: Rows
    notes: list[str]
    has_header: bool = True
    is_comma_decimal: bool = False
