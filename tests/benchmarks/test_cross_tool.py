from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.cross_tool import ONE_THREAD, Options, Side, Tool, face_api_tool, fer_tool, run, sides

from halfsmile.utils.console import make_console
from halfsmile.utils.files import read_json

pytestmark = pytest.mark.skipif(shutil.which("taskset") is None, reason="no taskset on this system")

WORKER = """
import json, os, sys
job = json.load(open(sys.argv[1]))
open(job["options"]["log"], "a").write("run\\n")
if job["options"]["fails"]:
    sys.exit("this tool has no backend")
answer = {
    "job": job,
    "cores": len(os.sched_getaffinity(0)),
    "threads": os.environ["OMP_NUM_THREADS"],
}
json.dump(answer, open(sys.argv[2], "w"))
"""


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(data=tmp_path, demo=tmp_path, out=tmp_path / "out", core=min(os.sched_getaffinity(0)))


@pytest.fixture
def side(tmp_path: Path) -> Side:
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    (tmp_path / "picture").write_bytes(b"pixels")
    tool = Tool("tool", (sys.executable, str(script)), ("1.0",))
    return Side("tool", {"crops": "a tool"}, tool, {"log": str(tmp_path / "log"), "fails": False})


@pytest.fixture
def runs(tmp_path: Path) -> Callable[[], int]:
    log = tmp_path / "log"
    return lambda: len(log.read_text().splitlines()) if log.exists() else 0


def test_worker_runs_on_one_core_with_one_thread_and_gets_the_job(
    side: Side, options: Options, tmp_path: Path
) -> None:
    console = make_console(quiet=True)
    ((title, result),) = run("crops", [side], {"batch": 64}, [tmp_path / "picture"], options, console)
    assert title == "a tool"
    assert (result["cores"], result["threads"]) == (1, ONE_THREAD["OMP_NUM_THREADS"])
    assert result["job"]["task"] == "crops"
    assert result["job"]["batch"] == 64
    assert result["job"]["files"] == [str(tmp_path / "picture")]


def test_what_was_measured_is_measured_again_only_when_something_changed(
    side: Side, options: Options, tmp_path: Path, runs: Callable[[], int]
) -> None:
    console, picture = make_console(quiet=True), tmp_path / "picture"

    def again(side: Side, batch: int = 64) -> int:
        run("crops", [side], {"batch": batch}, [picture], options, console)
        return runs()

    assert (again(side), again(side)) == (1, 1)
    newer = replace(side, tool=replace(side.tool, stamp=("1.1",)))
    assert (again(newer), again(newer)) == (2, 2)
    assert again(newer, batch=8) == 3
    picture.write_bytes(b"others")
    assert again(newer, batch=8) == 4


def test_a_tool_that_fails_leaves_a_sentence_and_no_file(
    side: Side, options: Options, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = replace(side, name="broken", options={**side.options, "fails": True})
    results = run("crops", [broken, side], {}, [tmp_path / "picture"], options, make_console())
    assert results[0][1].startswith("failed")
    assert results[1][1]["cores"] == 1
    assert "this tool has no backend" in capsys.readouterr().out
    assert sorted(path.name for path in options.out.iterdir()) == ["tool-crops.json"]


def test_sides_do_only_their_tasks(side: Side, options: Options, runs: Callable[[], int]) -> None:
    assert run("photos", [side], {}, [], options, make_console(quiet=True)) == []
    assert runs() == 0


def test_tools_that_are_not_installed_say_how(options: Options, tmp_path: Path) -> None:
    for tool, how in (
        (fer_tool(None), "pip install fer"),
        (fer_tool(tmp_path), f"in {tmp_path}"),
        (face_api_tool(None), "npm install @vladmandic/face-api"),
        (face_api_tool(tmp_path), "package.json does not exist"),
    ):
        assert "not installed" in tool.missing
        assert how in tool.missing
    rows = sides(replace(options, model=tmp_path / "none.onnx"))
    assert all(row.tool.missing for row in rows)
    assert {row.tool.name for row in rows} == {"halfsmile", "fer", "face-api"}


def test_a_retrained_model_or_another_version_gives_another_stamp(options: Options, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    stamps = []
    for weights in (b"first", b"second"):
        model.write_bytes(weights)
        stamps.append(sides(replace(options, model=model))[0].tool.stamp)
    assert stamps[0] != stamps[1]
    package = tmp_path / "env" / "lib" / "python3.11" / "site-packages" / "fer-1.0.dist-info"
    package.mkdir(parents=True)
    python = tmp_path / "env" / "bin" / "python"
    python.parent.mkdir()
    python.touch()
    found = fer_tool(tmp_path / "env")
    assert not found.missing
    assert found.stamp == ("fer-1.0.dist-info",)


def test_every_row_has_files_of_its_own(options: Options, tmp_path: Path) -> None:
    names = [row.name for row in sides(replace(options, yunet=tmp_path / "yunet.onnx"))]
    assert len(set(names)) == len(names) == 6


def test_stored_results_say_what_they_depend_on(side: Side, options: Options, tmp_path: Path) -> None:
    run("crops", [side], {"batch": 2}, [tmp_path / "picture"], options, make_console(quiet=True))
    stored = read_json(options.out / "tool-crops.json")
    assert set(stored) == {"key", "result"}
    assert "1.0" in stored["key"]
