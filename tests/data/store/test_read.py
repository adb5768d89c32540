"""Reading a store: as a manifest, by row, and when it is damaged."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from halfsmile.data.decode import BadImageError, read_image
from halfsmile.data.images import load_faces
from halfsmile.data.manifest import Manifest
from halfsmile.data.samplers import ShuffledSampler
from halfsmile.data.store.read import FaceStore, is_store, read, read_index
from halfsmile.data.store.verify import verify
from halfsmile.data.store.write import StoredFace, StoreWriter
from halfsmile.taxonomy import RAFDB

COUNT = 150


def encoded(row: int) -> tuple[bytes, int, int]:
    """A picture of its own per row: odd sizes, gray and color, three formats."""
    rng = np.random.default_rng(row)
    height, width = 20 + row % 7, 20 + row % 5
    shape = (height, width) if row % 4 == 0 else (height, width, 3)
    pixels = cv2.blur(rng.integers(0, 256, shape, dtype=np.uint8), (5, 5))
    suffix = (".jpg", ".png", ".webp")[row % 3] if pixels.ndim == 3 else (".jpg", ".png")[row % 2]
    return bytes(cv2.imencode(suffix, pixels)[1]), width, height


def facts(row: int) -> dict[str, Any]:
    return {
        "label": RAFDB.labels[row % 7] if row % 3 else None,
        "votes": np.eye(7)[row % 7].tolist() if row % 5 else None,
        "split": ("train", "valid", "test", None)[row % 4],
        "person": f"p{row % 11}",
        "video": "clip" if row % 2 else None,
        "frame": row if row % 2 else None,
        "box": [1.0, 2.0, 15.0, 17.0] if row % 6 else None,
        "landmarks": [float(i) for i in range(10)] if row % 6 else None,
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store, and beside it the same faces as files with a manifest of their own."""
    base = tmp_path_factory.mktemp("made")
    (base / "files").mkdir()
    with StoreWriter(base / "store", taxonomy=RAFDB, shard_size=60_000) as writer:
        for source in range(COUNT // 5):
            rows = range(5 * source, 5 * source + 5)
            pictures = [encoded(row) for row in rows]
            writer.add(
                f"s{source}", [StoredFace(*p, **facts(r)) for p, r in zip(pictures, rows, strict=True)]
            )
    table = []
    for row in range(COUNT):
        data, _, _ = encoded(row)
        (base / "files" / f"{row}.img").write_bytes(data)
        table.append({"image": f"{row}.img", "sha256": hashlib.sha256(data).hexdigest(), **facts(row)})
    Manifest.from_rows(table, base / "files", RAFDB).save(base / "files.parquet")
    return base


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "store", tmp_path / "store"))


def test_a_store_is_the_manifest_of_its_files(made: Path) -> None:
    stored, plain = read(made / "store"), Manifest.load(made / "files.parquet")
    assert stored.taxonomy == RAFDB
    assert stored.table.drop_columns("image").equals(plain.table.drop_columns("image"))
    for ours, theirs in zip(stored.column("image"), plain.column("image"), strict=True):
        assert np.array_equal(read_image(stored.root, ours), read_image(plain.root, theirs))


def test_training_arrays_are_the_same_from_store_and_files(made: Path) -> None:
    loaded = [
        load_faces(m, size=24, channels=3)
        for m in (read(made / "store"), Manifest.load(made / "files.parquet"))
    ]
    for name in ("images", "boxes", "landmarks"):
        assert np.array_equal(getattr(loaded[0], name), getattr(loaded[1], name), equal_nan=name != "images")
    assert not loaded[0].bad


@pytest.mark.parametrize("threads", [1, 3])
def test_random_reads_give_the_rows_of_the_manifest(made: Path, threads: int) -> None:
    store, manifest = FaceStore(made / "store", threads=threads), read(made / "store")
    assert len(store) == COUNT
    assert [store.locator(row) for row in range(COUNT)] == manifest.column("image")
    faces = load_faces(manifest, size=16, channels=1).images
    sampler = ShuffledSampler(len(store), batch_size=100, seed=1)
    for step in range(3):
        images, bad = store.images(sampler(step), size=16, channels=1)
        assert np.array_equal(images, faces[sampler(step)])
        assert bad == ()
    assert store.read(7) == encoded(7)[0]


def test_the_index_is_complete(made: Path) -> None:
    table, _ = read_index(made / "store")
    assert table["width"].to_pylist() == [encoded(row)[1] for row in range(COUNT)]
    assert table["source"].to_pylist() == [f"s{row // 5}" for row in range(COUNT)]
    assert pq.read_table(made / "store" / "sources.parquet")["faces"].to_pylist() == [5] * (COUNT // 5)
    assert len(set(table["shard"].to_pylist())) > 2
    assert is_store(made / "store")
    assert not is_store(made / "files")


def test_a_whole_store_is_verified(made: Path) -> None:
    result = verify(made / "store", pixels=True)
    assert result.ok
    assert (result.faces, result.shards) == (COUNT, len(list((made / "store").glob("*.tar"))))


@pytest.mark.parametrize("damage", ["missing", "short"])
def test_damaged_shards_are_an_error_or_counted(copy: Path, damage: str) -> None:
    table, _ = read_index(copy, ["shard", "offset", "length"])
    numbers = table["shard"].to_numpy()
    shard = copy / "faces-00001.tar"
    inside = np.flatnonzero(numbers == 1)
    if damage == "missing":
        shard.unlink()
        lost = set(inside.tolist())
    else:
        cut = int(table["offset"][int(inside[10])].as_py()) + 1
        with shard.open("r+b") as file:
            file.truncate(cut)
        lost = set(inside[10:].tolist())
    found = r"faces-00001\.tar is (missing|cut short at \d+ bytes); " + f"{len(lost)} faces"
    for opener in (read, FaceStore):
        with pytest.raises(ValueError, match=found):
            opener(copy)
    manifest = read(copy, skip_damaged=True)
    assert len(manifest) == COUNT - len(lost)
    assert len(manifest.notes) == 1
    assert not load_faces(manifest, size=8, channels=1).bad
    result = verify(copy)
    assert {row for row, _, _ in result.bad} == lost
    assert result.problems


def test_an_index_of_another_store_is_noticed(copy: Path, tmp_path: Path) -> None:
    """The shards hold the same number of faces, of other lengths."""
    with StoreWriter(tmp_path / "other", taxonomy=RAFDB, shard_size=60_000) as writer:
        writer.add("s", (StoredFace(*encoded(row)) for row in reversed(range(COUNT))))
    shutil.copy(tmp_path / "other" / "index.parquet", copy / "index.parquet")
    for shard in copy.glob("*.tar"):  # so that the files' sizes do not tell
        shard.write_bytes(shard.read_bytes() + bytes(60_000))
    store = FaceStore(copy)
    _, bad = store.images(range(COUNT), size=8, channels=3)
    assert len(bad) > 0.9 * COUNT
    with pytest.raises(BadImageError, match=r"belongs to another shard|cut short"):
        store.read(bad[0][0])
    with pytest.raises(BadImageError, match=r"belongs to another shard|cut short"):
        read_image(copy, read(copy).column("image")[bad[0][0]])
    assert len(verify(copy).bad) > 0.9 * COUNT


def test_a_changed_byte_is_found(copy: Path) -> None:
    table, _ = read_index(copy)
    row = 3
    offset, length = (int(table[name][row].as_py()) for name in ("offset", "length"))
    with (copy / "faces-00000.tar").open("r+b") as file:
        file.seek(offset + length - 5)
        file.write(b"XXXXX")
    assert [(r, m) for r, m, _ in verify(copy).bad] == [(3, table["member"][3].as_py())]


def test_foreign_shards_and_bytes_are_found(copy: Path) -> None:
    shutil.copy(copy / "faces-00000.tar", copy / "faces-00077.tar")
    with (copy / "faces-00001.tar").open("ab") as file:
        file.write(bytes(512))
    problems = " ".join(verify(copy).problems)
    assert "faces-00077.tar is not in the index" in problems
    assert "faces-00001.tar has" in problems


@pytest.mark.parametrize("column", ["shard", "offset", "length"])
def test_hostile_numbers_in_the_index_are_refused(copy: Path, column: str) -> None:
    table = pq.read_table(copy / "index.parquet")
    values = table[column].to_pylist()
    values[5] = -1
    place = table.schema.get_field_index(column)
    kind = table.schema.field(column)
    pq.write_table(table.set_column(place, kind, pa.array(values, kind.type)), copy / "index.parquet")
    with pytest.raises(ValueError, match="negative"):
        FaceStore(copy)
    assert verify(copy).bad or verify(copy).problems


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a face store: it has no index"):
        read(tmp_path)
    (tmp_path / "index.parquet").write_text("no table")
    with pytest.raises(ValueError, match="not the index of a face store"):
        read(tmp_path)
    pq.write_table(pa.table({"member": ["a"]}), tmp_path / "index.parquet")
    with pytest.raises(ValueError, match="not the index of a face store"):
        read(tmp_path)
