"""To Label Studio and back: faces as labeling tasks, annotations as labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from halfsmile.data.exchange.formats import ExportedFaces, write_pictures
from halfsmile.data.manifest import Manifest
from halfsmile.taxonomy import Taxonomy
from halfsmile.utils.files import atomic_write, read_json, write_json

_FROM, _TO = "expression", "image"


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


def read_annotations(path: Path) -> dict[str, tuple[str, ...]]:
    """Labels by locator, one per annotator, from an export as JSON or JSON-MIN.

    Skipped (cancelled) annotations do not count, nor do predictions.

    Raises:
        ValueError: If the file is no such export, or a task has no locator or two choices in one annotation.
    """
    tasks = read_json(path)
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise ValueError(f"{path} is not an export of Label Studio: expected a list of tasks.")
    found: dict[str, tuple[str, ...]] = {}
    for number, task in enumerate(tasks):
        data = task.get("data", task)
        locator = data.get("locator") if isinstance(data, dict) else None
        if not isinstance(locator, str):
            raise ValueError(
                f"{path}, task {number}: it has no 'locator', so it is not known which face it is. Import "
                "the tasks.json that was exported for labeling, and keep its data."
            )
        try:
            choices = _choices(task)
        except (KeyError, TypeError, AttributeError) as error:
            shown = json.dumps(task, ensure_ascii=False)[:200]
            raise ValueError(f"{path}, task {number}: can't find the choices in {shown}.") from error
        if wrong := [answer for answer in choices if len(answer) != 1]:
            raise ValueError(f"{path}, task {number}: one choice was expected, found {wrong[0]}.")
        found[locator] = (*found.get(locator, ()), *(answer[0] for answer in choices))
    return found


def _choices(task: dict[str, Any]) -> list[list[str]]:
    """Choices of every annotator of a task."""
    if "annotations" not in task:
        answer = task.get(_FROM)
        return [] if not answer else [[answer] if isinstance(answer, str) else list(answer["choices"])]
    return [
        [str(choice) for choice in result["value"]["choices"]]
        for annotation in task["annotations"]
        if not annotation.get("was_cancelled")
        for result in annotation["result"]
        if result.get("from_name") == _FROM
    ]
