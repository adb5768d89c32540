from __future__ import annotations

import os
import sys
import tarfile
import zipfile
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from tests.predict.conftest import film, scene, write_picture

from halfsmile.data.decode import read_bytes
from halfsmile.faces.sources import MediaSource, find_sources
from halfsmile.faces.video.writer import write_video


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "in"
    picture = write_picture(root / "b" / "one.png", scene([]))
    write_picture(root / "a.JPG.jpg", scene([]))
    write_picture(root / ".hidden" / "no.png", scene([]))
    with write_video(root / "b" / "clip.mp4") as write:
        for frame in film(lambda i: [], 3):
            write(frame.image, frame.time)
    with zipfile.ZipFile(root / "pack.zip", "w") as archive:
        archive.write(picture, "in/two.png")
        archive.writestr("in/readme.txt", "text")
        archive.writestr("in/film.mp4", b"film")
        archive.writestr("../evil.png", b"evil")
    with tarfile.open(root / "pack.tar.gz", "w:gz") as tar:
        tar.add(picture, "three.png")
    (root / "broken.zip").write_bytes(b"no archive")
    (root / "table.csv").write_text("a\n")
    return root


def read_bytes_of(source: MediaSource) -> bytes:
    return read_bytes(source.root, source.locator) if source.kind == "picture" else b""


def kinds(names: list[str | Path]) -> list[tuple[str, str]]:
    return [(source.kind, source.name) for source in find_sources(names).items]


def test_a_folder_gives_everything_below_it_in_the_order_of_names(tree: Path) -> None:
    found = find_sources([tree])
    assert [(source.kind, source.name.removeprefix(f"{tree}/")) for source in found.items] == [
        ("picture", "a.JPG.jpg"),
        ("video", "b/clip.mp4"),
        ("picture", "b/one.png"),
        ("picture", "pack.tar.gz!three.png"),
        ("picture", "pack.zip!in/two.png"),
    ]
    for source in found.items:
        if source.kind == "picture":
            assert source.read().shape == (120, 200, 3)
    ignored = {name.removeprefix(f"{tree}/"): reason for name, reason in found.ignored}
    assert set(ignored) == {"broken.zip", "table.csv", "pack.zip!in/readme.txt", "pack.zip!in/film.mp4"}
    assert "not a readable zip" in ignored["broken.zip"]
    assert "unpack it" in ignored["pack.zip!in/film.mp4"]
    assert any("climbs out" in note for note in found.notes)


def test_what_is_named_twice_is_processed_once(tree: Path) -> None:
    one = str(tree / "b" / "one.png")
    assert kinds([one, tree / "b", one]) == [("picture", one), ("video", str(tree / "b" / "clip.mp4"))]


def test_other_names_of_the_same_things_are_not_processed_again(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree.parent)
    once = find_sources(["in"])
    again = find_sources(["in", tree, "in/b/../../in", "./in/pack.zip", "in/b/*"])
    assert again == once
    assert all(source.name.startswith("in/") for source in once.items)


def test_patterns_follow_glob(tree: Path) -> None:
    assert kinds([f"{tree}/**/*.png"]) == [("picture", str(tree / "b" / "one.png"))]
    assert [kind for kind, _ in kinds([f"{tree}/b/*"])] == ["video", "picture"]
    with pytest.raises(ValueError, match="No file matches"):
        find_sources([f"{tree}/*.nothing"])


def test_content_decides_where_the_suffix_says_nothing(tree: Path) -> None:
    for file, kind in (("b/one.png", "picture"), ("b/clip.mp4", "video")):
        for name in ("bare", "odd.dat"):
            path = tree.parent / kind / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes((tree / file).read_bytes())
            assert kinds([path]) == [(kind, str(path))]
    source = find_sources([tree.parent / "picture" / "bare"]).items[0]
    assert source.read().shape == (120, 200, 3)


def test_content_decides_in_folders_too(tree: Path) -> None:
    png = (tree / "b" / "one.png").read_bytes()
    names = {"noname": png, "one.jpg_large": png, "film.dat": (tree / "b" / "clip.mp4").read_bytes()}
    names |= {"wrong.mp4": png, "wrong.png": names["film.dat"], "BM.txt": b"BMW and other cars, a text"}
    for name, data in names.items():
        (tree / "c" / name).parent.mkdir(exist_ok=True)
        (tree / "c" / name).write_bytes(data)
    found = find_sources([tree / "c"])
    assert {Path(source.name).name: source.kind for source in found.items} == {
        "noname": "picture",
        "one.jpg_large": "picture",
        "film.dat": "video",
        "wrong.mp4": "picture",
        "wrong.png": "video",
    }
    assert [Path(name).name for name, _ in found.ignored] == ["BM.txt"]
    one_by_one = find_sources(sorted((tree / "c").iterdir()))
    assert [(s.kind, s.name) for s in one_by_one.items] == [(s.kind, s.name) for s in found.items]


def test_raw_files_of_cameras_say_what_to_do(tree: Path) -> None:
    """They begin as a TIFF does, and hold a small preview."""
    preview = cv2.imencode(".tiff", np.zeros((12, 16, 3), np.uint8))[1].tobytes()
    for name in ("a.DNG", "b.cr2"):
        (tree / "c" / name).parent.mkdir(exist_ok=True)
        (tree / "c" / name).write_bytes(preview)
    (tree / "c" / "scan.tif").write_bytes(preview)
    found = find_sources([tree / "c"])
    assert [Path(source.name).name for source in found.items] == ["scan.tif"]
    assert all("develop it to JPEG or TIFF first" in reason for _, reason in found.ignored)
    with pytest.raises(ValueError, match="develop it to JPEG or TIFF first"):
        find_sources([tree / "c" / "a.DNG"])


def test_heic_and_avif_are_pictures_that_say_why_they_are_not_read(tree: Path) -> None:
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99)
    for name in ("IMG_1.HEIC", "b/two.avif", ".hidden.heic"):
        (tree / name).write_bytes(heic)
    with zipfile.ZipFile(tree / "phone.zip", "w") as archive:
        archive.writestr("IMG_2.heic", heic)
    bare = tree.parent / "bare"
    bare.write_bytes(heic)
    found = [source for source in find_sources([tree, bare]).items if b"ftyp" in read_bytes_of(source)]
    assert [source.kind for source in found] == ["picture"] * 4
    assert [source.name.removeprefix(f"{tree.parent}/") for source in found] == [
        "in/IMG_1.HEIC",
        "in/b/two.avif",
        "in/phone.zip!IMG_2.heic",
        "bare",
    ]
    for source in found:
        with pytest.raises(
            ValueError, match=r"HEIC and AVIF pictures need pillow-heif|HEIC or AVIF picture is damaged"
        ):
            source.read()
    assert kinds([tree / "IMG_1.HEIC"]) == [("picture", str(tree / "IMG_1.HEIC"))]


def test_cameras_and_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    camera, stream = find_sources(["0", "rtsp://me:secret@cam.local:554/live?x=1"]).items
    assert (camera.kind, camera.video, camera.is_live) == ("camera", 0, True)
    assert (stream.kind, stream.is_live) == ("stream", True)
    assert stream.video == "rtsp://me:secret@cam.local:554/live?x=1"
    assert stream.name == "rtsp://cam.local:554/live?x=1"  # what tables and messages show
    assert "secret" not in str(stream.place)
    for address in (
        "rtsp://me:s@ecret@cam.local/live",
        "http://cam.local/live?User=me&password=ecret&channel=2",
    ):
        (source,) = find_sources([address]).items
        assert source.video == address
        assert "ecret" not in source.name + str(source.place)
        assert "cam.local/live" in source.name
    assert source.name.endswith("&channel=2")
    assert "/" not in stream.place.name
    write_picture(tmp_path / "7.png", scene([])).rename(tmp_path / "7")
    assert kinds(["7"]) == [("picture", "7")]  # a file of that name comes first


@pytest.mark.skipif(sys.platform == "darwin", reason="file names are Unicode there")
@pytest.mark.parametrize("by_pattern", [True, False])
def test_names_that_are_not_utf8_are_left_out(tmp_path: Path, by_pattern: bool) -> None:
    write_picture(tmp_path / "a.png", scene([]))
    strange = tmp_path / os.fsdecode(b"caf\xe9.png")
    write_picture(tmp_path / "b.png", scene([])).rename(strange)
    names = [tmp_path / "*.png"] if by_pattern else [tmp_path / "a.png", strange]
    found = find_sources(names)
    assert [source.name for source in found.items] == [str(tmp_path / "a.png")]
    ((name, reason),) = found.ignored
    assert "caf\\xe9" in name
    assert "not UTF-8" in reason


@pytest.mark.skipif(sys.platform == "darwin", reason="file names are Unicode there")
def test_folders_whose_names_are_not_utf8_are_left_out_too(tree: Path) -> None:
    strange = tree.parent / os.fsdecode(b"caf\xe9")
    tree.rename(strange)
    with pytest.raises(ValueError, match=r"no video in b'.*caf\\xe9'.*the name is not UTF-8") as caught:
        find_sources([strange])
    str(caught.value).encode("utf-8")  # as a terminal needs it
    with pytest.raises(ValueError, match=r"caf\\xe9/c\.png' does not exist"):
        find_sources([strange / "c.png"])


def test_that_an_archive_is_cut_short_is_said_where_nothing_is_left_of_it(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "whole.tar.gz", "w:gz") as tar:
        (tmp_path / "noise.png").write_bytes(os.urandom(99_999))
        tar.add(tmp_path / "noise.png", "noise.png")
    (tmp_path / "cut.tar.gz").write_bytes((tmp_path / "whole.tar.gz").read_bytes()[:66_666])
    with pytest.raises(
        ValueError, match=r"no video in .*cut\.tar\.gz\. cut\.tar\.gz is damaged: only its first"
    ):
        find_sources([tmp_path / "cut.tar.gz"])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "Name at least one"),
        (["missing.jpg"], "missing.jpg does not exist"),
        (["ftp://host/a.mp4"], "not ftp"),
        (["notes.txt"], "no picture and no video in notes.txt; ignored: 1 file, first notes.txt"),
        (["empty"], "no picture and no video in empty"),
        ([""], "A name is empty"),
        (["notes.txt", " "], "A name is empty"),
        (["-"], "the standard input is not read; save"),
        (
            ["file:///home/me/a%20b.jpg"],
            r"^file:///home/me/a%20b\.jpg: name the file itself.*/home/me/a b\.jpg$",
        ),
        (["/dev/video3"], "a camera is named by its number, 3"),
        (["20261130"], "20261130 does not exist, and cameras have numbers up to 99"),
        (["talk.m4a"], r"talk\.m4a \(there is no video stream, but audio"),
        (["list.m3u8"], r"list\.m3u8 \(a playlist, which only names films"),
        (
            ["data:image/png;base64," + 99 * "A"],
            "^data:image/png;base64,A{18}…: data: addresses",
        ),
        (
            ["https://me:word@[::1/a.jpg"],
            r"^https://\[::1/a.jpg is no address that can be read",
        ),
    ],
)
def test_mistakes_are_named(
    names: list[str | Path], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("notes")
    (tmp_path / "empty").mkdir()
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n")
    with av.open(str(tmp_path / "talk.m4a"), "w", format="mp4") as file:
        stream = file.add_stream("aac", rate=44_100)
        sound = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        sound.sample_rate = 44_100
        for packet in (*stream.encode(sound), *stream.encode(None)):
            file.mux(packet)
    with pytest.raises(ValueError, match=message):
        find_sources(names)


def test_files_that_are_left_out_are_named_for_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.psd").write_bytes(b"8BPS\0\1")
    (tmp_path / "b.svg").write_text("<svg/>")
    (tmp_path / "c.txt").write_text("notes")
    (tmp_path / "d").symlink_to(tmp_path / "e")
    (tmp_path / "e").symlink_to(tmp_path / "d")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "page.jpg").write_text("<html>")
    found = find_sources([tmp_path])
    assert [Path(source.name).name for source in found.items] == ["page.jpg"]
    assert {Path(name).name: reason for name, reason in found.ignored} == {
        "a.psd": ".psd: a Photoshop file; export it as JPEG or PNG",
        "b.svg": ".svg: an SVG drawing; export it as JPEG or PNG",
        "c.txt": ".txt: neither picture nor video",
        "d": "no suffix: a link that leads nowhere",
        "e": "no suffix: a link that leads nowhere",
        "pipe": "no suffix: not a regular file",
    }
    with pytest.raises(ValueError, match=r"ignored: 1 file, first .*b\.svg \(an SVG drawing; export it as"):
        find_sources([tmp_path / "b.svg"])
    with pytest.raises(ValueError, match=r"first .*pipe \(not a regular file\)"):
        find_sources([tmp_path / "pipe"])


def test_what_the_run_itself_writes_is_left_out(tree: Path) -> None:
    found = find_sources([tree], leave_out=[tree / "b"])
    assert all("/b/" not in source.name for source in found.items)
    assert len(found.items) == 3
    assert f"2 pictures and videos in {tree}/b left out: results are written there." in found.notes
    named = find_sources([tree / "b" / "one.png", tree], leave_out=[tree / "b"])
    assert Path(named.items[0].name).name == "one.png"
    assert len(named.items) == 4
    assert f"1 picture or video in {tree}/b left out: results are written there." in named.notes
    with pytest.raises(ValueError, match=r"no video in .*/\*/\*\. 2 pictures and videos in .*/b left out"):
        find_sources([tree / "*" / "*"], leave_out=[tree / "b"])


def test_what_is_named_is_processed_where_results_are_written_there_or_above(tree: Path) -> None:
    whole = find_sources([tree])
    for folder in (tree, tree.parent):
        assert find_sources([tree], leave_out=[folder]) == whole
    both = find_sources([tree / "b", tree.parent], leave_out=[tree])
    assert [Path(source.name).name for source in both.items] == ["clip.mp4", "one.png"]
    for name in (tree / "b", tree / "b" / "*", tree / ".." / "in" / "b"):
        assert len(find_sources([name], leave_out=[tree / "b", tree]).items) == 2
    link = tree.parent / "link"
    link.symlink_to(tree / "b")
    assert len(find_sources([link], leave_out=[tree / "b"]).items) == 2
