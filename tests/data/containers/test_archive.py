"""Archives read in place: what is whole comes back, what is hostile is refused and counted."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import stat
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsmile.data.containers import archive as module
from halfsmile.data.containers.archive import open_archive, split_locator

FILES = {"b/2.png": b"two" * 400, "a.png": b"one", "b/c/脸.png": b"\0" * 5, "empty": b""}


def tar_bytes(files: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zip_bytes(files: list[tuple[str, bytes]], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", compression) as archive:
        warnings.simplefilter("ignore", UserWarning)
        for name, content in files:
            archive.writestr(name, content)
    return buffer.getvalue()


WRITERS: dict[str, Callable[[list[tuple[str, bytes]]], bytes]] = {
    "zip": zip_bytes,
    "tar": tar_bytes,
    "tar.gz": lambda files: gzip.compress(tar_bytes(files)),
    "tar.bz2": lambda files: bz2.compress(tar_bytes(files)),
    "tar.xz": lambda files: lzma.compress(tar_bytes(files)),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_all_files_come_back_by_name(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "archive.bin"
    path.write_bytes(WRITERS[kind](list(FILES.items())))
    archive = open_archive(path)
    assert archive.names == tuple(sorted(FILES))
    assert archive.notes == ()
    assert {name: archive.read(name) for name in reversed(archive.names)} == FILES
    with pytest.raises(ValueError, match=r"archive\.bin has no member 'none'"):
        archive.read("none")


@pytest.mark.parametrize("kind", WRITERS)
def test_a_leading_dot_is_taken_off(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(WRITERS[kind]([("./a/./b.png", b"x")]))
    assert open_archive(path).names == ("a/b.png",)
    assert open_archive(path).read("a/b.png") == b"x"


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../up.png", "climbs out"),
        ("a/../../up.png", "climbs out"),
        ("..\\up.png", "climbs out"),
        ("/etc/passwd", "absolute"),
        ("\\\\server\\x", "absolute"),
        ("C:/x.png", "absolute"),
        ("C:\\x.png", "absolute"),
        ("./.", "no usable name"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, kind: str, name: str, reason: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(WRITERS[kind]([(name, b"x"), ("good.png", b"y")]))
    archive = open_archive(path)
    assert archive.names == ("good.png",)
    (note,) = archive.notes
    assert note.startswith("1 members of a were refused")
    assert reason in note


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_of_equal_names_the_last_counts(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(WRITERS[kind]([("x", b"1"), ("y", b"2"), ("./x", b"3"), ("x", b"4")]))
    archive = open_archive(path)
    assert archive.names == ("x", "y")
    assert archive.read("x") == b"4"
    assert archive.notes[0].startswith("2 members of a were replaced by later ones")


def test_links_in_archives_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, kind in (("link.png", tarfile.SYMTYPE), ("hard.png", tarfile.LNKTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        entry = zipfile.ZipInfo("link.png")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    for path, count in ((tmp_path / "a.tar", 2), (tmp_path / "a.zip", 1)):
        assert open_archive(path).names == ()
        assert open_archive(path).notes[0].startswith(f"{count} members of {path.name} were refused (link)")


def test_zip_bombs_are_refused_by_their_ratio(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zip_bytes([("bomb.png", bytes(1 << 22)), ("good.png", b"x")]))
    archive = open_archive(tmp_path / "a.zip")
    assert archive.names == ("good.png",)
    assert "more than 200 times its packed size" in archive.notes[0]


def test_a_member_that_lies_about_its_size_gives_an_error_not_memory(tmp_path: Path) -> None:
    data = bytearray(zip_bytes([("bomb.png", bytes(1 << 22))]))
    size = (1 << 22).to_bytes(4, "little")
    assert data.count(size) == 2
    (tmp_path / "a.zip").write_bytes(data.replace(size, (100).to_bytes(4, "little")))
    archive = open_archive(tmp_path / "a.zip")
    assert archive.names == ("bomb.png",)
    with pytest.raises(ValueError, match=r"bomb\.png' can't be read"):
        archive.read("bomb.png")


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_large_members_are_refused(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEMBER_LIMIT", 1000)
    (tmp_path / "a").write_bytes(WRITERS[kind](list(FILES.items())))
    archive = open_archive(tmp_path / "a")
    assert "b/2.png" not in archive.names
    assert "larger than" in archive.notes[0]


def test_a_compressed_tar_that_grows_too_much_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tgz").write_bytes(gzip.compress(tar_bytes([("x.png", bytes(1 << 23))])))
    with pytest.raises(ValueError, match="unpacks to more than"):
        open_archive(tmp_path / "a.tgz")


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    data = bytearray(zip_bytes([("x.png", b"1")]))
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    assert "(encrypted)" in open_archive(tmp_path / "a.zip").notes[0]


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_cut_tars_keep_what_is_whole(tmp_path: Path, kind: str) -> None:
    files = [(str(i), bytes((i * j * j + j) % 251 for j in range(3000))) for i in range(20)]
    data = WRITERS[kind](files)
    (tmp_path / "a").write_bytes(data[: len(data) * 2 // 3])
    archive = open_archive(tmp_path / "a")
    assert 5 < len(archive.names) < 20
    assert all(archive.read(name) == dict(files)[name] for name in archive.names)
    assert "cut short" in " ".join(archive.notes)


def test_a_replaced_archive_is_read_anew(tmp_path: Path) -> None:
    for content in (b"1", b"22"):
        (tmp_path / "a").write_bytes(tar_bytes([("x", content * 1000)]))
        assert open_archive(tmp_path / "a").read("x") == content * 1000


@pytest.mark.parametrize("data", [b"", b"no archive", b"PK\3\4", b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\0"])
def test_other_files_are_no_archives(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.zip (is not a readable zip or tar|can't be unpacked)"):
        open_archive(tmp_path / "a.zip")
    with pytest.raises(ValueError, match="none is not a readable"):
        open_archive(tmp_path / "none")


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["zip", "tar", "tar.gz"]),
    st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=6)), max_size=4),
    st.floats(0, 1),
)
def test_damaged_archives_give_value_errors_only(
    kind: str, changes: list[tuple[float, bytes]], end: float
) -> None:
    data = bytearray(WRITERS[kind](list(FILES.items())))
    for share, new in changes:
        at = int(share * len(data))
        data[at : at + len(new)] = new
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        path.write_bytes(data[: int(len(data) * max(end, 0.3))])
        try:
            archive = open_archive(path)
        except ValueError:
            return
        for name in archive.names:
            with contextlib.suppress(ValueError):
                archive.read(name)


@pytest.mark.parametrize(
    ("locator", "expected"),
    [
        ("a.zip!b.png", ("a.zip", "b.png")),
        ("f/A.ZIP!b/c.png", ("f/A.ZIP", "b/c.png")),
        ("a.tar!b!c.png", ("a.tar", "b!c.png")),
        ("a.tgz!b.zip!c.png", ("a.tgz", "b.zip!c.png")),
        ("a.tar.xz!b.png", ("a.tar.xz", "b.png")),
        ("b!c.png", None),
        ("a.zip", None),
        ("a.zip!", None),
    ],
)
def test_locators_are_divided_at_the_first_archive(locator: str, expected: tuple[str, str] | None) -> None:
    assert split_locator(locator) == expected
