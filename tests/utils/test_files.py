"""Files that appear whole or not at all."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsmile.utils.files import atomic_write, read_json, write_json

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def test_the_new_file_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.txt"
    for content in ("old", "new"):
        with atomic_write(path) as temporary:
            assert temporary.parent == path.parent
            assert temporary.suffix == path.suffix
            temporary.write_text(content)
        assert path.read_text() == content
    assert list(path.parent.iterdir()) == [path]


def test_any_name_that_the_disk_takes_is_written(tmp_path: Path) -> None:
    path = tmp_path / f"{'n' * 251}.txt"
    with atomic_write(path) as temporary:
        temporary.write_text("text")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_nobody_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with atomic_write(path) as temporary:
        temporary.write_text("half")
        assert path.read_text() == "old"


@pytest.mark.parametrize("existing", ["old", None])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_everything_as_it_was(
    tmp_path: Path, existing: str | None, error: type[BaseException]
) -> None:
    path = tmp_path / "file.txt"
    if existing is not None:
        path.write_text(existing)
    before = list(tmp_path.iterdir())
    with pytest.raises(error), atomic_write(path) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == before
    assert existing is None or path.read_text() == existing


def test_a_path_that_is_a_folder_is_an_error_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    (path / "kept").touch()
    with pytest.raises(OSError, match="folder"), atomic_write(path) as temporary:
        temporary.write_text("x")
    assert list(tmp_path.iterdir()) == [path]


@settings(max_examples=30)
@given(json_values)
def test_json_round_trip(value: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "value.json"
        write_json(path, value)
        assert read_json(path) == value


def test_json_that_can_not_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    write_json(path, {"old": 1})
    with pytest.raises(TypeError):
        write_json(path, {"new": object()})
    assert read_json(path) == {"old": 1}


@pytest.mark.parametrize("content", [None, b"", b"{half", b"\xff\xfe"])
def test_unreadable_json_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "value.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"value\.json"):
        read_json(path)
