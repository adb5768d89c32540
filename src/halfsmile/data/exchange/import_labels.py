"""Labels that people gave in another program, put into a manifest."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from halfsmile.data.containers.archive import ARCHIVE_SUFFIXES
from halfsmile.data.exchange.answers import Answer
from halfsmile.data.exchange.cvat import read_cvat
from halfsmile.data.exchange.label_studio import read_label_studio
from halfsmile.data.exchange.matching import Rows
from halfsmile.data.exchange.pseudo_labels import probability_labels
from halfsmile.data.exchange.tables import read_table
from halfsmile.data.manifest import SCHEMA, LeftOut, Manifest
from halfsmile.data.readers.registry import doubtful_classes
from halfsmile.data.readers.words import EXPRESSIONS
from halfsmile.data.tables.rows import TABLE_SUFFIXES, read_rows
from halfsmile.taxonomy import TAXONOMIES, Taxonomy, from_labels, from_names
from halfsmile.utils.files import read_json

_SHOWN = 6


class UnknownLabelsError(ValueError):
    """Labels that the taxonomy lacks.

    Args:
        message: What is said of them.
        labels: They themselves.
    """

    def __init__(self, message: str, labels: Sequence[str]) -> None:
        super().__init__(message)
        self.labels = list(labels)


def import_labels(
    manifest: Manifest,
    path: Path,
    *,
    taxonomy: Taxonomy | None = None,
    renames: Mapping[str, str | None] | None = None,
    field: str | None = None,
    split: str | None = None,
) -> Manifest:
    """Set labels from a table, from Label Studio (JSON, JSON-MIN or CSV) or from CVAT (XML).

    Several answers about one face make votes, and the label that most gave; without such a majority the face
    has votes but no label. Faces that the file does not name keep what they have.

    Args:
        manifest: Faces. A name in the file means the face of that locator, or the one whose path ends like
            it, also with what uploading puts before a name; names of two pictures never mean one face. See
            :meth:`halfsmile.data.exchange.matching.Rows.find`.
        path: A table (CSV, Parquet, JSON or JSON Lines) with a column of pictures and one of labels, and
            perhaps ``votes_<label>``; a JSON file of Label Studio; an XML file or archive of CVAT.
        taxonomy: Classes; by default those of the manifest, or those of the model that wrote the file where
            it is a table of ``halfsmile pseudo-label``, or else the labels in the file.
        renames: Label in the file to label of the taxonomy, or to None to ignore it.
        field: Column or field of the labels, where several could be; of a table also several with commas
            between, one for each person, whose answers are votes.
        split: Split of the rows that have a label and no split.

    Returns:
        The manifest with notes that count what was set, changed, ignored, and not found.

    Raises:
        ValueError: If the file can't be read, says no label or of no face of the manifest, or a label is in
            neither the taxonomy nor ``renames``.
    """
    path, renames = Path(path), renames or {}
    taxonomy = taxonomy or manifest.taxonomy or _of_the_model(path)
    if manifest.taxonomy is not None and taxonomy is not None:
        manifest.taxonomy.require_same(taxonomy)
    given = _read(path, taxonomy, renames, field)
    said = {label for answer in given for label in answer.labels}
    if idle := sorted(set(renames) - said):
        raise ValueError(
            f"{path} has no label {', '.join(idle)}; it has {', '.join(sorted(said)) or 'none'}."
        )
    if taxonomy is None:
        names = sorted({new for label in said if (new := renames.get(label, label)) is not None})
        if len(names) < 2:
            raise ValueError(
                f"{manifest.root} has no classes yet: say which the labels of {path} have, by a known name "
                f"({', '.join(TAXONOMIES)}) or one by one (--taxonomy ferplus, --taxonomy calm,glad)."
            )
        taxonomy = from_names(names)
    targets = _targets(said, taxonomy, renames, path)
    faces = Rows(manifest, path.parent)
    named = faces.find(answer.name for answer in given)
    answers, counts = dict[int, list[str]](), Counter[str]()
    shares: dict[int, tuple[float, ...]] = {}
    missing: list[str] = []
    several: list[str] = []
    crowded: list[str] = []
    others: Counter[str] = Counter()
    for answer in given:
        if answer.name in named.crowded:
            crowded.append(answer.name)
            continue
        row = named.rows.get(answer.name)
        if row is None:
            missing.append(answer.name)
            continue
        if answer.boxes > 1:
            several.append(answer.name)
            continue
        others.update(() if answer.labels else answer.others)
        answers.setdefault(row, []).extend(t for label in answer.labels if (t := targets[label]) is not None)
        if answer.votes is not None:
            shares[row] = answer.votes
    left_out = [what(names) for what, names in ((_of_boxes, several), (_of_crowds, crowded)) if names]
    if named.rivals:
        left_out.append(_of_rivals(named.rivals, manifest.root))
    if left_out and not answers:
        raise ValueError(" ".join(left_out))
    if given and not answers:
        raise ValueError(
            f"None of the {len(given):,} faces that {path} names is in {manifest.root}, first '{missing[0]}' "
            f"(there, for example, '{faces.example}')."
        )
    if missing:
        counts["not found"] = len(set(missing))
    labels, votes = manifest.column("label"), manifest.column("votes")
    for row, found in answers.items():
        if not found and row not in shares:
            counts["without an answer"] += 1
            continue
        label, of_answers = _settle(found, taxonomy)
        if label is None and found:
            counts["without a majority"] += 1
        counts["changed" if labels[row] not in (None, label) else "set"] += 1
        labels[row] = label
        votes[row] = shares.get(row, of_answers)
    if not counts["set"] + counts["changed"]:
        raise ValueError(f"{path} has no answer for any face of {manifest.root}.")
    table = manifest.table
    for name, values in (("label", labels), ("votes", votes)):
        kind = SCHEMA.field(name)
        table = table.set_column(SCHEMA.get_field_index(name), kind, pa.array(values, kind.type))
    note = f"Labels from {path.name}: " + ", ".join(f"{n} {what}" for what, n in sorted(counts.items())) + "."
    if missing:
        note += f" First not found: {missing[0]}."
    notes = [*manifest.notes, note, *map(LeftOut, left_out)]
    if any(answer.boxes == 1 for answer in given):
        notes.append(LeftOut(f"Boxes in {path.name} were not taken: a label is said of the whole picture."))
    if others:
        words = ", ".join(f"{word} {count:,}" for word, count in others.most_common(_SHOWN))
        notes.append(
            LeftOut(
                f"Without a label are faces of which {path.name} says {words}. If that is one: --rename "
                f"{next(iter(others))}=LABEL."
            )
        )
    labeled = Manifest(table, manifest.root, taxonomy, tuple(notes))
    if manifest.taxonomy is None:
        labeled = replace(labeled, notes=(*labeled.notes, *doubtful_classes(labeled)))
    return labeled if split is None else labeled.with_split(split)


def _of_boxes(names: Sequence[str]) -> str:
    return (
        f"{len(names):,} pictures have boxes of several faces and got no label, first {names[0]}: a label is "
        "said of a whole picture. Export them as COCO, YOLO or Pascal VOC, which are read with their boxes."
    )


def _of_crowds(names: Sequence[str]) -> str:
    return (
        f"{len(set(names)):,} pictures gave the store several faces and got no label, first {names[0]}: "
        "which of them it is of is not said. `halfsmile data prepare TABLE --out STORE`, with the pictures "
        "beside the table, labels the largest face of each."
    )


def _of_rivals(rivals: Mapping[str, str], root: Path) -> str:
    name, other = next(iter(rivals.items()))
    return (
        f"{len(rivals):,} names were taken for no face, since each would be the same one as another name, "
        f"first {name} and {other}. Name the pictures by their paths below {root}."
    )


def _of_the_model(path: Path) -> Taxonomy | None:
    """Classes of the model that wrote a table of pseudo-labels; None of other files."""
    if path.suffix.lower() not in TABLE_SUFFIXES or path.suffix.lower() == ".json":
        return None
    labels = probability_labels(read_rows(path, only_head=True).names)
    return from_labels(labels) if labels else None


def _read(
    path: Path, taxonomy: Taxonomy | None, renames: Mapping[str, str | None], field: str | None
) -> list[Answer]:
    """What a file says, by its suffix."""
    known = {*(label.casefold() for label in taxonomy.labels)} if taxonomy else EXPRESSIONS

    def is_label(text: str) -> bool:
        return text in renames or text.casefold() in known

    suffix = path.suffix.lower()
    if suffix == ".json" and _is_of_label_studio(path):
        return read_label_studio(path, is_label, field)
    if suffix == ".xml" or path.name.lower().endswith(ARCHIVE_SUFFIXES):
        if field is not None:
            raise ValueError(f"{path} is read as CVAT's, whose labels stand in no field; leave --field away.")
        return read_cvat(path, is_label)
    return read_table(path, taxonomy, is_label, field)


def _is_of_label_studio(path: Path) -> bool:
    """Whether JSON is an export of Label Studio: a task has data, or annotations as it writes them."""
    try:
        document = read_json(path)
    except ValueError:
        return False
    return isinstance(document, list) and any(isinstance(task, dict) and _is_task(task) for task in document)


def _is_task(task: Mapping[str, Any]) -> bool:
    """Whether an object is a task, also of the short form, which tells how long its annotation took."""
    made = task.get("annotations", task.get("completions"))
    of_annotations = {"result", "was_cancelled"}
    return (
        isinstance(task.get("data"), dict)
        or made == []
        or bool({*of_annotations, "annotation_id", "lead_time"} & task.keys())
        or (
            isinstance(made, list)
            and any(isinstance(one, dict) and of_annotations & one.keys() for one in made)
        )
    )


def _targets(
    found: set[str], taxonomy: Taxonomy, renames: Mapping[str, str | None], path: Path
) -> dict[str, str | None]:
    by_name = {label.casefold(): label for label in taxonomy.labels}
    targets = {label: renames.get(label, label) for label in found}
    unknown = sorted({t for t in targets.values() if t is not None and t.casefold() not in by_name})
    if unknown:
        raise UnknownLabelsError(
            f"{path} has the labels {json.dumps(unknown, ensure_ascii=False)}, which taxonomy "
            f"{taxonomy.name!r} {list(taxonomy.labels)} lacks. Say what becomes of each: "
            f"--rename {unknown[0]}=another, or =none.",
            unknown,
        )
    return {
        label: None if target is None else by_name[target.casefold()] for label, target in targets.items()
    }


def _settle(answers: Sequence[str], taxonomy: Taxonomy) -> tuple[str | None, list[float] | None]:
    """The label that more annotators gave than any other, and the shares if there were several."""
    if not answers:
        return None, None
    (first, most), *others = Counter(answers).most_common(2)
    label = None if others and others[0][1] == most else first
    if len(answers) == 1:
        return label, None
    return label, [answers.count(name) / len(answers) for name in taxonomy.labels]
