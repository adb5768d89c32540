"""What a table says of faces: a name, labels of one or several people, or votes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from halfsmile.data.exchange.answers import (
    NAMES,
    Answer,
    IsLabel,
    choose_fields,
    labels_among,
    name_in,
    texts,
)
from halfsmile.data.manifest import Fault
from halfsmile.data.tables.rows import read_rows
from halfsmile.taxonomy import Taxonomy


def read_table(
    path: Path, taxonomy: Taxonomy | None, is_label: IsLabel, field: str | None = None
) -> list[Answer]:
    """Labels and votes of a table; several rows about one face, or several fields, are several answers.

    Raises:
        ValueError: If the file or one of its rows can't be read, or a column is missing.
    """
    table = read_rows(path)
    rows = list(table.rows)
    if table.notes and (faults := [note for note in table.notes if isinstance(note, Fault)]):
        raise ValueError(f"{path}: {faults[0]} Mend them first.")
    if not {"locator", "image"} & set(table.names) and all(name_in(row) is None for row in rows):
        raise ValueError(f"{path} has no column that names pictures; it has {table.names}.")
    columns = [f"votes_{label}" for label in taxonomy.labels] if taxonomy else []
    has_votes = set(columns) <= set(table.names) and bool(columns)
    fields = {
        name: [text for row in rows for text in texts(_text(row.get(name)))]
        for name in table.names
        if name not in NAMES and not name.startswith("votes_")
    }
    if field is None and ("label" in fields or (has_votes and not fields.get("label"))):
        chosen: tuple[str, ...] = ("label",)
    else:
        chosen = choose_fields(path, fields, is_label, field)
    if len(chosen) > 1 and has_votes:
        raise ValueError(
            f"{path} has votes already ({columns[0]} …), and --field names several people, whose answers are "
            "votes, too. Take one of them out of the table."
        )
    found = []
    for number, row in enumerate(rows, 2):
        name = name_in({key: _text(value) for key, value in row.items()})
        if name is None:
            raise ValueError(f"{path}, line {number}: it names no picture.")
        said: list[str] = []
        for each in chosen:
            labels = labels_among(texts(_text(row.get(each))), is_label)
            if len(labels) > 1:
                raise ValueError(
                    f"{path}, line {number}: one label was expected, found {labels}. Keep one, or take the "
                    "line out."
                )
            said += labels
        cells = [_text(row.get(column)) for column in columns] if has_votes else []
        found.append(Answer(name, tuple(said), _numbers(cells, path, number) if any(cells) else None))
    return found


def _text(value: Any) -> str:
    """A cell as text, lists as JSON; empty where Parquet and JSON Lines have nothing."""
    if isinstance(value, list | dict | bool):
        return json.dumps(value, ensure_ascii=False, default=str)
    return "" if value is None else str(value)


def _numbers(texts: Sequence[str], path: Path, line: int) -> tuple[float, ...]:
    try:
        numbers = [float(text) for text in texts]
    except ValueError as error:
        raise ValueError(f"{path}, line {line}: votes are numbers, found {list(texts)}.") from error
    total = sum(numbers)
    if not (total > 0 and min(numbers) >= 0 and total < float("inf")):
        raise ValueError(f"{path}, line {line}: votes are positive numbers, found {list(texts)}.")
    return tuple(numbers) if abs(total - 1) < 1e-3 else tuple(number / total for number in numbers)
