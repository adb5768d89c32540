"""Answers are on the disk before anybody is told, whatever ends the process."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from halfsmile.label.journal import DiskFullError, Journal, read_events


def test_events_come_back_in_order_and_any_tool_reads_them(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append([{"event": "answer", "face": 3}, {"event": "answer", "face": 1}])
    journal.append([{"event": "undo", "annotator": "Zoë"}])
    journal.close()
    lines = (tmp_path / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [1, 2, 3]
    assert [event.get("face") for event in read_events(journal.path)] == [3, 1, None]
    assert "Zoë" in lines[2]


def test_it_goes_on_where_it_ended(tmp_path: Path) -> None:
    for face in range(3):
        journal = Journal(tmp_path)
        journal.append([{"event": "answer", "face": face}])
        journal.close()
    assert [event["seq"] for event in read_events(journal.path)] == [1, 2, 3]


def test_a_last_line_that_was_cut_off_was_promised_to_nobody(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append([{"event": "answer", "face": 3}])
    journal.close()
    with journal.path.open("ab") as file:
        file.write(b'{"seq": 2, "event": "ans')
    assert [event["seq"] for event in read_events(journal.path)] == [1]
    journal = Journal(tmp_path)
    journal.append([{"event": "answer", "face": 4}])
    journal.close()
    assert [event["face"] for event in read_events(journal.path)] == [3, 4]


def test_damage_elsewhere_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl").write_text('{"seq": 1, "event": "a"}\nrubbish\n{"seq": 2, "event": "b"}\n')
    with pytest.raises(ValueError, match="line 2 is damaged"):
        Journal(tmp_path)
    (tmp_path / "answers.jsonl").unlink()
    Journal(tmp_path).close()  # the lock was given back


def test_a_full_disk_takes_nothing_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path)
    journal.append([{"event": "answer", "face": 1}])
    before = journal.path.read_bytes()

    def full(data: memoryview) -> int:
        os.write(journal._file.fileno(), data[:10])  # a part fits
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(journal, "_write", full)
        with pytest.raises(DiskFullError, match="could not be written"):
            journal.append([{"event": "answer", "face": 2}, {"event": "answer", "face": 3}])
        assert journal.path.read_bytes() == before
    journal.append([{"event": "answer", "face": 4}])
    journal.close()
    assert [(event["seq"], event["face"]) for event in read_events(journal.path)] == [(1, 1), (2, 4)]


def test_what_could_not_be_synced_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path)

    def fail() -> None:
        raise OSError(errno.EIO, "input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(journal, "_sync", fail)
        with pytest.raises(DiskFullError):
            journal.append([{"event": "answer"}])
    assert journal.path.read_bytes() == b""
    journal.close()


def test_one_process_writes(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    with pytest.raises(ValueError, match="Another process is writing the labels"):
        Journal(tmp_path)
    journal.close()
    Journal(tmp_path).close()


def test_a_folder_that_can_not_be_written_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    for name in ("lock", "open"):
        with monkeypatch.context() as patch:
            patch.setattr(f"halfsmile.label.journal.{name}", read_only, raising=False)
            with pytest.raises(ValueError, match=r"can't be kept in .* \(Read-only file system\): let this"):
                Journal(tmp_path)
    Journal(tmp_path).close()  # the lock was given back


def test_a_clock_that_jumps_back_changes_no_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import UTC, datetime

    from halfsmile.label import journal as module

    journal = Journal(tmp_path)
    for year in (2030, 1999, 2031):

        class Clock(datetime):
            now_is = datetime(year, 1, 1, tzinfo=UTC)

            @classmethod
            def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
                return cls.now_is

        monkeypatch.setattr(module, "datetime", Clock)
        journal.append([{"event": "answer", "face": year}])
    journal.close()
    assert [event["face"] for event in read_events(journal.path)] == [2030, 1999, 2031]


def test_kill_9_loses_no_answer_that_was_confirmed(tmp_path: Path) -> None:
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom halfsmile.label.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "for i in range(100):\n    journal.append([{'event': 'answer', 'face': i}])\n"
        "    print(i, flush=True)\n"
        "    if i == 20: os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True)
    told = [int(line) for line in done.stdout.split()]
    assert [event["face"] for event in read_events(tmp_path / "answers.jsonl")] == told == list(range(21))
