"""RecordIO sets as InsightFace packs them: identities, header records, damage, many records."""

from __future__ import annotations

import struct
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsmile.data.decode import BadImageError, read_image
from halfsmile.data.readers.recordio import read

MAGIC = struct.pack("<I", 0xCED7230A)


def picture(value: int) -> bytes:
    return bytes(cv2.imencode(".png", np.full((4, 5 + value, 3), value, np.uint8))[1].tobytes())


def payloads(recordio: Any, people: list[int], *, headers: bool, as_array: bool = True) -> dict[int, bytes]:
    """One person after the other, ``people[i]`` pictures of person i; record 0 and the identities last."""
    records: dict[int, bytes] = {}
    ranges = []
    key = 1
    for person, count in enumerate(people):
        ranges.append((key, key + count))
        for _ in range(count):
            labels = [float(person), 1.0] if as_array else float(person)
            records[key] = recordio.face(labels, picture(key), key)
            key += 1
    end = key
    if headers:
        records[0] = recordio.face([float(end), float(end + len(people))])
        for first, last in ranges:
            records[key] = recordio.face([float(first), float(last)], b"", key)
            key += 1
    return records


@pytest.mark.parametrize("headers", [True, False])
@pytest.mark.parametrize("as_array", [True, False])
@pytest.mark.parametrize("has_index", [True, False])
def test_pictures_and_people(
    recordio: Any, tmp_path: Path, headers: bool, as_array: bool, has_index: bool
) -> None:
    people = [3, 1, 2]
    records = payloads(recordio, people, headers=headers, as_array=as_array)
    recordio.write(tmp_path / "train.rec", records)
    (tmp_path / "property").write_text("3,112,112")
    if not has_index:
        (tmp_path / "train.idx").unlink()
    manifest = read(tmp_path, progress=False)
    assert manifest.column("person") == ["0", "0", "0", "1", "2", "2"]
    for key, locator in enumerate(manifest.column("image"), start=1):
        expected = np.full((4, 5 + key, 3), key, np.uint8)
        assert np.array_equal(read_image(manifest.root, locator), expected)
    notes = [note for note in manifest.notes if "walking" not in note]
    assert notes == (["4 records of train.rec are headers without a picture."] if headers else [])
    assert manifest.fingerprint() == read(tmp_path / "train.rec", progress=False).fingerprint()


def test_identities_are_read_instead_of_the_pictures(recordio: Any, tmp_path: Path) -> None:
    records = payloads(recordio, [4, 4], headers=True)
    offsets = dict(zip(records, recordio.write(tmp_path / "a.rec", records), strict=True))
    data = bytearray((tmp_path / "a.rec").read_bytes())
    data[offsets[2] : offsets[3]] = bytes(offsets[3] - offsets[2])
    (tmp_path / "a.rec").write_bytes(data)
    manifest = read(tmp_path, progress=False)
    assert manifest.column("person") == ["0"] * 4 + ["1"] * 4
    with pytest.raises(BadImageError, match=rf"a\.rec@{offsets[2]}: no record begins"):
        read_image(tmp_path, manifest.column("image")[1])


@pytest.mark.parametrize("change", ["overlap", "gap", "label", "float"])
def test_identities_that_do_not_fit_are_not_trusted(recordio: Any, tmp_path: Path, change: str) -> None:
    records = payloads(recordio, [2, 3], headers=True)
    if change == "overlap":
        records[6] = recordio.face([1.0, 4.0], b"", 6)
    elif change == "gap":
        records[7] = recordio.face([3.0, 5.0], b"", 7)
    elif change == "label":
        records[2] = recordio.face([1.0, 1.0], picture(2), 2)
    else:
        records[0] = recordio.face([6.0, float(1 << 25)])
    recordio.write(tmp_path / "a.rec", records)
    expected = ["0", "1" if change == "label" else "0", "1", "1", "1"]
    assert read(tmp_path, progress=False).column("person") == expected


def test_the_order_of_the_file_counts_not_that_of_the_keys(recordio: Any, tmp_path: Path) -> None:
    records = payloads(recordio, [1, 1, 1], headers=False)
    shuffled = {key: records[key] for key in (3, 1, 2)}
    recordio.write(tmp_path / "a.rec", shuffled)
    assert read(tmp_path, progress=False).column("person") == ["2", "0", "1"]


def test_records_that_hold_the_magic_number(recordio: Any, tmp_path: Path) -> None:
    image = picture(9)
    image += bytes(-len(image) % 4) + MAGIC * 3 + b"tail"
    odd = recordio.face(0.0, b"", 1)[:4] + MAGIC + recordio.face(0.0, image, 1)[8:]
    recordio.write(tmp_path / "a.rec", {1: recordio.face(5.0, image, 1), 2: odd})
    manifest = read(tmp_path, progress=False)
    assert manifest.column("person")[0] == "5"
    assert len(manifest) == 2
    assert read_image(tmp_path, manifest.column("image")[0]).shape == (4, 14, 3)


def test_cut_files_keep_what_is_whole(recordio: Any, tmp_path: Path) -> None:
    records = payloads(recordio, [2, 2, 2], headers=False)
    offsets = recordio.write(tmp_path / "a.rec", records)
    data = (tmp_path / "a.rec").read_bytes()
    (tmp_path / "a.rec").write_bytes(data[: offsets[4] + 50])
    manifest = read(tmp_path, progress=False)
    assert manifest.column("person") == ["0", "0", "1", "1"]
    assert manifest.notes == ("2 records of a.rec are damaged or cut short and were left out.",)
    (tmp_path / "a.idx").unlink()
    assert read(tmp_path, progress=False).column("person") == ["0", "0", "1", "1"]


def test_another_file_s_index_is_refused(recordio: Any, tmp_path: Path) -> None:
    records = payloads(recordio, [3], headers=False)
    recordio.write(tmp_path / "a.rec", records)
    (tmp_path / "a.idx").write_text("1\t4\n2\t12\n3\t99999999\n")
    with pytest.raises(ValueError, match=r"3 records and none holds a picture.*Is a\.idx the index"):
        read(tmp_path, progress=False)


@pytest.mark.parametrize("text", ["", "1 2\n", "1\t2\t3\n", "a\tb\n", "1\t-5\n", "1\t\n", "\0\xff"])
def test_damaged_indexes_are_refused(recordio: Any, tmp_path: Path, text: str) -> None:
    recordio.write(tmp_path / "a.rec", {1: recordio.face(0.0, b"x")})
    (tmp_path / "a.idx").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=r"a\.idx is no index"):
        read(tmp_path, progress=False)


def test_labels_that_are_no_people_and_other_counts_of_people_are_noted(
    recordio: Any, tmp_path: Path
) -> None:
    recordio.write(
        tmp_path / "a.rec",
        {i: recordio.face(label, b"x") for i, label in enumerate([1.0, 0.5, float("nan"), 2.0])},
    )
    (tmp_path / "property").write_text("9,112,112")
    manifest = read(tmp_path, progress=False)
    assert manifest.column("person") == ["1", None, None, "2"]
    assert manifest.notes == (
        "2 labels are no whole numbers; these rows have no person.",
        "property names 9 people, the records have 2.",
    )


def test_folders_without_one_file_are_refused(recordio: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds 0 \.rec files"):
        read(tmp_path)
    for name in ("a", "b"):
        recordio.write(tmp_path / f"{name}.rec", {1: recordio.face(0.0, b"x")})
    with pytest.raises(ValueError, match=r"holds 2 \.rec files \['a\.rec', 'b\.rec'\]"):
        read(tmp_path)
    assert len(read(tmp_path / "b.rec")) == 1


def test_many_records_are_indexed_without_their_pictures(recordio: Any, tmp_path: Path) -> None:
    """A sparse file of 40 GB: whoever reads the pictures does not finish this test."""
    count, space = 20_000, 2_000_000
    head = recordio.frame(recordio.face(3.0, bytes(1000)))
    offsets = np.arange(count) * space
    with (tmp_path / "a.rec").open("wb") as file:
        for offset in (*offsets[:3], offsets[-1]):
            file.seek(int(offset))
            file.write(head)
    (tmp_path / "a.idx").write_text("".join(f"{i}\t{offset}\n" for i, offset in enumerate(offsets)))
    manifest = read(tmp_path, progress=False)
    assert manifest.column("image") == [f"a.rec@{offset}" for offset in (*offsets[:3], offsets[-1])]


junk = st.lists(
    st.binary(max_size=9) | st.just(MAGIC) | st.integers(0, 200).map(lambda n: struct.pack("<I", n)),
    max_size=30,
).map(b"".join)


@settings(max_examples=200, deadline=None)
@given(junk, st.none() | st.binary(max_size=30) | st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 200) | st.integers(0, 2**63 - 1)), max_size=6).map(
    lambda lines: "".join(f"{key}\t{offset}\n" for key, offset in lines).encode()))  # fmt: skip
def test_arbitrary_bytes_give_a_manifest_or_a_value_error(data: bytes, index: bytes | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.rec"
        path.write_bytes(data)
        if index is not None:
            path.with_suffix(".idx").write_bytes(index)
        with suppress(ValueError):
            manifest = read(path, progress=False)
            for locator in manifest.column("image"):
                with suppress(BadImageError):
                    read_image(manifest.root, locator)
