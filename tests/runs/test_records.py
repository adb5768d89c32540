"""The metrics file: every line readable at once, cut lines tolerated, lines after the checkpoint dropped."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from halfsmile.runs.records import Record, read_metrics


def steps(path: Path) -> list[int]:
    return [line["step"] for line in read_metrics(path)]


def test_a_line_is_on_disk_when_write_returns(tmp_path: Path) -> None:
    with Record(tmp_path, start=0) as record:
        record.write(1, loss=0.5, epoch=0.1)
        (line,) = read_metrics(tmp_path / "metrics.jsonl")
        assert (line["step"], line["loss"], line["epoch"]) == (1, 0.5, 0.1)
        assert 0 <= line["seconds"] < 60


def test_no_file_has_no_lines(tmp_path: Path) -> None:
    assert read_metrics(tmp_path / "metrics.jsonl") == []


@pytest.mark.parametrize("rest", ['{"step": 3, "lo', '{"step": 3', "\x00\x00\x00"])
def test_a_last_line_cut_short_is_left_out(tmp_path: Path, rest: str) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "seconds": 1}\n{"step": 2, "seconds": 2}\n' + rest)
    assert steps(path) == [1, 2]
    with Record(tmp_path, start=2) as record:
        record.write(3, loss=1.0)
    assert steps(path) == [1, 2, 3]
    assert path.read_text().count("\n") == 3


def test_a_whole_last_line_without_its_line_break_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "seconds": 1}')
    with Record(tmp_path, start=1) as record:
        record.write(2, loss=1.0)
    assert steps(path) == [1, 2]


def test_lines_after_the_checkpoint_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps({"step": step, "seconds": step}) + "\n" for step in (2, 4, 4, 6)))
    with Record(tmp_path, start=4) as record:
        record.write(5, loss=1.0)
    assert steps(path) == [2, 4, 4, 5]


def test_seconds_go_on_where_the_kept_lines_end(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps({"step": step, "seconds": 100.0 * step}) + "\n" for step in (1, 2, 3)))
    with Record(tmp_path, start=2) as record:
        assert 200 <= record.seconds < 260
        record.write(3, loss=1.0)
    assert 200 <= read_metrics(path)[-1]["seconds"] < 260


def test_a_new_start_begins_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "seconds": 1}\n')
    with Record(tmp_path, start=0):
        pass
    assert (tmp_path / "metrics.jsonl").read_text() == ""


def test_other_processes_write_nothing(tmp_path: Path) -> None:
    with Record(tmp_path / "stage", start=0, active=False, tensorboard=True) as record:
        record.write(1, loss=1.0)
    assert not (tmp_path / "stage").exists()


def test_tensorboard_mirrors_and_purges_what_is_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[tuple[object, ...]] = []

    def writer(folder: str, purge_step: int) -> SimpleNamespace:
        events.append((folder, purge_step))
        return SimpleNamespace(
            add_scalar=lambda name, value, step: events.append((name, value, step)),
            close=lambda: events.append(("closed",)),
        )

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=writer))
    with Record(tmp_path, start=4, tensorboard=True) as record:
        record.write(5, loss=1.0)
    assert events == [(str(tmp_path / "tensorboard"), 5), ("loss", 1.0, 5), ("closed",)]


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "stage").write_text("in the way")
    with pytest.raises(OSError, match="stage"):
        Record(tmp_path / "stage", start=0)
