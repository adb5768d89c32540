"""Labels that people gave in another program, put into a manifest."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from halfsmile.data.exchange.formats import image_rows
from halfsmile.data.exchange.label_studio import read_annotations
from halfsmile.data.exchange.pseudo_labels import probability_labels
from halfsmile.data.manifest import SCHEMA, Manifest
from halfsmile.data.readers.table_rows import TABLE_SUFFIXES, read_rows
from halfsmile.taxonomy import TAXONOMIES, Taxonomy, from_labels


@dataclass(frozen=True)
class GivenLabels:
    """What one file says about one face.

    Args:
        answers: A label per annotator; may be empty.
        votes: Distribution over the taxonomy, where the file has one.
    """

    answers: tuple[str, ...] = ()
    votes: tuple[float, ...] | None = None


def import_labels(
    manifest: Manifest,
    path: Path,
    *,
    taxonomy: Taxonomy | None = None,
    renames: Mapping[str, str | None] | None = None,
    split: str | None = None,
) -> Manifest:
    """Set labels from a CSV table or a Label Studio export (``.json``).

    Several answers about one face make votes, and the label that most gave; without such a majority the face
    has votes but no label. Faces that the file does not name keep what they have.

    Args:
        manifest: Faces; the file's ``image`` (for Label Studio: ``data.locator``) is looked up in ``image``.
        path: A table (CSV, Parquet or JSON Lines) with the columns ``image`` and ``label`` and perhaps
            ``votes_<label>``, or a JSON file that Label Studio exported (JSON or JSON-MIN).
        taxonomy: Classes; by default those of the manifest, or those of the model that wrote the file where
            it is a table of ``halfsmile pseudo-label``.
        renames: Label in the file to label of the taxonomy, or to None to ignore it.
        split: Split of the rows that have a label and no split.

    Returns:
        The manifest with notes that count what was set, changed, ignored, and not found.

    Raises:
        ValueError: If the file can't be read, no taxonomy is known, or a label is in neither the taxonomy nor
            ``renames``.
    """
    path = Path(path)
    taxonomy = taxonomy or manifest.taxonomy or _of_the_model(path)
    if taxonomy is None:
        raise ValueError(
            f"{manifest.root} has no classes yet: say which the labels of {path} have, by a known name "
            f"({', '.join(TAXONOMIES)}) or one by one (--taxonomy ferplus, --taxonomy calm,glad)."
        )
    if manifest.taxonomy is not None:
        manifest.taxonomy.require_same(taxonomy)
    if path.suffix.lower() == ".json":
        given = {image: GivenLabels(answers) for image, answers in read_annotations(path).items()}
    else:
        given = read_table(path, taxonomy)
    targets = _targets({a for found in given.values() for a in found.answers}, taxonomy, renames or {}, path)
    rows = dict(image_rows(manifest))
    labels, votes = manifest.column("label"), manifest.column("votes")
    counts: Counter[str] = Counter()
    for image, found in given.items():
        if image not in rows:
            counts["not found"] += 1
            continue
        row = rows[image]
        answers = [t for t in (targets[a] for a in found.answers) if t is not None]
        if not answers and found.votes is None:
            counts["without an answer"] += 1
            continue
        label, shares = _settle(answers, taxonomy)
        if label is None and answers:
            counts["without a majority"] += 1
        counts["changed" if labels[row] not in (None, label) else "set"] += 1
        labels[row] = label
        votes[row] = found.votes if found.votes is not None else shares
    table = manifest.table
    for name, values in (("label", labels), ("votes", votes)):
        field = SCHEMA.field(name)
        table = table.set_column(SCHEMA.get_field_index(name), field, pa.array(values, field.type))
    note = f"Labels from {path.name}: " + ", ".join(f"{n} {what}" for what, n in sorted(counts.items())) + "."
    labeled = Manifest(table, manifest.root, taxonomy, (*manifest.notes, note))
    return labeled if split is None else labeled.with_split(split)


def _of_the_model(path: Path) -> Taxonomy | None:
    """Classes of the model that wrote a table of pseudo-labels; None of other files."""
    if path.suffix.lower() not in TABLE_SUFFIXES:
        return None
    labels = probability_labels(read_rows(path)[0])
    return from_labels(labels) if labels else None


def read_table(path: Path, taxonomy: Taxonomy) -> dict[str, GivenLabels]:
    """Labels and votes of a table by ``image``; several rows about one face are several answers.

    Raises:
        ValueError: If the file or one of its rows can't be read.
    """
    found: dict[str, GivenLabels] = {}
    names = [f"votes_{label}" for label in taxonomy.labels]
    for number, row in _rows(path):
        votes = [row[name] for name in names] if row.keys() >= set(names) else []
        if row["label"] is None or None in votes:
            raise ValueError(f"{path}, line {number}: it has fewer columns than the header.")
        before = found.get(row["image"], GivenLabels()).answers
        answers = (*before, row["label"]) if row["label"] else before
        filled = any(votes)
        found[row["image"]] = GivenLabels(answers, _numbers(votes, path, number) if filled else None)
    return found


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Rows of a table with their line numbers; empty text where Parquet and JSON Lines have nothing."""
    if path.suffix.lower() in (".parquet", ".jsonl", ".ndjson"):
        columns, rows, _ = read_rows(path)
        _require_columns(path, columns)
        for number, row in enumerate(rows, 1):
            yield number, {name: "" if row.get(name) is None else row[name] for name in columns}
        return
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            _require_columns(path, reader.fieldnames or ())
            yield from enumerate(reader, 2)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} can't be read as a CSV table ({error}).") from error


def _require_columns(path: Path, columns: Iterable[str]) -> None:
    if missing := {"image", "label"} - set(columns):
        raise ValueError(f"{path} lacks the columns {sorted(missing)}; it has {list(columns)}.")


def _numbers(texts: Sequence[str], path: Path, line: int) -> tuple[float, ...]:
    try:
        numbers = [float(text) for text in texts]
    except ValueError as error:
        raise ValueError(f"{path}, line {line}: votes are numbers, found {list(texts)}.") from error
    total = sum(numbers)
    if not (total > 0 and min(numbers) >= 0 and total < float("inf")):
        raise ValueError(f"{path}, line {line}: votes are positive numbers, found {list(texts)}.")
    return tuple(numbers) if abs(total - 1) < 1e-3 else tuple(number / total for number in numbers)


def _targets(
    found: set[str], taxonomy: Taxonomy, renames: Mapping[str, str | None], path: Path
) -> dict[str, str | None]:
    targets = {label: renames.get(label, label) for label in found}
    unknown = sorted({t for t in targets.values() if t is not None and t not in taxonomy.labels})
    if unknown:
        raise ValueError(
            f"{path} has the labels {json.dumps(unknown, ensure_ascii=False)}, which taxonomy "
            f"{taxonomy.name!r} {list(taxonomy.labels)} lacks. Say what becomes of each: "
            "another label, or none."
        )
    return targets


def _settle(answers: Sequence[str], taxonomy: Taxonomy) -> tuple[str | None, list[float] | None]:
    """The label that more annotators gave than any other, and the shares if there were several."""
    if not answers:
        return None, None
    (first, most), *others = Counter(answers).most_common(2)
    label = None if others and others[0][1] == most else first
    if len(answers) == 1:
        return label, None
    return label, [answers.count(name) / len(answers) for name in taxonomy.labels]
