"""Records against a writer written from the format's description."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsmile.data.containers.recordio import MAGIC, open_records, read_payload, unpack

MARK = struct.pack("<I", MAGIC)
few = settings(max_examples=150, deadline=None)
pieces = st.lists(st.just(MARK) | st.binary(max_size=9), max_size=8).map(b"".join)


def reader(data: bytes) -> Any:
    return lambda offset, count: data[offset : offset + count]


@few
@given(st.lists(pieces, min_size=1, max_size=4))
def test_every_payload_comes_back_even_if_it_holds_the_magic_number(
    recordio: Any, payloads: list[bytes]
) -> None:
    data = b"".join(map(recordio.frame, payloads))
    assert len(data) % 4 == 0
    offset = 0
    for payload in payloads:
        found, offset = read_payload(reader(data), offset)
        assert found == payload
    assert offset == len(data)


def test_a_record_by_hand() -> None:
    data = bytes.fromhex("0a23d7ce 05000000 6162636465 000000")
    assert read_payload(reader(data), 0) == (b"abcde", 16)


def test_a_divided_record_by_hand() -> None:
    data = bytes.fromhex("0a23d7ce 04000020 61626364 0a23d7ce 00000040 0a23d7ce 01000060 65 000000")
    assert read_payload(reader(data), 0)[0] == b"abcd" + MARK + MARK + b"e"


def test_labels_stand_in_the_header_or_behind_it(recordio: Any) -> None:
    assert unpack(recordio.face(7.0, b"image")) == ((7.0,), b"image")
    assert unpack(recordio.face([7.0, 8.0, 9.0], b"image")) == ((7.0, 8.0, 9.0), b"image")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "cut short"),
        (MARK, "cut short"),
        (MARK + struct.pack("<I", 8) + b"1234", "cut short"),
        (b"JUNKJUNK", "no record begins"),
        (MARK + struct.pack("<I", 2 << 29), "out of order"),
        (MARK + struct.pack("<I", 1 << 29) + MARK + struct.pack("<I", 0), "out of order"),
        (MARK + struct.pack("<I", 1 << 29), "cut short"),
    ],
)
def test_damage_is_named(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_payload(reader(data), 0)


@pytest.mark.parametrize("payload", [b"short", struct.pack("<IfQQ", 2**31, 0, 0, 0) + b"image"])
def test_headers_that_promise_too_much_are_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r"of \d+ bytes"):
        unpack(payload)


@few
@given(st.lists(st.just(MARK) | st.binary(max_size=12) | st.integers(0, 2**32 - 1).map(
    lambda number: struct.pack("<I", number)), max_size=12).map(b"".join))  # fmt: skip
def test_arbitrary_bytes_give_an_image_or_a_value_error(data: bytes) -> None:
    for offset in range(0, len(data) + 4, 4):
        try:
            payload, end = read_payload(reader(data), offset)
            assert offset < end <= len(data) + 3
            unpack(payload)
        except ValueError:
            pass


def test_a_file_is_read_at_offsets(recordio: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    pictures = [b"first", MARK * 5, b""]
    offsets = recordio.write(path, {i: recordio.face(i, picture) for i, picture in enumerate(pictures)})
    assert [open_records(path).image(offset) for offset in offsets] == pictures
    with pytest.raises(ValueError, match="no record begins at byte 4"):
        open_records(path).image(4)
