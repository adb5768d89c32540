"""Which column of a table is which part of a face: by its name, or else by what it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from halfsmile.data.manifest import Fault, LeftOut
from halfsmile.data.readers.words import EXPRESSIONS, split_in, split_of, word_in
from halfsmile.data.tables.boxes import box_of, format_of, unread_boxes
from halfsmile.data.tables.maybe_labels import maybe_labels
from halfsmile.data.tables.names import LOOSE, NAMES, OPENFACE_POINTS, VOTES, Names
from halfsmile.data.tables.rows import read_rows
from halfsmile.data.tables.table import Table
from halfsmile.data.tables.times import PARTS
from halfsmile.data.tables.values import (
    LENGTHS,
    BoxFormat,
    are_marks,
    cell_text,
    holds,
    is_number,
    is_vote,
    names_picture,
)
from halfsmile.data.tables.videos import require_no_videos, video_column, with_frames

Columns = Mapping[str, str | Sequence[str]]

_MAX_FOLDS = 10
_FOLDS = ("fold", "folds", "fold_id", "kfold", "k_fold", "phase", "split_id")
_SHOWN = 4


@dataclass(frozen=True)
class Chosen:
    """The columns of a table.

    Args:
        parts: Columns by the part of the manifest.
        box: What the names of the box's columns say of its numbers.
        votes: Class by the column of its votes.
        unused: Columns that are no part.
        maybe_labels: Unused columns that could hold labels, with how many values they have.
        notes: Columns that were chosen by what they hold.
    """

    parts: dict[str, Names]
    box: BoxFormat | None = None
    votes: dict[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    maybe_labels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def choose(
    path: Path,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    columns: Columns,
    splits: Mapping[str, str | None] | None = None,
) -> Chosen:
    """Columns of the table for each part of the manifest.

    Args:
        path: Of the table, for messages.
        table: Its columns.
        rows: Its cells.
        columns: Names that were given by part; an empty name leaves a part out.
        splits: Split by what the column of splits says, where that was given.

    Raises:
        ValueError: If a named column is missing, or no column has the pictures, or none the splits that are
            given names.
    """
    parts = _given(path, table.names, columns)
    by_name = {name.casefold(): name for name in reversed(table.names)}
    free = [name for name in table.names if name not in {n for names in parts.values() for n in names}]
    notes: list[str] = []

    def take(part: str, names: Names, why: str = "") -> None:
        parts[part] = names
        for name in names:
            free.remove(name)
        if why:
            notes.append(f"{path.name}: the column {', '.join(names)} is taken for the {part}: {why}.")

    for part, usual in NAMES.items():
        if part in parts or part in columns:
            continue
        for candidate in usual:
            candidates = (candidate,) if isinstance(candidate, str) else candidate
            if candidate == OPENFACE_POINTS and ("face_id" not in by_name or "x_5" in by_name):
                continue  # points in another order, or 68 of them
            found = tuple(by_name[name] for name in candidates if name in by_name)
            if len(found) == len(candidates) and all(name in free for name in found):
                take(part, found)
                break
    box = _box(parts, columns, free, take)
    if "image" not in parts:
        pictures = [name for name in free if holds(rows, name, names_picture)]
        loose = [by_name[name] for name in LOOSE if name in by_name and by_name[name] in free]
        named = [name for name in loose if name in pictures]
        if named or len(pictures) == 1:
            take("image", ((named or pictures)[0],), "it names pictures")
        elif loose and not pictures:
            take("image", (loose[0],), "no other column names pictures")
        elif not table.has_header and not pictures and (other := _names(rows, free)):
            take("image", (other,), "it has another value in each row of a list without a line of names")
        else:
            require_no_videos(path, table, rows)
            raise ValueError(
                f"{path} has no column for the image; it has {table.names}. Name it: --columns image=COLUMN. "
                f"Recognized are {', '.join(map(str, NAMES['image']))}."
            )
    is_partition = not table.has_header and len(free) == 1 and "partition" in path.stem.casefold()
    if is_partition and not {"split", "label"} & {*parts, *columns}:
        take("split", (free[0],), "the list is called a partition")
    votes = _votes(parts, columns, rows, free, take)
    _label(parts, columns, rows, free, take, has_header=table.has_header, has_votes=bool(votes))
    if "split" not in parts and "split" not in columns:
        of_splits = [name for name in free if holds(rows, name, split_of, share=0.99)]
        if len(of_splits) == 1 and len({split_of(str(row.get(of_splits[0]) or "")) for row in rows}) > 1:
            take("split", (of_splits[0],), "it names splits")
        else:
            notes += _maybe_splits(path, rows, free)
    if splits:
        _require_splits(path, parts, rows, splits)
    elif (
        "split" in parts
        and "split" not in columns
        and not holds(rows, parts["split"][0], split_of, share=0.0)
    ):
        (name,) = parts.pop("split")
        notes += _no_splits(path, name, rows)
        free.append(name)
    unused = tuple(name for name in table.names if name in free)
    if "box" not in parts and "box" not in columns:
        notes += unread_boxes(path, rows, unused)
    has_label = "label" in parts or "label" in columns or "votes" in parts
    maybe = () if has_label or is_partition else tuple(maybe_labels(rows, unused))
    return Chosen(parts, box, votes, unused, maybe, tuple(notes))


def _no_splits(path: Path, name: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A fault where a column is called as one of splits and its values are none."""
    values = list(dict.fromkeys(text for row in rows if (text := cell_text(row.get(name)))))
    if not values:
        return []
    shown = ", ".join(value[:20] for value in values[:_SHOWN]) + (" …" if len(values) > _SHOWN else "")
    return [
        Fault(
            f"{path.name}: the column {name} names no splits ({shown}) and was not used. Say what it means: "
            f"--splits {values[0][:20]}=train{''.join(f' {value[:20]}=test' for value in values[1:2])} …, or "
            "leave it out: --columns split="
        )
    ]


def _maybe_splits(path: Path, rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    """A note on an unused column that may tell splits or folds, by its name."""
    for name in names:
        values = sorted({text for row in rows if (text := cell_text(row.get(name))) is not None})
        if not 1 < len(values) <= _MAX_FOLDS or not (name.casefold() in _FOLDS or split_in(name)):
            continue
        last = values[0] if split_in(name) == "train" else values[-1]
        said = " ".join(f"{value[:20]}={'test' if value == last else 'train'}" for value in values)
        return [
            LeftOut(
                f"{path.name}: the column {name} was not used. If it tells the splits: --columns "
                f"split={name} --splits {said}"
            )
        ]
    return []


def _require_splits(
    path: Path,
    parts: Mapping[str, Names],
    rows: Sequence[Mapping[str, Any]],
    splits: Mapping[str, str | None],
) -> None:
    """Refuse names of splits that no cell has.

    Raises:
        ValueError: If there is no column of splits, or it lacks one of the names.
    """
    if "split" not in parts:
        raise ValueError(f"{path} has no column of splits; name it: --columns split=COLUMN.")
    (name,) = parts["split"]
    values = {text for row in rows if (text := cell_text(row.get(name)))}
    if lacking := sorted(splits.keys() - values):
        raise ValueError(
            f"{path}: the column {name} has no {', '.join(lacking)}; it has "
            f"{', '.join(sorted(values)[: _SHOWN * 3])}."
        )


def looks_like(
    path: Path, *, of_videos: bool = False
) -> Literal["pixels", "labels", "maybe", "pictures"] | None:
    """What a table holds, by its first rows: pixels of pictures, their names with labels, or their names.

    ``maybe`` is names with columns that could hold labels. None where it is no table or names no pictures.

    Args:
        path: Of the table.
        of_videos: Whether names are those of videos and not of pictures.
    """
    try:
        table = with_frames(read_rows(path, only_head=True))
        if "pixels" in map(str.casefold, table.names):
            return "pixels"
        rows = list(table.rows)
        column = video_column(path, table, rows) if of_videos else None
        if of_videos and column is None:
            return None
        chosen = choose(path, table, rows, {"image": column, "video": ""} if column else {})
    except (ValueError, OSError):
        return None
    is_of_frames = "image" in chosen.parts and any("frames in the columns" in note for note in table.notes)
    if not (of_videos or is_of_frames or holds(rows, chosen.parts["image"][0], names_picture)):
        label = chosen.parts.get("label")
        return "labels" if label and holds(rows, label[0], _is_expression) else None
    if chosen.parts.keys() & {"label", "votes"}:
        return "labels"
    return "maybe" if chosen.maybe_labels else "pictures"


def _given(path: Path, found: Sequence[str], columns: Columns) -> dict[str, Names]:
    """The columns that were named."""
    if unknown := sorted(set(columns) - set(NAMES)):
        raise ValueError(
            f"A face has no {', '.join(unknown)}; columns can be named for {', '.join((*NAMES, *PARTS))}."
        )
    parts = {}
    for part, given in columns.items():
        names = (given,) if isinstance(given, str) else tuple(given)
        if missing := [name for name in names if name and name not in found]:
            raise ValueError(
                f"{path} lacks the columns {', '.join(missing)} for {part!r}; it has {', '.join(found)}."
            )
        wanted = len(names) if part in ("votes", "image") else LENGTHS.get(part, 1)
        if len(names) not in (1, wanted):
            raise ValueError(f"{part!r} takes {wanted} columns, got {list(names)}.")
        if names[0]:
            parts[part] = names
    return parts


def _box(parts: Mapping[str, Names], columns: Columns, free: Sequence[str], take: Any) -> BoxFormat | None:
    """Take the columns of the box; what their names say of the numbers."""
    if "box" in columns:
        return format_of(parts.get("box", ()))
    found = box_of(free)
    if found is None:
        return None
    take("box", found[0])
    return found[1]


def _votes(
    parts: Mapping[str, Names],
    columns: Columns,
    rows: Sequence[Mapping[str, Any]],
    free: Sequence[str],
    take: Any,
) -> dict[str, str]:
    """Class by the column of its votes; numbers in columns named after expressions are votes, too."""
    if "votes" not in parts and "votes" not in columns:
        own = tuple(name for name in free if name.startswith(VOTES) and len(name) > len(VOTES))
        named = tuple(n for n in free if n.casefold() in EXPRESSIONS and holds(rows, n, is_vote))
        if len(named) > 1 and are_marks(rows, named):
            named = tuple(n for n in free if n in named or (n.casefold() in EXPRESSIONS and _blank(rows, n)))
        if len(own) > 1:
            if any(row.get(name) not in (None, "") for row in rows for name in own):
                take("votes", own)
            else:
                for name in own:
                    free.remove(name)  # type: ignore[attr-defined]
        elif len(named) > 2:
            take("votes", named, "they are named after expressions and hold numbers")
        elif "label" not in parts and (marked := _marked_votes(rows, free)):
            take("votes", tuple(marked), "they have expressions in their names and hold numbers")
            return marked
    names = parts.get("votes", ())
    return {name: name.removeprefix(VOTES) for name in names} if len(names) > 1 else {}


def _marked_votes(rows: Sequence[Mapping[str, Any]], free: Sequence[str]) -> dict[str, str]:
    """Class by columns such as ``is_happy`` and ``is_sad``, which have the same words around expressions."""
    groups: dict[str, dict[str, str]] = {}
    for name in free:
        if (word := word_in(name)) and (holds(rows, name, is_vote) or _blank(rows, name)):
            groups.setdefault(name.casefold().replace(word, "*"), {})[name] = word
    for form, group in groups.items():
        filled = {name: word for name, word in group.items() if not _blank(rows, name)}
        if len(filled) < 2 or not are_marks(rows, list(filled)):
            groups[form] = filled
    found = [group for group in groups.values() if len(set(group.values())) == len(group) > 2]
    return found[0] if len(found) == 1 else {}


def _label(
    parts: dict[str, Names],
    columns: Columns,
    rows: Sequence[Mapping[str, Any]],
    free: list[str],
    take: Any,
    *,
    has_header: bool,
    has_votes: bool,
) -> None:
    """Take the column of labels: one with words of expressions where the usual one is missing or numbers."""
    if "label" in columns:
        return
    chosen = parts.get("label")
    is_loose = chosen is not None and chosen[0].casefold() == "categories"  # of anything, as of places
    if chosen and not holds(rows, chosen[0], is_number) and not is_loose:
        return
    if chosen and is_loose and holds(rows, chosen[0], _is_expression, share=0.0):
        return
    words = [name for name in free if holds(rows, name, _is_expression)]
    if len(words) == 1:
        if chosen:
            free.append(parts.pop("label")[0])
        take("label", (words[0],), "it holds words of expressions")
    elif not chosen and not has_header and not has_votes and len(free) == 1:
        take("label", (free[0],), "it is the only other one of a list without a line of names")


def _names(rows: Sequence[Mapping[str, Any]], free: Sequence[str]) -> str | None:
    """The first column whose cells are all different, as names are."""
    for name in free:
        cells = [text for row in rows if (text := cell_text(row.get(name))) is not None]
        if len(cells) == len(rows) > 1 and len(set(cells)) == len(cells):
            return name
    return None


def _blank(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    return all(cell_text(row.get(name)) is None for row in rows)


def _is_expression(cell: str) -> bool:
    return cell.casefold() in EXPRESSIONS
