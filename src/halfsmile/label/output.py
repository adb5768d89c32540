"""What labeling ends as: a table, class folders, Label Studio's JSON; training reads the folder itself."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from halfsmile.data.exchange.formats import export_csv, export_folders
from halfsmile.data.exchange.label_studio import labeling_config
from halfsmile.data.manifest import SCHEMA, Manifest
from halfsmile.data.readers.recognition.folder import LABELED
from halfsmile.taxonomy import from_labels
from halfsmile.utils.files import write_json

if TYPE_CHECKING:
    from halfsmile.label.parts import Parts

TABLE_NAME = "labels.csv"
LIST_NAME = LABELED[1]
FORMATS = ("csv", "folders", "label-studio")


def labeled_manifest(labeling: Parts) -> Manifest:
    """The faces that have a label, in the order of the pool.

    Split ``test`` for those of the random share, ``train`` for the others; none for a copy of a test face,
    which belongs to neither. ``votes`` where several people answered, or one gave several classes. A face
    whose classes are level has votes and no label.
    """
    with labeling.guard:
        state, pool, asking = labeling.state, labeling.pool, labeling.asking
        names = tuple(state.classes)
        kept_apart = {int(asking.groups[row]) for row in state.random_faces}
        rows, labels, votes, splits = [], [], [], []
        for row in sorted(state.by_face):
            said = state.votes(row)
            if not said or state.is_left_out(row):
                continue
            label = state.label(row)
            whole = sum(said.values())
            rows.append(row)
            labels.append(label)
            votes.append(
                [said.get(name, 0.0) / whole for name in names]
                if len(said) > 1 or len(state.by_face[row]) > 1
                else None
            )
            is_copy = row not in state.random_faces and int(asking.groups[row]) in kept_apart
            splits.append("test" if row in state.random_faces else None if is_copy else "train")
    table = pool.manifest.without_labels().take(rows).table
    for name, values in (("label", labels), ("votes", votes), ("split", splits)):
        field = SCHEMA.field(name)
        table = table.set_column(SCHEMA.get_field_index(name), field, pa.array(values, field.type))
    return Manifest(table, pool.root, from_labels(names))


def with_taught_classes(manifest: Manifest) -> Manifest:
    """Only the classes that some face of the split ``train`` shows: a training refuses a class without any.

    Faces whose label is another one are left out, and votes for others are not counted.
    """
    labels, splits = manifest.column("label"), manifest.column("split")
    taught = {label for label, split in zip(labels, splits, strict=True) if split == "train"}
    all_names = manifest.taxonomy.labels if manifest.taxonomy else ()
    names = tuple(name for name in all_names if name in taught)
    if names == tuple(all_names):
        return manifest
    columns = [all_names.index(name) for name in names]
    rows, votes = [], []
    for row, (label, given) in enumerate(zip(labels, manifest.column("votes"), strict=True)):
        own = None if given is None else [given[k] for k in columns]
        whole = sum(own or ())
        if label in taught if label is not None else whole > 0:
            rows.append(row)
            votes.append([share / whole for share in own] if own and whole > 0 else None)
    table = manifest.take(rows).table
    field = SCHEMA.field("votes")
    table = table.set_column(SCHEMA.get_field_index("votes"), field, pa.array(votes, field.type))
    return Manifest(table, manifest.root, from_labels(names))


def write_table(labeling: Parts) -> Path:
    """Write ``labels.csv`` beside the journal, its pictures named relative to it, and ``labels.parquet``.

    The latter is what ``halfsmile train … --data`` reads of the folder.
    """
    path = labeling.out / TABLE_NAME
    manifest = labeled_manifest(labeling)
    export_csv(manifest, path)
    manifest.save(labeling.out / LIST_NAME)
    return path


def export(labeling: Parts, form: str) -> tuple[Path, str]:
    """A file to take away, in a temporary place that the caller removes, and its media type.

    Args:
        labeling: The session.
        form: One of :data:`FORMATS`.

    Raises:
        ValueError: If the format is unknown, or there is no label yet.
        OSError: If there is no room.
    """
    if form not in FORMATS:
        raise ValueError(f"There is no format {form!r}; there are {', '.join(FORMATS)}.")
    manifest = labeled_manifest(labeling)
    if not len(manifest):
        raise ValueError("There is no label to export yet.")
    handle = tempfile.NamedTemporaryFile(  # noqa: SIM115
        prefix="halfsmile-label-", suffix=".csv" if form == "csv" else ".zip", delete=False
    )
    handle.close()
    path = Path(handle.name)
    try:
        if form == "csv":
            export_csv(manifest, path, whole_paths=True)
            return path, "text/csv"
        with tempfile.TemporaryDirectory(prefix="halfsmile-label-") as folder:
            out = Path(folder) / "labels"
            if form == "folders":
                decided = [row for row, label in enumerate(manifest.column("label")) if label is not None]
                split = manifest.column("split")
                export_folders(
                    manifest.take([r for r in decided if split[r] is not None]), out, progress=False
                )
            else:
                _label_studio(labeling, manifest, out)
            with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
                for file in sorted(out.rglob("*")):
                    if file.is_file():
                        archive.write(file, file.relative_to(out).as_posix())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path, "application/zip"


def _label_studio(labeling: Parts, manifest: Manifest, out: Path) -> None:
    """``images``, ``config.xml``, and ``tasks.json`` with everybody's answers as annotations."""
    from halfsmile.data.exchange.formats import write_pictures

    written, _ = write_pictures(manifest, out, lambda row: "images", progress=False)
    with labeling.guard:
        rows = {locator: row for row, locator in enumerate(labeling.pool.locators)}
        tasks = []
        for place, path in written.items():
            locator = manifest.column("image")[place]
            name = path.rpartition("/")[2]
            tasks.append(
                {
                    "data": {"image": f"/data/local-files/?d=images/{name}", "locator": locator},
                    "annotations": _annotations(labeling, rows[locator]),
                }
            )
    write_json(out / "tasks.json", tasks)
    (out / "config.xml").write_text(labeling_config(from_labels(labeling.state.classes)), encoding="utf-8")


def _annotations(labeling: Parts, row: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name, answer in labeling.state.by_face.get(row, {}).items():
        if not answer.votes:
            continue
        best = max(answer.votes, key=lambda label: answer.votes[label])
        result = {
            "from_name": "expression",
            "to_name": "image",
            "type": "choices",
            "value": {"choices": [best]},
        }
        found.append({"completed_by": {"email": name}, "created_at": answer.time, "result": [result]})
    return found
