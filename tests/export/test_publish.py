"""Files appear all or none, and nobody else's files are touched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from halfsmile.export.publish import earlier_files, publish, require_place, unfinished
from halfsmile.export.result import INT8, ONNX, OPENVINO, TEMPORAL, files_of

LEAST = ["card.md", "gate.json", "latency.json", "model.onnx"]


def export(out: Path, models: tuple[str, ...] = (ONNX,), content: str = "new", **gate: Any) -> None:
    """Publish files as an export of these models would."""
    names = files_of(models)
    facts = {"files": {model: {} for model in models}, "written": names} | gate
    with unfinished(out) as scratch:
        for name in names:
            (scratch / name).parent.mkdir(exist_ok=True)
            (scratch / name).write_text(content)
        (scratch / "gate.json").write_text(json.dumps(facts))
        publish(scratch, out, names)


def there(out: Path) -> list[str]:
    return sorted(str(path.relative_to(out)) for path in out.rglob("*"))


def test_everything_is_moved_into_a_new_folder(tmp_path: Path) -> None:
    out = tmp_path / "some" / "where"
    require_place(out, files_of((ONNX,)))
    export(out, (ONNX, OPENVINO))
    assert there(out) == [
        "calibration.json",
        "card.md",
        "gate.json",
        "latency.json",
        "model.onnx",
        "openvino",
        "openvino/model.bin",
        "openvino/model.xml",
    ]


def test_what_is_not_made_again_goes_away_and_leaves_no_empty_folder(tmp_path: Path) -> None:
    export(tmp_path, (ONNX, INT8, OPENVINO, TEMPORAL), "old")
    (tmp_path / "notes.txt").write_text("mine")
    export(tmp_path)
    assert there(tmp_path) == ["calibration.json", *LEAST, "notes.txt"]
    assert (tmp_path / "model.onnx").read_text() == "new"


def test_somebody_elses_files_in_the_same_folder_stay(tmp_path: Path) -> None:
    (tmp_path / "openvino").mkdir()
    for name in ("temporal.onnx", "openvino/model.bin", "openvino/notes.txt"):
        (tmp_path / name).write_text("mine")
    export(tmp_path)
    export(tmp_path)
    for name in ("temporal.onnx", "openvino/model.bin", "openvino/notes.txt"):
        assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize("name", ["model.onnx", "card.md", "openvino/model.bin", "gate.json"])
def test_somebody_elses_file_of_a_name_to_be_written_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    before = there(tmp_path)
    names = files_of((ONNX, OPENVINO))
    with pytest.raises(ValueError, match=rf"holds {name}, which no export wrote.*--out"):
        require_place(tmp_path, names)
    with pytest.raises(ValueError, match="no export wrote"):
        export(tmp_path, (ONNX, OPENVINO))
    assert there(tmp_path) == before
    assert (tmp_path / name).read_text() == "mine"


def test_a_folder_in_the_place_of_a_file_is_refused_before_anything_moves(tmp_path: Path) -> None:
    export(tmp_path, content="old")
    (tmp_path / "card.md").unlink()
    (tmp_path / "card.md").mkdir()
    with pytest.raises(ValueError, match=r"card\.md"):
        export(tmp_path)
    assert (tmp_path / "model.onnx").read_text() == "old"
    (tmp_path / "card.md").rmdir()
    (tmp_path / "openvino").write_text("mine")
    with pytest.raises(ValueError, match="holds openvino, which"):
        export(tmp_path, (ONNX, OPENVINO))
    assert (tmp_path / "model.onnx").read_text() == "old"


def test_a_file_is_no_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "below" / "it"):
        with pytest.raises(ValueError, match=r"file is a file\. Give a folder"):
            require_place(out, files_of((ONNX,)))


def test_exports_before_gate_json_listed_all_files_are_known(tmp_path: Path) -> None:
    export(tmp_path, (ONNX, OPENVINO))
    gate: dict[str, dict[str, Any]] = {"files": {ONNX: {}, OPENVINO: {}}}
    (tmp_path / "gate.json").write_text(json.dumps(gate))
    (tmp_path / "calibration.json").unlink()  # they did not write it
    assert earlier_files(tmp_path) == set(files_of((ONNX, OPENVINO))) - {"calibration.json"}
    export(tmp_path)
    assert there(tmp_path) == ["calibration.json", *LEAST]


@pytest.mark.parametrize(
    "gate", ["", "[]", "{}", '{"files": []}', '{"files": {"a": 1}}', '{"written": ["a"]}']
)
def test_another_gate_json_lists_nothing(tmp_path: Path, gate: str) -> None:
    (tmp_path / "gate.json").write_text(gate)
    assert earlier_files(tmp_path) == frozenset()


def test_a_list_can_not_name_files_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    export(tmp_path / "out", written=[*files_of((ONNX,)), "../kept.txt", 7])
    export(tmp_path / "out")
    assert (tmp_path / "kept.txt").exists()


def test_what_a_killed_export_left_goes_away(tmp_path: Path) -> None:
    left = tmp_path / ".unfinished-left"
    left.mkdir()
    (left / "model.onnx").write_text("half")
    with unfinished(tmp_path) as scratch:
        assert not left.exists()
        assert scratch.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_two_do_not_export_into_one_folder_at_once(tmp_path: Path) -> None:
    with unfinished(tmp_path) as scratch:
        with pytest.raises(ValueError, match="Another process is writing an export into"):
            unfinished(tmp_path).__enter__()
        assert scratch.is_dir()


def test_a_failed_export_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with unfinished(tmp_path) as scratch:
            (scratch / "model.onnx").write_text("half")
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fail()
    assert list(tmp_path.iterdir()) == []
