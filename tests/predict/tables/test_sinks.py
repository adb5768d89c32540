"""Tables: what is read back is what was written, whatever happens in between."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.predict.tables.test_columns import FACE

from halfsmile.predict.face import Face, NoFace
from halfsmile.predict.tables import sinks
from halfsmile.predict.tables.columns import column_names, flat_row
from halfsmile.predict.tables.sinks import Printer, Sink, open_sink

LABELS = ("calm", "joy")
SUFFIXES = (".csv", ".jsonl", ".parquet")


def sink(path: Path, **options: Any) -> Sink:
    return open_sink(path, LABELS, quality=["size"], **options)


def read(path: Path) -> list[dict[str, Any]]:
    """Rows of a table; what is unknown is left out."""
    if path.suffix == ".parquet":
        rows = pq.read_table(path).to_pylist()
    elif path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            rows = [{name: value or None for name, value in row.items()} for row in csv.DictReader(file)]
    else:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def sources(path: Path) -> list[str]:
    return [row["source"] for row in read(path)]


def picture(name: str, faces: int) -> list[Face | NoFace]:
    one = replace(FACE, source=name, frame=None, time=None, track=None)
    return [replace(one, score=i / 10) for i in range(faces)] or [NoFace(source=name)]


def write(path: Path, pictures: Sequence[tuple[str, int]], **options: Any) -> None:
    with sink(path, **options) as table:
        for name, faces in pictures:
            if name not in table.done:
                table.write(picture(name, faces))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_table_holds_all_that_was_written(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "new" / f"table{suffix}"
    results: list[Face | NoFace] = [
        FACE,
        replace(FACE, landmarks=None, uncertain=True),
        NoFace(source="b.jpg", reason="why, so"),
    ]
    with sink(path) as table:
        table.write(results)
    rows = read(path)
    for row, result in zip(rows, results, strict=True):
        wanted = result.to_dict() if suffix == ".jsonl" else flat_row(result)
        for name, value in wanted.items():
            found = row.get(name)
            if suffix == ".csv" and value is not None:
                assert found is not None
                found = (
                    {"true": True, "false": False}[found] if isinstance(value, bool) else type(value)(found)
                )
            if value is None or isinstance(value, str | bool | int):
                assert found == value
            elif isinstance(value, float):
                assert found == pytest.approx(value, abs=1e-4)
    assert [path.name] == [file.name for file in path.parent.iterdir()]
    if suffix == ".parquet":
        schema = pq.read_schema(path)
        assert schema.names == column_names(LABELS, ["size"])
        types = {name: str(schema.field(name).type) for name in ("source", "frame", "p_joy", "uncertain")}
        assert types == {"source": "string", "frame": "int64", "p_joy": "double", "uncertain": "bool"}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_rows_can_be_read_while_the_run_goes_on(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"table{suffix}"
    path.write_text("of an earlier run")
    with sink(path) as table:
        for count in range(1, 4):
            table.write(picture(f"{count}.jpg", 2))
            lines = table.partial.read_text().splitlines()
            assert len(lines) == 2 * count + (suffix != ".jsonl")
            assert f"{count}.jpg" in lines[-1]
        assert path.read_text() == "of an earlier run"
    assert len(read(path)) == 6


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(counts=st.lists(st.integers(0, 3), min_size=1, max_size=6), cut=st.integers(0, 4000))
def test_resuming_after_a_kill_at_any_byte_gives_the_same_table(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, counts: list[int], cut: int
) -> None:
    folder = tmp_path_factory.mktemp("kill")
    names = [(f'odd, "name"\n\ré{i}.jpg', count) for i, count in enumerate(counts)]
    write(folder / f"whole{suffix}", names)
    path = folder / f"killed{suffix}"
    table = sink(path)
    for name, faces in names:
        table.write(picture(name, faces))
    table.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    head = len(table.rows.head())
    with table.partial.open("r+b") as file:
        size = file.seek(0, 2)
        file.truncate(min(size, max(head, size - cut)))
    assert not path.exists()
    write(path, names, resume=True)
    assert read(path) == read(folder / f"whole{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_finished_table_is_gone_on_with(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"table{suffix}"
    write(path, [("a.jpg", 2), ("b.jpg", 0)])
    with sink(path, resume=True) as table:
        assert table.done == {"a.jpg", "b.jpg"}
        table.write(picture("c.jpg", 1))
    assert sources(path) == ["a.jpg", "a.jpg", "b.jpg", "c.jpg"]
    write(path, [("d.jpg", 1)])
    assert sources(path) == ["d.jpg"]  # without resume all is new


def give_up(table: Sink) -> None:
    with table:
        raise KeyboardInterrupt


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_finished_table_that_nothing_is_added_to_stays_alone(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"table{suffix}"
    write(path, [("a.jpg", 2)])
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        give_up(sink(path, resume=True))
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == before


def test_a_copy_of_a_finished_table_has_its_settings_from_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table.csv"
    with open_sink(path, LABELS, settings={"halfsmile": ["1"], "every": 1}) as table:
        table.write(picture("a.jpg", 1))

    def kill(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(sinks, "find_begun", kill)
        with pytest.raises(KeyboardInterrupt):
            open_sink(path, LABELS, settings={"halfsmile": ["1"], "every": 1}, resume=True)
    with pytest.raises(ValueError, match="every was 1, now 2"):
        open_sink(path, LABELS, settings={"halfsmile": ["1"], "every": 2}, resume=True)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_rows_of_another_model_are_not_mixed_in(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"table{suffix}"
    write(path, [("a.jpg", 1)])
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"can't be resumed: .*without --resume"):
        open_sink(path, ("anger", "joy"), quality=["size"], resume=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("resume", [False, True])
def test_a_second_run_does_not_touch_a_table_that_is_being_written(
    tmp_path: Path, suffix: str, resume: bool
) -> None:
    path = tmp_path / f"table{suffix}"
    write(path, [("old.jpg", 1)])
    with sink(path, resume=resume) as table:
        table.write(picture("a.jpg", 2))
        before = table.partial.read_bytes()
        with pytest.raises(ValueError, match=r"Another process is writing the table .*--out"):
            sink(path, resume=resume)
        assert table.partial.read_bytes() == before
        write(path.with_stem("other"), [("a.jpg", 1)])
        table.write(picture("b.jpg", 1))
    assert sources(path) == ["old.jpg"] * resume + ["a.jpg", "a.jpg", "b.jpg"]
    assert sorted(file.name for file in tmp_path.iterdir()) == [f"other{suffix}", path.name]
    write(path, [("c.jpg", 1)])


def test_a_table_that_can_not_be_begun_is_left_to_others(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("other,columns\n")
    with pytest.raises(ValueError, match="can't be resumed"):
        sink(path, resume=True)
    write(path, [("a.jpg", 1)])
    assert sources(path) == ["a.jpg"]
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_carriage_return_in_a_name_is_part_of_the_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"table{suffix}"
    write(path, [("a\rb.jpg", 1), ("c.jpg", 1)])
    assert sources(path) == ["a\rb.jpg", "c.jpg"]
    with sink(path, resume=True) as table:
        assert table.done == {"a\rb.jpg", "c.jpg"}


@pytest.mark.parametrize("name", ["table.csv", "table.partial.csv"])
def test_a_damaged_line_is_named_and_nothing_is_changed(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, [("a.jpg", 1), ("b.jpg", 1), ("c.jpg", 1)])
    damaged = (tmp_path / name).read_bytes().replace(b"b.jpg", b"b\r.jpg")
    (tmp_path / name).write_bytes(damaged)
    message = rf"{name} can't be resumed: line 3 is damaged \(new-line character seen [a-z ]*\)\. Mend"
    with pytest.raises(ValueError, match=message):
        sink(tmp_path / "table.csv", resume=True)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [(name, damaged)]


FULL_DISK = """
import resource, signal, sys
from halfsmile.predict.tables.sinks import open_sink
from tests.predict.tables.test_sinks import LABELS, picture
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    with open_sink(sys.argv[1], LABELS, quality=["size"]) as table:
        for i in range(1000):
            table.write(picture(f"{i}.jpg", 1))
except OSError as error:
    print(i, error)
"""


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_leaves_whole_rows(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"table{suffix}"
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, cwd=root
    )
    count, _, message = done.stdout.partition(" ")
    assert "--resume goes on from them" in message, done.stderr
    partial = next(tmp_path.iterdir())
    lines = partial.read_text().splitlines()[0 if suffix == ".jsonl" else 1 :]
    assert len(lines) == int(count) > 5
    names = [f"{i}.jpg" for i in range(int(count))]
    assert all(name in line for name, line in zip(names, lines, strict=True))
    write(path, [(f"{i}.jpg", 1) for i in range(12)], resume=True)
    assert sources(path) == [f"{i}.jpg" for i in range(max(12, int(count) - 1))]


def test_openface_numbers_the_faces_of_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    with open_sink(path, LABELS, table_format="openface") as table:
        table.write(picture("a.jpg", 3))
        table.write(picture("b.jpg", 0))
    rows = read(path)
    assert [row["face_id"] for row in rows] == ["0", "1", "2", "0"]
    assert [row["success"] for row in rows] == ["1", "1", "1", "0"]
    head = path.read_text().partition("\n")[0]
    assert head.startswith("frame,face_id,timestamp,confidence,success,x_0")


def test_places_that_no_table_can_be_written_to(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has the suffix '.xls'; a table is a file named .csv"):
        open_sink(tmp_path / "a.xls", LABELS)
    with pytest.raises(ValueError, match="no suffix"):
        open_sink(tmp_path / "a", LABELS)
    with pytest.raises(ValueError, match=r"named .csv\."):
        open_sink(tmp_path / "a.parquet", LABELS, table_format="openface")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ValueError, match="is a folder"):
        open_sink(tmp_path / "folder.csv", LABELS)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="can't be written"):
        open_sink(tmp_path / "file" / "a.csv", LABELS)
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 no table")
    with pytest.raises(ValueError, match="no Parquet file"):
        open_sink(tmp_path / "torn.parquet", LABELS, resume=True)


def test_without_a_table_people_get_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with Printer() as printer:
        printer.write([FACE, replace(FACE, track=None, time=None, uncertain=True), NoFace(source="[b].jpg")])
    assert capsys.readouterr().out.splitlines() == [
        "clip.mp4 0.28 s: person 3: joy 75%",
        "clip.mp4: joy 75%, uncertain",
        "[b].jpg: no face",
    ]
