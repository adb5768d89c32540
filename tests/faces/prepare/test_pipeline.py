"""From pictures, videos and data sets to a store; killed, resumed, with bad input."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from halfsmile.data.decode import decode
from halfsmile.data.preprocess import Image
from halfsmile.data.store.read import FaceStore, read, read_index
from halfsmile.data.store.verify import verify
from halfsmile.data.synthetic import generate, write_folders
from halfsmile.data.synthetic.folders import encode_png
from halfsmile.faces.align import template
from halfsmile.faces.prepare.pipeline import PrepareSummary, prepare
from halfsmile.faces.prepare.settings import Settings
from halfsmile.faces.upright import Upright
from halfsmile.faces.video.writer import write_video

MTCNN = Settings(detector="mtcnn")
ALIGNED = Settings(detector="aligned")
Scene = tuple[Image, Any]


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def quietly(sources: Sequence[Path], out: Path, settings: Settings, **options: Any) -> PrepareSummary:
    return prepare(sources, out, settings=settings, progress=False, **{"workers": 0} | options)


@pytest.fixture(scope="session")
def album(tmp_path_factory: pytest.TempPathFactory, scenes: list[Scene]) -> Path:
    """Nine photographs, one of them without a face, and bad files of every kind."""
    root = tmp_path_factory.mktemp("album")
    for index, (image, _) in enumerate(scenes):
        (root / f"foto {index} – 照片.png").write_bytes(encode_png(image))
    whole = encode_png(scenes[0][0])
    (root / "cut.png").write_bytes(whole[: len(whole) // 2])
    (root / "empty.jpg").write_bytes(b"")
    (root / "text.jpg").write_text("no picture")
    (root / "clip.mp4").write_text("no video")
    (root / "tiny.png").write_bytes(encode_png(np.zeros((1, 1, 3), np.uint8)))
    huge = bytearray(encode_png(np.zeros((4, 4, 3), np.uint8)))
    huge[16:24] = (30_000).to_bytes(4, "big") * 2
    (root / "huge.png").write_bytes(huge)
    with zipfile.ZipFile(root / "more.zip", "w") as archive:
        archive.writestr("in/1.png", whole)
        archive.writestr("../../climbs.png", whole)
        archive.writestr("/absolute.png", whole)
    return root


@pytest.fixture(scope="session")
def prepared(album: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PrepareSummary]:
    store = tmp_path_factory.mktemp("prepared") / "store"
    return store, quietly([album], store, MTCNN)


def test_faces_are_found_and_what_is_bad_is_listed(
    prepared: tuple[Path, PrepareSummary], album: Path, scenes: list[Scene]
) -> None:
    store, summary = prepared
    assert verify(store, pixels=True).ok
    table, _ = read_index(store)
    rows = table.to_pylist()
    per_source = {row["source"]: row for row in pq.read_table(store / "sources.parquet").to_pylist()}
    bad = {name.rpartition("/")[2]: reason for name, reason in summary.left_out.items()}
    assert set(bad) == {"cut.png", "empty.jpg", "text.jpg", "clip.mp4", "huge.png"}
    assert "30,000 × 30,000" in bad["huge.png"]
    assert {name: s["reason"] for name, s in per_source.items() if s["reason"]} == summary.left_out
    assert any("climbs out" in note for note in summary.notes)
    assert any("absolute" in note for note in summary.notes)
    assert not list(album.parent.rglob("climbs.png"))
    assert per_source[f"{album}/more.zip!in/1.png"]["faces"] == 2
    assert per_source[f"{album}/foto 8 – 照片.png"]["faces"] == 0
    assert summary.without_face == 2
    assert summary.faces == len(rows) == sum(source["faces"] for source in per_source.values())
    known = sum(len(points) for _, points in scenes)
    found = [row for row in rows if "foto" in row["source"]]
    assert len(found) >= 0.9 * known
    points = np.array([row["landmarks"] for row in found]).reshape(-1, 5, 2)
    assert np.abs(points - template()).mean() < 4
    assert all(0.3 < row["score"] <= 1 and 0 < row["quality_sharpness"] < 1 for row in found)
    assert all((row["width"], row["height"]) == (112, 112) for row in rows)


def test_processes_change_nothing(prepared: tuple[Path, PrepareSummary], album: Path, tmp_path: Path) -> None:
    quietly([album], tmp_path / "store", MTCNN, workers=2)
    assert files(tmp_path / "store") == files(prepared[0])


def test_a_finished_store_is_left_alone_or_added_to(
    prepared: tuple[Path, PrepareSummary], album: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    quietly([album / "foto 0 – 照片.png"], store, MTCNN)
    before = files(store)
    again = quietly([album / "foto 0 – 照片.png"], store, MTCNN)
    assert (again.sources, again.known_sources, again.new_faces) == (0, 1, 0)
    assert files(store) == before
    summary = quietly([album], store, MTCNN)
    assert (summary.known_sources, summary.faces) == (1, prepared[1].faces)
    assert verify(store).ok


def test_left_out_sources_can_be_tried_again(tmp_path: Path, scenes: list[Scene]) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "b.png").write_bytes(encode_png(scenes[0][0]))
    assert list(quietly([tmp_path], tmp_path / "store", MTCNN).left_out) == [f"{tmp_path}/a.png"]
    (tmp_path / "a.png").write_bytes(encode_png(scenes[1][0]))
    assert quietly([tmp_path], tmp_path / "store", MTCNN).new_faces == 0
    summary = quietly([tmp_path], tmp_path / "store", MTCNN, retry=True)
    assert summary.new_faces == 2
    assert not summary.left_out
    assert verify(tmp_path / "store").ok


def test_other_settings_and_other_folders_are_refused(album: Path, tmp_path: Path) -> None:
    quietly([album / "tiny.png"], tmp_path / "store", MTCNN)
    before = files(tmp_path / "store")
    with pytest.raises(ValueError, match=r"largest_only \(False / True\)"):
        quietly([album], tmp_path / "store", Settings(detector="mtcnn", largest_only=True))
    assert files(tmp_path / "store") == before
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "text.tex").write_text("precious")
    with pytest.raises(ValueError, match="no store"):
        quietly([album], tmp_path / "thesis", MTCNN)
    assert (tmp_path / "thesis" / "text.tex").read_text() == "precious"


def test_selection(album: Path, tmp_path: Path) -> None:
    photo = album / "foto 0 – 照片.png"
    one = quietly([photo], tmp_path / "largest", Settings(detector="mtcnn", largest_only=True))
    assert one.faces == 1
    assert one.dropped.total() == 1
    row = read_index(tmp_path / "largest")[0].to_pylist()[0]
    assert row["quality_size"] > 0.9, "the face of 150 pixels, not the one of 100"
    none = quietly([photo], tmp_path / "good", Settings(detector="mtcnn", min_quality=0.99))
    assert (none.faces, none.dropped["quality too low"]) == (0, 2)


def test_faces_on_their_head_or_side_are_stored_upright(tmp_path: Path) -> None:
    faces = generate(3, size=160, seed=3, people=3, first_person=700, difficulty=0.2)
    for quarters, face in zip((0, 1, 2), faces.images, strict=True):
        canvas = cv2.copyMakeBorder(face, 60, 60, 60, 60, cv2.BORDER_REPLICATE)
        (tmp_path / f"{quarters}.png").write_bytes(
            encode_png(np.ascontiguousarray(np.rot90(canvas, quarters)))
        )
    summary = quietly([tmp_path], tmp_path / "store", Settings(detector="yunet"))
    rows = read_index(tmp_path / "store")[0].to_pylist()
    assert [round(row["quality_roll"] / 90) % 4 for row in rows] == [0, 3, 2]
    crops = np.stack([decode(FaceStore(tmp_path / "store").read(row), "face") for row in range(3)])
    assert Upright().crops(crops).min() > 0.5
    assert summary.turned == 2
    console = Console(record=True, width=200)
    summary.render(console)
    assert "2 faces lay on a side or stood on their head" in console.export_text()


def test_a_labeled_set_keeps_bytes_and_labels(tmp_path: Path) -> None:
    """What training reads from the store is what it reads from the files."""
    faces = generate(40, size=48, seed=0, people=8)
    paths = write_folders(faces, tmp_path / "set", split="train")
    quietly([tmp_path / "set"], tmp_path / "store", ALIGNED)
    manifest, store = read(tmp_path / "store"), FaceStore(tmp_path / "store")
    by_source = dict(zip(read_index(tmp_path / "store")[0]["source"].to_pylist(), range(40), strict=True))
    for path, label in zip(paths, faces.labels, strict=True):
        row = by_source[str(path)]
        assert store.read(row) == path.read_bytes()
        assert manifest.column("label")[row] == faces.names[label]
    assert set(manifest.column("split")) == {"train"}
    assert manifest.table["box"].null_count == manifest.table["landmarks"].null_count == 40


def test_a_video_gives_tracks_and_times(tmp_path: Path) -> None:
    """Two people that move; every third frame is processed."""
    people = generate(2, size=120, seed=3, people=2, difficulty=0.5)
    video = tmp_path / "clip.mp4"
    with write_video(video) as write:
        for number in range(36):
            image = np.full((240, 480, 3), 128, np.uint8)
            image[60:180, 40 + 2 * number : 160 + 2 * number] = people.images[0]
            image[60:180, 320 - number : 440 - number] = people.images[1]
            write(image, number / 12)
    summary = quietly([video], tmp_path / "store", Settings(detector="mtcnn", every=3))
    rows = read_index(tmp_path / "store")[0].to_pylist()
    assert {row["track"] for row in rows} == {1, 2}
    assert sorted({row["frame"] for row in rows}) == list(range(0, 36, 3))
    assert all(row["time"] == pytest.approx(row["frame"] / 12, abs=0.01) for row in rows)
    assert all(row["video"] == row["source"] == str(video) for row in rows)
    assert summary.faces == len(rows) >= 22
    whole = video.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) // 2])
    assert list(quietly([cut], tmp_path / "store", Settings(detector="mtcnn", every=3)).left_out) == [
        str(cut)
    ]
    assert verify(tmp_path / "store").ok


def clip_of(path: Path, *, seed: int, large_first: bool) -> None:
    """Two people beside each other for two seconds, one nearer than the other."""
    people = generate(2, size=160, seed=seed, people=2, difficulty=0.5)
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_video(path) as write:
        for number in range(24):
            image = np.full((240, 480, 3), 128, np.uint8)
            image[40:200, 40:200] = people.images[0 if large_first else 1]
            image[60:156, 320:416] = cv2.resize(people.images[1 if large_first else 0], (96, 96))
            write(image, number / 12)


def test_faces_of_a_video_have_its_label(tmp_path: Path) -> None:
    """That of the largest face in each frame, whoever else is there."""
    clip_of(tmp_path / "clips/happy/S1_a.mp4", seed=3, large_first=True)
    clip_of(tmp_path / "clips/sad/S2_b.mp4", seed=4, large_first=False)
    settings = Settings(detector="yunet", every=4)
    summary = quietly([tmp_path / "clips"], tmp_path / "store", settings, names="{person}_*")
    rows = read_index(tmp_path / "store")[0].to_pylist()
    assert summary.has_videos
    assert [(row["label"], row["person"]) for row in rows] == [("happy", "S1")] * 6 + [("sad", "S2")] * 6
    assert [row["frame"] for row in rows] == [*range(0, 24, 4)] * 2
    assert [row["video"] for row in rows] == [row["source"] for row in rows]
    assert any("said of the largest face in each of its frames" in note for note in summary.notes)
    assert quietly([tmp_path / "clips"], tmp_path / "store", settings, names="{person}_*").new_faces == 0


def test_a_part_of_a_video_has_the_label_of_its_row(tmp_path: Path) -> None:
    clip_of(tmp_path / "clips/a.mp4", seed=3, large_first=True)
    lines = ["video,start,end,emotion", "a.mp4,0.0,0.5,neutral", "a.mp4,0.5,1.5,happy", "a.mp4,5.5,6.5,sad"]
    (tmp_path / "clips/list.csv").write_text("\n".join(lines))
    summary = quietly([tmp_path / "clips"], tmp_path / "store", Settings(detector="yunet", every=3))
    rows = read_index(tmp_path / "store")[0].to_pylist()
    said = {row["frame"]: row["label"] for row in rows}
    assert said == {0: "neutral", 3: "neutral", 6: "happy", 9: "happy", 12: "happy", 15: "happy"}
    assert {row["video"] for row in rows} == {f"{tmp_path}/clips/a.mp4"}
    assert [row["time"] for row in rows] == pytest.approx([row["frame"] / 12 for row in rows], abs=0.01)
    assert (summary.sources, summary.has_videos) == (3, True)
    assert list(summary.left_out) == [f"{tmp_path}/clips/a.mp4#t=5.5,6.5"]
    assert "ends before 5.5 s" in summary.left_out[f"{tmp_path}/clips/a.mp4#t=5.5,6.5"]


def test_a_short_part_of_a_video_keeps_its_first_frame(tmp_path: Path) -> None:
    """Frames come every 1/12 s, and every sixth is looked at."""
    clip_of(tmp_path / "clips/a.mp4", seed=3, large_first=True)
    parts = [(0.5, 1.0), (0.55, 0.72), (1.3, 1.34), (1.01, 1.05), (1.9, 2.5), (7, 8)]
    rows = [f"a.mp4,{start},{end},{label}" for (start, end), label in zip(parts, "uvwxyz", strict=True)]
    (tmp_path / "clips/list.csv").write_text("\n".join(["video,start,end,label", *rows]))
    settings = Settings(detector="yunet", every=6)
    summary = quietly([tmp_path / "clips"], tmp_path / "store", settings)
    found = read_index(tmp_path / "store")[0].to_pylist()
    assert [(row["label"], row["frame"]) for row in found] == [("u", 6), ("v", 7), ("w", 16), ("y", 23)]
    assert [row["time"] for row in found] == pytest.approx([row["frame"] / 12 for row in found], abs=0.01)
    reasons = {name.rpartition("=")[2]: reason for name, reason in summary.left_out.items()}
    assert reasons.keys() == {"1.01,1.05", "7,8"}
    assert "no frame lies between 1.01 and 1.05 s, the next one at 1.083 s" in reasons["1.01,1.05"]
    assert reasons["7,8"].endswith("it ends before 7 s")
    quietly([tmp_path / "clips"], tmp_path / "two", settings, workers=2)
    assert files(tmp_path / "two") == files(tmp_path / "store")


def test_what_was_said_of_stored_faces_is_not_changed_in_silence(tmp_path: Path) -> None:
    for number, image in enumerate(generate(3, size=48, seed=0, people=3).images):
        (tmp_path / f"{number}.png").write_bytes(encode_png(image))
    table = tmp_path / "list.csv"
    table.write_text("image,label\n0.png,happy\n1.png,sad\n")
    quietly([table], tmp_path / "store", ALIGNED)
    before = files(tmp_path / "store")
    table.write_text("image,label\n0.png,sad\n1.png,happy\n")
    with pytest.raises(ValueError, match=r"now of 2 of its sources, first .*0\.png \(label happy / sad\)"):
        quietly([table], tmp_path / "store", ALIGNED)
    assert files(tmp_path / "store") == before
    table.write_text("image,label\n0.png,happy\n2.png,sad\n")
    summary = quietly([table], tmp_path / "store", ALIGNED)
    assert (summary.new_faces, summary.faces) == (1, 3)
    assert any("1 sources of" in note and "1.png; their faces stay" in note for note in summary.notes)


def test_given_boxes_are_cut_out(tmp_path: Path, scenes: list[Scene]) -> None:
    (tmp_path / "two.png").write_bytes(encode_png(scenes[0][0]))
    lines = [
        "image,label,eye_l_x,eye_l_y,eye_r_x,eye_r_y,nose_x,nose_y,mouth_l_x,mouth_l_y,mouth_r_x,mouth_r_y"
    ]
    lines += [",".join(["two.png", "fear", *map(str, points.ravel())]) for points in scenes[0][1]]
    (tmp_path / "faces.csv").write_text("\n".join([*lines, "two.png,anger" + "," * 10]))
    summary = quietly([tmp_path / "faces.csv"], tmp_path / "store", Settings(detector="given"))
    rows = read_index(tmp_path / "store")[0].to_pylist()
    assert [row["label"] for row in rows] == ["fear", "fear"]
    assert all(row["score"] is None for row in rows)
    assert np.abs(np.reshape([row["landmarks"] for row in rows], (2, 5, 2)) - template()).mean() < 3
    assert ["neither a box nor landmarks" in reason for reason in summary.left_out.values()] == [True]


def test_given_boxes_of_other_pictures_are_no_faces(tmp_path: Path, scenes: list[Scene]) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(encode_png(scenes[0][0]))
    lines = ["image,label,x0,y0,x1,y1", "a.png,fear,10,10,60,60", "b.png,anger,9000,9000,9100,9100"]
    (tmp_path / "faces.csv").write_text("\n".join(lines))
    summary = quietly([tmp_path / "faces.csv"], tmp_path / "store", Settings(detector="given"))
    assert summary.faces == 1
    assert ["do the boxes belong" in reason for reason in summary.left_out.values()] == [True]


def test_a_picture_that_kills_its_process_costs_only_itself(tmp_path: Path) -> None:
    """A worker that dies, as of a fault in a decoder, is told from the others of its group."""
    for index, image in enumerate(generate(20, size=32, seed=0, people=3).images):
        (tmp_path / "faces" / f"{index:02d}.png").parent.mkdir(exist_ok=True)
        (tmp_path / "faces" / f"{index:02d}.png").write_bytes(encode_png(image))
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "import halfsmile.faces.prepare.face as face\n"
        "real = face.decode\n"
        "def deadly(data, name):\n"
        "    if name == '05.png': os.kill(os.getpid(), signal.SIGSEGV)\n"
        "    if name == '07.png': raise ZeroDivisionError('a mistake')\n"
        "    return real(data, name)\n"
        "face.decode = deadly\n"
        "if __name__ == '__main__':\n"
        "    from halfsmile.faces.prepare.pipeline import prepare\n"
        "    from halfsmile.faces.prepare.settings import Settings\n"
        "    settings = Settings(detector='aligned')\n"
        "    summary = prepare([sys.argv[1]], Path(sys.argv[2]), settings=settings, workers=1)\n"
        "    print(summary.faces, summary.left_out)\n"
    )
    (tmp_path / "main.py").write_text(program)
    command = [sys.executable, "main.py", "faces", "store"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith("18 {'faces/05.png': 'its process ended (signal 11, SIGSEGV)'"), done.stderr
    assert "'faces/07.png': 'ZeroDivisionError: a mistake'" in done.stdout
    assert verify(tmp_path / "store").ok


def test_killed_three_times_the_store_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real kill -9, with two processes at work, while faces are written."""
    pool = [encode_png(image) for image in generate(50, size=64, seed=0, people=9).images]
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        for index in range(600):
            archive.writestr(f"{index:05d}.png", pool[index % 50] if index % 97 else b"damaged")
    program = (
        "import sys, functools\n"
        "from pathlib import Path\n"
        "import halfsmile.faces.prepare.pipeline as module\n"
        "module.StoreWriter = functools.partial(module.StoreWriter, commit_seconds=0.05)\n"
        "if __name__ == '__main__':\n"
        "    from halfsmile.faces.prepare.settings import Settings\n"
        "    settings = Settings(detector='aligned', size=112)\n"
        "    module.prepare(['faces.zip'], Path('store'), settings=settings, workers=2, shard_size=2**19,\n"
        "                   progress=False)\n"
    )
    (tmp_path / "main.py").write_text(program)
    parts = tmp_path / "store" / "parts"
    for more in (1, 1, 2):
        before = len(list(parts.glob("part-*")))
        process = subprocess.Popen([sys.executable, "main.py"], cwd=tmp_path)
        deadline = time.monotonic() + 60
        while len(list(parts.glob("part-*"))) < before + more and time.monotonic() < deadline:
            time.sleep(0.002)
        process.kill()
        assert process.wait() == -signal.SIGKILL, "it must not have been finished yet"
    assert not (tmp_path / "store" / "index.parquet").exists()
    monkeypatch.chdir(tmp_path)
    for store, workers in (("store", 2), ("unbroken", 0)):
        settings = Settings(detector="aligned", size=112)
        quietly([Path("faces.zip")], Path(store), settings, workers=workers, shard_size=2**19)
    assert files(tmp_path / "store") == files(tmp_path / "unbroken")
    assert len(list((tmp_path / "store").glob("*.tar"))) > 3
    assert len(FaceStore(tmp_path / "store")) == 600 - 7


def test_the_summary_is_for_people(prepared: tuple[Path, PrepareSummary]) -> None:
    console = Console(record=True, width=200)
    prepared[1].render(console)
    shown = console.export_text()
    assert "5 sources were left out" in shown
    assert "show no face" in shown
    assert f"holds {prepared[1].faces} faces" in shown


def test_lossless_faces_have_the_pixels_of_the_alignment(album: Path, tmp_path: Path) -> None:
    settings = Settings(detector="mtcnn", is_lossless=True, size=64, largest_only=True)
    quietly([album / "foto 1 – 照片.png"], tmp_path / "store", settings)
    data = FaceStore(tmp_path / "store").read(0)
    image = decode(data, "face")
    assert image.shape == (64, 64, 3)
    assert data == bytes(cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1])
