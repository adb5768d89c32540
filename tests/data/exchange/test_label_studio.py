"""Tasks and annotations as Label Studio writes and reads them."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from halfsmile.data.exchange.label_studio import export_label_studio, labeling_config, read_label_studio
from halfsmile.data.manifest import Manifest
from halfsmile.taxonomy import RAFDB, Taxonomy


def annotation(*choices: str, **more: Any) -> dict[str, Any]:
    """As in Label Studio's task format."""
    value = {"choices": list(choices)}
    result = {"from_name": "expression", "to_name": "image", "type": "choices", "value": value, "id": "x"}
    return {"id": 1, "completed_by": 3, "was_cancelled": False, "result": [result], **more}


def written(path: Path, tasks: Any) -> Path:
    path.write_text(json.dumps(tasks), encoding="utf-8")
    return path


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    root = tmp_path / "data"
    root.mkdir()
    for i in range(3):
        cv2.imwrite(str(root / f"{i}.png"), np.full((8, 8, 3), i, np.uint8))
    rows = [{"image": f"{i}.png", "label": "fear" if i == 1 else None} for i in range(4)]
    return Manifest.from_rows(rows, root, RAFDB)


def test_tasks_show_pictures_and_known_labels(manifest: Manifest, tmp_path: Path) -> None:
    done = export_label_studio(manifest, tmp_path / "out")
    assert (done.faces, [locator for locator, _ in done.bad]) == (3, ["3.png"])
    tasks = json.loads((tmp_path / "out" / "tasks.json").read_text())
    assert [task["data"]["locator"] for task in tasks] == ["0.png", "1.png", "2.png"]
    for task in tasks:
        name = task["data"]["image"].removeprefix("/data/local-files/?d=images/")
        assert (tmp_path / "out" / "images" / name).is_file()
    assert "predictions" not in tasks[0]
    (prediction,) = tasks[1]["predictions"]
    assert prediction["result"][0]["value"] == {"choices": ["fear"]}


def test_the_interface_offers_every_class() -> None:
    labels = ("calm & quiet", 'so "called"', *(f"c{i}" for i in range(9)))
    root = ElementTree.fromstring(labeling_config(Taxonomy("t", labels)))  # noqa: S314
    assert tuple(choice.get("value") for choice in root.iter("Choice")) == labels
    choices = root.find("Choices")
    assert choices is not None
    assert choices.get("toName") == next(root.iter("Image")).get("name")
    assert [choice.get("hotkey") for choice in root.iter("Choice")][8:] == ["9", None, None]


def is_label(text: str) -> bool:
    return text.casefold() in RAFDB.labels


def answers(path: Path, field: str | None = None) -> list[tuple[str, tuple[str, ...]]]:
    return [(answer.name, answer.labels) for answer in read_label_studio(path, is_label, field)]


def test_annotations_of_several_people(tmp_path: Path) -> None:
    tasks = [
        {"data": {"locator": "a"}, "annotations": [annotation("fear"), annotation("anger")]},
        {"data": {"locator": "b"}, "annotations": [annotation("fear", was_cancelled=True)]},
        {"data": {"locator": "c"}, "annotations": [], "predictions": [annotation("fear")]},
    ]
    found = answers(written(tmp_path / "x.json", tasks))
    assert found == [("a", ("fear", "anger")), ("b", ()), ("c", ())]


def test_the_short_format_has_a_row_per_annotation(tmp_path: Path) -> None:
    tasks = [
        {"locator": "a", "expression": "fear", "annotator": 1},
        {"locator": "a", "expression": "anger", "annotator": 2},
        {"locator": "b", "annotator": 1},
    ]
    found = answers(written(tmp_path / "x.json", tasks))
    assert found == [("a", ("fear",)), ("a", ("anger",)), ("b", ())]


@pytest.mark.parametrize("field", ["mood", "choice", "What does the face show?"])
def test_the_choice_may_have_any_name(tmp_path: Path, field: str) -> None:
    address = "/data/upload/3/1a2b3c4d-face_7.png"
    result = {"from_name": field, "type": "choices", "value": {"choices": ["fear"]}}
    other = {"from_name": "light", "type": "choices", "value": {"choices": ["dark"]}}
    whole = [{"data": {"image": address}, "annotations": [{"result": [other, result]}]}]
    short = [
        {"image": address, field: "fear", "light": "dark", "id": 5, "annotator": 1, "created_at": "2024"}
    ]
    several = [{"image": address, field: {"choices": ["fear"]}, "light": "dark"}]
    for number, tasks in enumerate((whole, short, several)):
        path = written(tmp_path / f"{number}.json", tasks)
        assert answers(path) == [(address, ("fear",))]
        assert answers(path, "light") == [(address, ("dark",))]
        with pytest.raises(ValueError, match=r"has no field 'colour'; it has"):
            answers(path, "colour")


def test_two_fields_with_labels_are_asked_about(tmp_path: Path) -> None:
    tasks = [{"image": "a.png", "first": "fear", "second": "anger"}]
    with pytest.raises(ValueError, match=r"several fields that may be the label: first.*second.*--field"):
        answers(written(tmp_path / "x.json", tasks))
    assert answers(tmp_path / "x.json", "second") == [("a.png", ("anger",))]


def test_an_export_without_any_answer_is_an_error(tmp_path: Path) -> None:
    tasks = [{"data": {"image": "a.png"}, "annotations": []}, {"data": {"image": "b.png"}, "annotations": []}]
    with pytest.raises(ValueError, match="holds no label"):
        answers(written(tmp_path / "x.json", tasks))


@pytest.mark.parametrize(
    ("tasks", "reason"),
    [
        ({"a": 1}, "expected a list of tasks"),
        ([1], "expected a list of tasks"),
        ([{"data": {"text": "x"}}], "names no picture"),
        ([{"data": 3}], "names no picture"),
        (
            [{"data": {"locator": "a"}, "annotations": [annotation("fear", "anger")]}],
            "one choice was expected",
        ),
        (
            [{"data": {"locator": "a"}, "annotations": [{"result": [{"from_name": "expression"}]}]}],
            "can't find",
        ),
        ([{"data": {"locator": "a"}, "annotations": 5}], "can't find"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, tasks: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        answers(written(tmp_path / "x.json", tasks))


def test_classes_are_needed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no taxonomy"):
        export_label_studio(Manifest.from_rows([{"image": "a"}], tmp_path), tmp_path / "out")
