"""Writing the metrics file: every line is readable at once, and what a resumed run drops is said."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from halfsmile.runs.records import read_records
from halfsmile.training.record_writer import RecordWriter


def steps(path: Path) -> list[int]:
    return [line["step"] for line in read_records(path).lines]


def test_a_line_is_on_disk_when_write_returns(tmp_path: Path) -> None:
    with RecordWriter(tmp_path, start=0) as record:
        record.write(1, loss=0.5, epoch=0.1)
        (line,) = read_records(tmp_path / "metrics.jsonl").lines
        assert (line["step"], line["loss"], line["epoch"]) == (1, 0.5, 0.1)
        assert 0 <= line["seconds"] < 60


def text(*numbers: int) -> str:
    """Records of these steps."""
    return "".join(json.dumps({"step": n, "epoch": n / 2, "seconds": 100.0 * n}) + "\n" for n in numbers)


@pytest.mark.parametrize("rest", ['{"step": 3, "lo', '{"step": 3', "\x00\x00\x00"])
def test_a_last_line_cut_short_is_left_out_and_said(tmp_path: Path, rest: str) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(text(1, 2) + rest)
    with RecordWriter(tmp_path, start=2) as record:
        record.write(3, epoch=1.5, loss=1.0)
    assert record.notes == [f"{path}, line 3, the last one, was cut short and is left out."]
    assert steps(path) == [1, 2, 3]
    assert path.read_text().count("\n") == 3


def test_a_broken_line_elsewhere_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    broken = text(1) + '{"step": 2, "lo\n' + text(3, 4)
    path.write_text(broken)
    with pytest.raises(ValueError, match=r"metrics\.jsonl, line 2 is not valid JSON"):
        RecordWriter(tmp_path, start=4)
    assert path.read_text() == broken


def test_a_whole_last_line_without_its_line_break_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(text(1).rstrip())
    with RecordWriter(tmp_path, start=1) as record:
        record.write(2, epoch=1.0, loss=1.0)
    assert record.notes == []
    assert steps(path) == [1, 2]


def test_kept_lines_are_written_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with RecordWriter(tmp_path, start=0) as record:
        record.write(1, epoch=1 / 3, loss=0.1 + 0.2, accuracy=float("nan"))
    before = path.read_bytes()
    with RecordWriter(tmp_path, start=1):
        pass
    assert path.read_bytes() == before


def test_lines_after_the_checkpoint_are_dropped_and_said(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(text(2, 4, 4, 6, 8))
    with RecordWriter(tmp_path, start=4) as record:
        record.write(5, epoch=2.5, loss=1.0)
    assert steps(path) == [2, 4, 4, 5]
    assert record.notes == [f"{path}: 2 records after step 4 are dropped; those steps are trained again."]


def test_seconds_go_on_where_the_kept_lines_end(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(text(1, 2, 3))
    with RecordWriter(tmp_path, start=2) as record:
        assert 200 <= record.seconds < 260
        record.write(3, epoch=1.0, loss=1.0)
    assert 200 <= read_records(path).lines[-1]["seconds"] < 260


def test_a_new_start_begins_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text(text(1))
    with RecordWriter(tmp_path, start=0) as record:
        pass
    assert (tmp_path / "metrics.jsonl").read_text() == ""
    assert len(record.notes) == 1


def test_other_processes_write_nothing(tmp_path: Path) -> None:
    with RecordWriter(tmp_path / "stage", start=0, active=False, tensorboard=True) as record:
        record.write(1, epoch=1.0, loss=1.0)
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
    with RecordWriter(tmp_path, start=4, tensorboard=True) as record:
        record.write(5, epoch=1.0, loss=1.0)
    assert events == [(str(tmp_path / "tensorboard"), 5), ("epoch", 1.0, 5), ("loss", 1.0, 5), ("closed",)]


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "stage").write_text("in the way")
    with pytest.raises(OSError, match="stage"):
        RecordWriter(tmp_path / "stage", start=0)
