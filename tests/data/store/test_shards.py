"""Shards: what is appended can be read by offset, and by tar."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsmile.data.store.shards import (
    END_MARK,
    LOCATOR,
    Position,
    Shard,
    ShardWriter,
    shard_name,
    shard_numbers,
)

contents = st.lists(st.binary(max_size=1500), min_size=1, max_size=12)


def write(root: Path, members: list[bytes], size: int, at: Position | None = None) -> list[tuple[int, int]]:
    writer = ShardWriter(root, shard_size=size, at=at or Position())
    places = [writer.append(f"{i}.bin", data) for i, data in enumerate(members)]
    writer.close()
    return places


@settings(max_examples=30, deadline=None)
@given(contents, st.integers(1, 6000))
def test_tar_and_offsets_give_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, members: list[bytes], size: int
) -> None:
    root = tmp_path_factory.mktemp("shards")
    places = write(root, members, size)
    by_offset = [
        Shard(root / shard_name(shard)).member(offset, len(data))
        for (shard, offset), data in zip(places, members, strict=True)
    ]
    by_tar = []
    for number in shard_numbers(root):
        with tarfile.open(root / shard_name(number), "r:") as archive:
            listed = archive.getmembers()
            by_tar += [(m.name, archive.extractfile(m).read()) for m in listed]  # type: ignore[union-attr]
        assert (root / shard_name(number)).stat().st_size <= size or len(listed) == 1
    assert by_offset == by_tar == [(f"{i}.bin", data) for i, data in enumerate(members)]


@settings(max_examples=30, deadline=None)
@given(contents, st.integers(1, 6000), st.data())
def test_going_back_leaves_no_trace(
    tmp_path_factory: pytest.TempPathFactory, members: list[bytes], size: int, data: st.DataObject
) -> None:
    kept = data.draw(st.integers(0, len(members)))
    plain, other = tmp_path_factory.mktemp("plain"), tmp_path_factory.mktemp("other")
    write(plain, members, size)
    writer = ShardWriter(other, shard_size=size, at=Position())
    for i in range(kept):
        writer.append(f"{i}.bin", members[i])
    place = writer.position
    for _ in range(5):
        writer.append("x.bin", bytes(1000))
    writer.rewind(place)
    for i in range(kept, len(members)):
        writer.append(f"{i}.bin", members[i])
    writer.close()
    assert files(other) == files(plain)


def files(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in root.iterdir()}


def test_a_shard_ends_with_two_empty_blocks(tmp_path: Path) -> None:
    write(tmp_path, [b"abc"], 10_000)
    data = (tmp_path / "faces-00000.tar").read_bytes()
    assert data[512:515] == b"abc"
    assert len(data) == 512 + 512 + len(END_MARK)
    assert data.endswith(END_MARK)


@pytest.mark.parametrize(
    ("offset", "length", "reason"),
    [(512, 4, "another shard"), (1024, 3, "another shard"), (512, 10**12, "cut short"), (0, 3, "cut short")],
)
def test_an_index_of_another_shard_is_noticed(tmp_path: Path, offset: int, length: int, reason: str) -> None:
    write(tmp_path, [b"abc", b"defgh"], 10_000)
    with pytest.raises(ValueError, match=reason):
        Shard(tmp_path / "faces-00000.tar").read(offset, length)


def test_writing_does_not_go_on_behind_a_shard_that_was_cut(tmp_path: Path) -> None:
    write(tmp_path, [b"abc", b"defgh"], 10_000)
    with pytest.raises(ValueError, match="cut short"):
        ShardWriter(tmp_path, shard_size=10_000, at=Position(0, 10 * 512))


def test_locators_are_told_from_file_names() -> None:
    match = LOCATOR.fullmatch("a b/faces-00001.tar#512+20")
    assert match is not None
    assert match.groupdict() == {"shard": "a b/faces-00001.tar", "offset": "512", "length": "20"}
    for name in ("faces.tar", "faces.tar#5", "fer2013.csv#12", "x.tar#1+2/a.png", "x.tar#-1+2"):
        assert LOCATOR.fullmatch(name) is None
