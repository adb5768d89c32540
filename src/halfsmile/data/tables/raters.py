"""Several columns of labels, one for each person who judged the faces: their answers are votes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from halfsmile.data.manifest import Fault, LeftOut
from halfsmile.data.readers.words import how_to_name, lists_expressions
from halfsmile.data.tables.labels import MISSING, whole
from halfsmile.data.tables.names import VOTES
from halfsmile.data.tables.table import Table
from halfsmile.data.tables.values import cell_text, is_number

Columns = Mapping[str, str | Sequence[str]]

_MAX_CLASSES = 64


def with_raters(
    path: Path, table: Table, columns: Columns, labels: Mapping[str, str | None]
) -> tuple[Table, Columns]:
    """The same table with a column of votes for each answer, where several columns are named for the label.

    Args:
        path: Of the table, for messages.
        table: As it was read.
        columns: Names that were given by part; ``label`` may have several.
        labels: Class name by the table's own label.

    Returns:
        Table and columns; as they were where fewer than two columns are named for the label. A cell that is
        empty, or says that there is no label, is no vote; a row without any has none.

    Raises:
        ValueError: If one of the columns is missing or named twice, votes are named, too, the answers are
            numbers without names, or there are fewer than two of them or more than 64.
    """
    given = columns.get("label", "")
    if isinstance(given, str) or len(given) < 2:
        return table, columns
    raters = tuple(given)
    _require_columns(path, table, raters, columns)
    labels = {whole(label): name for label, name in labels.items()}
    spelled = {label.casefold(): label for label in labels}
    rows = list(table.rows)
    said = [_answers(row, raters, spelled) for row in rows]
    words = sorted({word for answers in said for word in answers})
    _require_classes(path, raters, words, labels)
    kept = [name for name in table.names if name not in raters]
    if own := [name for name in kept if name.startswith(VOTES)]:
        if columns.get("votes") != "":
            raise ValueError(
                f"{path} has votes already ({own[0]} …), and several columns are named for the label, whose "
                "answers are votes, too. Leave one of them out: --columns votes= …, or label= …"
            )
        kept = [name for name in kept if name not in own]
    votes = tuple(VOTES + word for word in words)
    counted = []
    meant = [[name for word in answers if (name := _meaning(word, labels))] for answers in said]
    for row, answers, classes in zip(rows, said, meant, strict=True):
        counts = Counter(answers)
        cells = {VOTES + word: counts[word] if classes else None for word in words}
        counted.append({name: value for name, value in row.items() if name not in raters} | cells)
    notes = [*table.notes, _note(path, raters, meant), *_left_out(path, said, meant), *_lists(path, said)]
    found = replace(table, names=[*kept, *votes], rows=counted, notes=notes)
    return found, {**columns, "label": "", "votes": votes}


def _answers(row: Mapping[str, Any], raters: Sequence[str], spelled: dict[str, str]) -> list[str]:
    """What each rater says, in the spelling that comes first."""
    answers = []
    for name in raters:
        text = cell_text(row.get(name))
        if text is not None and (text.casefold() not in MISSING or text.casefold() in spelled):
            text = whole(text)
            answers.append(spelled.setdefault(text.casefold(), text))
    return answers


def _require_columns(path: Path, table: Table, raters: Sequence[str], columns: Columns) -> None:
    if missing := [name for name in raters if name not in table.names]:
        raise ValueError(f"{path} lacks the columns {missing} for 'label'; it has {table.names}.")
    if twice := [name for name, count in Counter(raters).items() if count > 1]:
        raise ValueError(
            f"--columns label= names the column {twice[0]} twice, so one person would count twice; name each "
            "once."
        )
    if columns.get("votes"):
        raise ValueError(
            "Several columns are named for the label, whose answers are votes, and others for the votes; "
            "name only one of them."
        )


def _require_classes(
    path: Path, raters: Sequence[str], words: Sequence[str], labels: Mapping[str, str | None]
) -> None:
    if numbers := [word for word in words if is_number(word) and word not in labels]:
        raise ValueError(
            f"{path}: the answers {', '.join(numbers[:12])} are numbers, and class orders differ between "
            f"data sets. {how_to_name(numbers)}"
        )
    if not 2 <= len(words) <= _MAX_CLASSES:
        found = f"{len(words):,} different answers" if words else "no answer"
        raise ValueError(
            f"{path}: the columns {', '.join(raters)} hold {found}; expected from 2 to {_MAX_CLASSES}, one "
            "for each class. Name the columns in which people say an expression."
        )


def _note(path: Path, raters: Sequence[str], said: Sequence[Sequence[str]]) -> str:
    """How far the raters agree."""
    judged = [answers for answers in said if len(answers) > 1]
    agreed = sum(len(set(answers)) == 1 for answers in judged)
    note = (
        f"{path.name}: the answers in {', '.join(raters)} are read as votes, one of each person. Of the "
        f"{len(judged):,} faces with two answers and more all agree on {agreed:,}"
    )
    tied = sum(_is_tied(answers) for answers in judged)
    return f"{note}; ties, which have votes and no label: {tied:,}." if tied else f"{note}."


def _meaning(word: str, labels: Mapping[str, str | None]) -> str | None:
    """The class that an answer is renamed to, in small letters; None where it is dropped."""
    name = labels.get(word, word)
    return name and name.casefold()


def _left_out(path: Path, said: Sequence[Sequence[str]], meant: Sequence[Sequence[str]]) -> list[str]:
    """A note on faces all of whose answers are dropped."""
    count = sum(bool(answers) and not classes for answers, classes in zip(said, meant, strict=True))
    said_so = "have only answers that were dropped, as asked, and no label"
    return [LeftOut(f"{path.name}: {count:,} faces {said_so}.")] if count else []


def _lists(path: Path, said: Sequence[Sequence[str]]) -> list[str]:
    """A fault where answers are lists of expressions, each of which would be a class of its own."""
    lists = Counter(word for answers in said for word in answers if lists_expressions(word))
    if not lists:
        return []
    return [
        Fault(
            f"{path.name}: {lists.total():,} answers have several expressions in one cell, first "
            f"{next(iter(lists))!r}, and each such list is read as a class of its own. Keep one expression."
        )
    ]


def _is_tied(answers: Sequence[str]) -> bool:
    counts = sorted(Counter(answers).values())
    return len(counts) > 1 and counts[-1] == counts[-2]
