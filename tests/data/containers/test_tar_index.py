"""The tar index against Python's tarfile, and on bytes that are no archive."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsmile.data.containers.tar_index import BLOCK, TarMember, is_tar_header, tar_members

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
parts = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=60)
names = st.lists(parts, min_size=1, max_size=4).map("/".join)


def archive(files: list[tuple[str, bytes]], file_format: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=file_format) as tar:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def index(data: bytes) -> list[TarMember]:
    return list(tar_members(lambda offset, count: data[offset : offset + count], len(data)))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["gnu", "pax"]), st.lists(st.tuples(names, st.binary(max_size=1100)), max_size=4))
def test_names_and_contents_are_those_of_tarfile(kind: str, files: list[tuple[str, bytes]]) -> None:
    data = archive(files, FORMATS[kind])
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        expected = [(info.name, info.offset_data, info.size) for info in tar]
    found = index(data)
    assert [(m.name.removesuffix("/"), m.offset, m.size) for m in found] == [
        (name.removesuffix("/"), offset, size) for name, offset, size in expected
    ]
    for member, (_, content) in zip(found, files, strict=True):
        if not member.problem:
            assert data[member.offset : member.offset + member.size] == content


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_has_names_of_more_than_100_letters(kind: str) -> None:
    name = "a" * 90 + "/" + "b" * 60 + "/" + "c" * 90 + ".png"
    assert [m.name for m in index(archive([(name, b"x"), ("short", b"y")], FORMATS[kind]))] == [name, "short"]


def test_names_in_every_script() -> None:
    written = ["脸/微笑.png", "лицо.png", "وجه.png", "चेहरा.png", "🙂.png", "é.png"]
    for kind in FORMATS.values():
        assert [m.name for m in index(archive([(name, b"") for name in written], kind))] == written


def test_names_that_are_not_utf8_are_kept_as_latin1() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT, encoding="latin-1") as tar:
        tar.addfile(tarfile.TarInfo("höhe.png"))
    assert index(buffer.getvalue())[0].name == "höhe.png"


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (tarfile.SYMTYPE, "link"),
        (tarfile.LNKTYPE, "link"),
        (tarfile.DIRTYPE, "folder"),
        (tarfile.CHRTYPE, "device or unknown kind"),
        (tarfile.FIFOTYPE, "device or unknown kind"),
        (b"Z", "device or unknown kind"),
        (tarfile.GNUTYPE_SPARSE, "sparse file"),
    ],
)
def test_what_is_no_file_is_named(kind: bytes, problem: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo("a.png")
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)
        tar.addfile(tarfile.TarInfo("b.png"))
    found = [(m.name.strip("/"), m.problem) for m in index(buffer.getvalue())]
    assert found == [("a.png", problem), ("b.png", "")]


def test_sizes_beyond_eight_gibibytes() -> None:
    info = tarfile.TarInfo("huge")
    info.size = 9 << 30
    for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        (member,) = index(info.tobuf(kind))
        assert (member.size, member.problem) == (9 << 30, "cut short")


def test_cut_archives_keep_what_is_whole() -> None:
    data = archive([("a", b"1" * 600), ("b", b"2" * 600), ("c", b"3" * 600)])
    for length in range(0, len(data), 100):
        found = [m for m in index(data[:length]) if not m.problem]
        assert [m.name for m in found] == [
            n for n, end in (("a", 1112), ("b", 2648), ("c", 4184)) if length >= end
        ]


def test_damage_ends_the_index() -> None:
    data = bytearray(archive([("a", b"1"), ("b", b"2"), ("c", b"3")]))
    data[2 * BLOCK + 5] ^= 1
    found = index(bytes(data))
    assert [m.name for m in found] == ["a", f"at byte {2 * BLOCK}"]
    assert found[1].problem.startswith("damaged from here on")


def test_headers_are_known_by_their_checksum() -> None:
    header = tarfile.TarInfo("a").tobuf()
    assert is_tar_header(header)
    assert is_tar_header(bytes(BLOCK))
    assert not is_tar_header(header[:-1] + b"\1")
    assert not is_tar_header(b"PK\3\4" * 128)
    assert not is_tar_header(header[:100])


def header_of(name: bytes, size: bytes, kind: bytes) -> bytes:
    block = bytearray(name[:100].ljust(100, b"\0") + bytes(24) + size[:12].ljust(12, b"\0") + bytes(376))
    block[156:157] = kind or b"\0"
    block[148:156] = b"%06o\0 " % (sum(block) + 8 * 32)
    return bytes(block)


blocks = st.one_of(
    st.binary(min_size=BLOCK, max_size=BLOCK),
    st.builds(
        header_of,
        st.binary(max_size=100),
        st.binary(max_size=12) | st.integers(0, 2000).map(lambda size: b"%011o" % size),
        st.sampled_from([b"", b"0", b"1", b"5", b"L", b"K", b"x", b"g", b"S", b"7", b"\xff"]),
    ),
    st.sampled_from([b"27 path=a/b/c\n", b"9999 size=-1\n", b"14 size=99999\n", b"1 =\n", b"0 a=b\n"]).map(
        lambda record: record.ljust(BLOCK, b"\0")
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(blocks, max_size=6).map(b"".join), st.binary(max_size=40))
def test_arbitrary_bytes_end_without_an_error(data: bytes, tail: bytes) -> None:
    members: list[Any] = index(data + tail)
    assert len(members) <= len(data) // BLOCK + 1
    for member in members:
        member.name.encode()
        assert member.problem or member.offset + member.size <= len(data + tail)
