"""To Label Studio and back: faces as labeling tasks, annotations as labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from halfsmile.data.exchange.answers import NAMES, Answer, IsLabel, choose_field, name_in, texts
from halfsmile.data.exchange.formats import ExportedFaces, write_pictures
from halfsmile.data.manifest import Manifest
from halfsmile.taxonomy import Taxonomy
from halfsmile.utils.files import atomic_write, read_json, write_json

_FROM, _TO = "expression", "image"
_ABOUT = (
    *NAMES,
    "id",
    "annotator",
    "annotation_id",
    "created_at",
    "updated_at",
    "lead_time",
    "project",
    "agreement",
)


def export_label_studio(
    manifest: Manifest,
    out: Path,
    *,
    taxonomy: Taxonomy | None = None,
    url: str = "/data/local-files/?d=images",
    progress: bool = True,
) -> ExportedFaces:
    """Write ``out/images``, ``out/tasks.json`` to import, and ``out/config.xml``, the labeling interface.

    Labels that the manifest has become predictions, which annotators see and correct. ``data.locator`` of
    each task says which face it is.

    Args:
        manifest: Faces to label.
        out: New folder.
        taxonomy: Classes to choose from; by default the manifest's.
        url: What comes before ``/0000012.jpg`` in the address of a picture; the default is for Label Studio's
            local file storage with ``out`` as its document root.
        progress: Show progress on standard error when it takes more than two seconds.

    Raises:
        ValueError: If ``out`` exists or no classes are known.
    """
    taxonomy = taxonomy or manifest.taxonomy
    if taxonomy is None:
        raise ValueError("These faces have no taxonomy: say which classes annotators shall choose from.")
    if Path(out).exists():
        raise ValueError(f"{out} exists already. Remove it or choose another folder.")
    written, bad = write_pictures(manifest, out, lambda row: "images", progress=progress)
    locators, labels = manifest.column("image"), manifest.column("label")
    tasks: list[dict[str, Any]] = []
    for row, path in written.items():
        name = path.rpartition("/")[2]
        task: dict[str, Any] = {"data": {"image": f"{url}/{name}", "locator": locators[row]}}
        if labels[row] is not None:
            choice = {"from_name": _FROM, "to_name": _TO, "type": "choices"}
            result = [choice | {"value": {"choices": [labels[row]]}}]
            task["predictions"] = [{"model_version": "halfsmile", "result": result}]
        tasks.append(task)
    write_json(Path(out) / "tasks.json", tasks)
    with atomic_write(Path(out) / "config.xml") as temporary:
        temporary.write_text(labeling_config(taxonomy), encoding="utf-8")
    return ExportedFaces(Path(out), len(written), bad)


def labeling_config(taxonomy: Taxonomy) -> str:
    """The labeling interface: the picture and one choice among the classes, with hotkeys 1 to 9."""
    lines = ["<View>", f'  <Image name="{_TO}" value="$image"/>']
    lines.append(f'  <Choices name="{_FROM}" toName="{_TO}" choice="single" showInline="true">')
    for number, label in enumerate(taxonomy.labels, 1):
        hotkey = f' hotkey="{number}"' if number < 10 else ""
        lines.append(f"    <Choice value={quoteattr(label)}{hotkey}/>")
    return "\n".join([*lines, "  </Choices>", "</View>", ""])


def read_label_studio(path: Path, is_label: IsLabel, field: str | None = None) -> list[Answer]:
    """What annotators chose, from an export as JSON or JSON-MIN, whatever the field is called.

    Skipped (cancelled) annotations do not count, nor do predictions.

    Args:
        path: The export.
        is_label: Whether a text is one of the labels.
        field: Name of the choice; found where only one holds labels.

    Raises:
        ValueError: If the file is no such export, holds no answer, or a task does not say which face it is or
            has two choices in one annotation.
    """
    tasks = read_json(path)
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise ValueError(f"{path} is not an export of Label Studio: expected a list of tasks.")
    names: list[str] = []
    boxes: list[int] = []
    choices: list[dict[str, list[list[str]]]] = []
    for number, task in enumerate(tasks):
        data = task.get("data", task)
        name = name_in({**task, **data}) if isinstance(data, dict) else None
        if name is None:
            raise ValueError(
                f"{path}, task {number}: it names no picture, so it is not known which face it is. Import "
                "the tasks.json that was exported for labeling, and keep its data."
            )
        names.append(name)
        try:
            made = _annotations(task)
            choices.append(_flat(task, name) if made is None else _choices(made))
            boxes.append(max(map(_boxes, made or ()), default=0))
        except (KeyError, TypeError, AttributeError) as error:
            shown = json.dumps(task, ensure_ascii=False)[:200]
            raise ValueError(f"{path}, task {number}: can't find the choices in {shown}.") from error
    values: dict[str, list[str]] = {}
    for found in choices:
        for name, answers in found.items():
            values.setdefault(name, []).extend(text for answer in answers for text in answer)
    if not values:
        raise ValueError(f"{path} holds no label: {_of_nothing(tasks)}")
    chosen = choose_field(path, values, is_label, field)
    read = []
    for number, (name, found) in enumerate(zip(names, choices, strict=True)):
        answers = [answer for answer in found.get(chosen, []) if answer]
        if wrong := [answer for answer in answers if len(answer) != 1]:
            raise ValueError(
                f"{path}, task {number}: one choice was expected, found {wrong[0]}. Correct it there, or "
                "take the task out of the file."
            )
        read.append(Answer(name, tuple(answer[0] for answer in answers), boxes=boxes[number]))
    return read


def _annotations(task: dict[str, Any]) -> list[dict[str, Any]] | None:
    """What annotators made of a task and did not skip, also as old versions call it; None of a short form."""
    made = task.get("annotations", task.get("completions"))
    return None if made is None else [one for one in made if not one.get("was_cancelled")]


def _boxes(annotation: dict[str, Any]) -> int:
    """How many labels of an annotation are said of a part of the picture."""
    parts = [result for result in annotation["result"] if {"width", "points"} & set(result["value"])]
    return sum(bool(texts(result["value"].get(result.get("type", "")))) for result in parts)


def _of_nothing(tasks: list[dict[str, Any]]) -> str:
    """Why no choice is in a file."""
    every = [one for task in tasks for one in task.get("annotations", task.get("completions")) or ()]
    skipped = sum(bool(one.get("was_cancelled")) for one in every)
    kinds = sorted({str(result.get("type")) for one in every for result in one.get("result", ())})
    if every and skipped == len(every):
        return f"all {skipped:,} answers were skipped (cancelled)."
    if kinds and kinds != ["choices"]:
        return f"its answers are of the type {', '.join(kinds)}; labels are choices or labels of boxes."
    return "no task has an answer. Predictions don't count: submit them in Label Studio."


def _choices(annotations: list[dict[str, Any]]) -> dict[str, list[list[str]]]:
    """Choices of every annotator of a task by the name of the field."""
    found: dict[str, list[list[str]]] = {}
    for annotation in annotations:
        for result in annotation["result"]:
            kind = result.get("type", "choices")
            if said := texts(result["value"].get(kind)):
                found.setdefault(str(result.get("from_name")), []).append(said)
    return found


def _flat(task: dict[str, Any], name: str) -> dict[str, list[list[str]]]:
    """Fields of a task in the short form, in which those of data and of choices stand side by side."""
    return {
        field: [said]
        for field, value in task.items()
        if field not in _ABOUT and value != name and (said := texts(value))
    }
