"""The engine behind the command, from paths to finished tables."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.predict.conftest import FramedSquares, brightness_model, film, scene, write_picture

from halfsmile.data.preprocess import Image
from halfsmile.faces.detect import Detection
from halfsmile.faces.video.frames import VideoFrame, frames, probe
from halfsmile.faces.video.writer import write_video
from halfsmile.predict import video as video_module
from halfsmile.predict.drawing.timeline import Timeline
from halfsmile.predict.predictor import Predictor
from halfsmile.predict.run import predict_run
from halfsmile.predict.summary import PredictSummary
from halfsmile.predict.tables.settings import settings_path
from halfsmile.utils.errors import StopRequestedError
from halfsmile.utils.files import read_json


def write_clip(path: Path, source: Sequence[VideoFrame]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_video(path) as write:
        for frame in source:
            write(frame.image, frame.time)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two faces in a, one in b (in an archive), none in c, d broken, a clip with one person, a text."""
    root = tmp_path / "in"
    write_picture(root / "a.png", scene([(20, 30, 32), (100, 30, 215)]))
    b = write_picture(tmp_path / "b.png", scene([(20, 30, 160)]))
    with zipfile.ZipFile(root / "pack.zip", "w") as archive:
        archive.write(b, "b.png")
    write_picture(root / "c.png", scene([]))
    (root / "d.png").write_bytes(b"broken")
    write_clip(root / "e.mp4", film(lambda i: [(20 + i, 30, 96)] if i < 10 else [], 20))
    (root / "f.txt").write_text("text")
    return root


def run(paths: Sequence[str | Path], model_file: Path, **options: Any) -> PredictSummary:
    options.setdefault("detector", FramedSquares())
    return predict_run(paths, model=model_file, progress=False, threads=1, **options)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def table_rows(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return found
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return list(rows(path))


def test_everything_that_is_named_ends_in_one_table(tree: Path, model_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "t.csv"
    summary = run([tree], model_file, out=out)
    found = [(row["source"].removeprefix(f"{tree}/"), row["expression"], row["frame"]) for row in rows(out)]
    assert found == [
        ("a.png", "dark", ""),
        ("a.png", "bright", ""),
        ("c.png", "", ""),
        ("d.png", "", ""),
        *(("e.mp4", "dim", str(i)) for i in range(10)),
        ("pack.zip!b.png", "light", ""),
    ]
    reasons = {Path(row["source"]).name: row["reason"] for row in rows(out) if row["reason"]}
    assert reasons["c.png"] == "no face"
    assert reasons["d.png"].startswith("damaged, cut short, or not an image")
    assert (summary.pictures, summary.videos, summary.frames, summary.people) == (3, 1, 20, 1)
    assert summary.expressions == {"dim": 10, "dark": 1, "bright": 1, "light": 1}
    assert (summary.faces, summary.without_face, summary.skipped) == (13, 1, 0)
    assert [name for name, _ in summary.failures] == [str(tree / "d.png")]
    assert [Path(name).name for name, _ in summary.ignored] == ["f.txt"]
    assert summary.written == [out]


def test_annotated_copies_and_timelines_mirror_the_sources(
    tree: Path, model_file: Path, tmp_path: Path
) -> None:
    annotate, plot = tree / "annotated", tmp_path / "plot"
    for _ in range(2):  # the second time the first one's results lie within the sources
        summary = run([tree], model_file, out=tmp_path / "t.csv", annotate=annotate, plot=plot)
        assert summary.faces == 13
    names = sorted(str(path.relative_to(annotate)) for path in annotate.rglob("*") if path.is_file())
    assert names == ["a.png", "c.png", "e.mp4", "pack/b.png"]
    assert [path.name for path in plot.iterdir()] == ["e.svg"]
    assert len(list(frames(annotate / "e.mp4"))) == 20
    assert summary.written == [tmp_path / "t.csv", annotate, plot]


def test_explanations_are_named_after_source_face_and_frame(
    tree: Path, model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    explain, out = tree / "why", tmp_path / "t.csv"
    for _ in range(2):  # the second time the first one's results lie within the sources
        summary = run([tree], model_file, out=out, explain=explain)
        assert summary.faces == 13
    names = sorted(str(path.relative_to(explain)) for path in explain.rglob("*") if path.is_file())
    surest = max((row for row in rows(out) if row["frame"]), key=lambda row: float(row["confidence"]))
    clip = f"e-person-{surest['track']}-frame-{surest['frame']}.png"
    assert names == ["a-face-1.png", "a-face-2.png", clip, "pack/b-face-1.png"]
    assert summary.written == [out, explain]
    assert not [note for note in summary.notes if "not explained" in note]
    monkeypatch.setattr("halfsmile.predict.drawing.explain_files.PEOPLE", 0)
    summary = run([tree / "e.mp4"], model_file, out=out, explain=tmp_path / "none")
    assert summary.notes == [f"{tree / 'e.mp4'}: 1 person who is seen less is not explained."]


def test_a_video_without_a_face_says_so(model_file: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "empty.mp4", film(lambda i: [], 10))
    summary = run([clip], model_file, out=tmp_path / "t.csv")
    assert [row["reason"] for row in rows(tmp_path / "t.csv")] == ["no face in 10 frames"]
    assert summary.without_face == 1
    run([clip], model_file, out=tmp_path / "t.csv", frames_without_face=True)
    assert [row["frame"] for row in rows(tmp_path / "t.csv")] == [str(i) for i in range(10)]


class Stopping(FramedSquares):
    """Ctrl-C comes while the detector sees its nth picture; with 0 never."""

    def __init__(self, at: int) -> None:
        self.left = at

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt
        return super().detect(images)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("stop", [1, 2, 3, 4, 6])
def test_a_stopped_run_goes_on_to_the_same_table(
    tree: Path, model_file: Path, tmp_path: Path, stop: int, suffix: str
) -> None:
    whole, out = tmp_path / f"whole{suffix}", tmp_path / f"t{suffix}"
    run([tree], model_file, out=whole)
    with pytest.raises(StopRequestedError, match=r"partial.*--resume"):
        run([tree], model_file, out=out, detector=Stopping(stop))
    assert not out.exists()
    summary = run([tree], model_file, out=out, resume=True, detector=Stopping(0))
    assert out.read_bytes() == whole.read_bytes()
    # the last source is done again, and d, which can't be read
    assert summary.skipped == {1: 0, 2: 0, 3: 2, 4: 2, 6: 2}[stop]


def test_a_killed_run_goes_on_to_the_same_table(model_file: Path, tmp_path: Path) -> None:
    for i in range(300):
        write_picture(tmp_path / "in" / f"{i:03}.png", scene([(20, 30, i % 256)]))
    out = tmp_path / "t.csv"
    program = (
        "import sys\nfrom pathlib import Path\nfrom tests.predict.test_run import run\n"
        "run([sys.argv[1]], Path(sys.argv[2]), out=sys.argv[3])\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "in"), str(model_file), str(out)]
    process = subprocess.Popen(command, cwd=Path(__file__).resolve().parents[2])
    partial = tmp_path / "t.partial.csv"
    while process.poll() is None and not (partial.exists() and partial.read_bytes().count(b"\n") > 20):
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    if not out.exists():
        assert len(rows(partial)) >= 20
    summary = run([tmp_path / "in"], model_file, out=out, resume=True)
    assert summary.skipped >= 19
    found = rows(out)
    assert [Path(row["source"]).stem for row in found] == [f"{i:03}" for i in range(300)]
    whole = tmp_path / "whole.csv"
    run([tmp_path / "in"], model_file, out=whole)
    assert out.read_bytes() == whole.read_bytes()


def test_ctrl_c_ends_a_camera_and_finishes_its_table(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def camera(source: object, **options: object) -> Iterator[VideoFrame]:
        assert source == 0
        yield from film(lambda i: [(20, 30, 96)], 8)
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(video_module, "frames", camera)
    out = tmp_path / "t.csv"
    summary = run(["0"], model_file, out=out, annotate=tmp_path / "ann", plot=tmp_path / "plot")
    assert (summary.videos, summary.faces) == (1, 7)  # the last frame waited for the next detection
    assert {row["source"] for row in rows(out)} == {"0"}
    assert probe(tmp_path / "ann" / "camera-0.mp4").width == 200
    assert (tmp_path / "plot" / "camera-0.svg").is_file()


def test_an_older_table_is_replaced_and_another_file_kept(model_file: Path, tmp_path: Path) -> None:
    picture, out = write_picture(tmp_path / "b.png", scene([(20, 30, 32)])), tmp_path / "t.csv"
    for _ in range(2):
        run([picture], model_file, out=out)
        assert len(rows(out)) == 1
    for options in ({"out": tmp_path / "labels.csv"}, {"out": out, "summary": tmp_path / "labels.csv"}):
        (tmp_path / "labels.csv").write_text("image,label\nb.png,happy\n")
        with pytest.raises(ValueError, match=r"labels\.csv is there and is no table"):
            run([picture], model_file, **options)
        assert (tmp_path / "labels.csv").read_text() == "image,label\nb.png,happy\n"


def test_one_that_can_not_be_read_does_not_stop_the_others(model_file: Path, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    b = write_picture(tmp_path / "b.png", scene([(20, 30, 32)]))
    out = tmp_path / "t.csv"
    names: list[str | Path] = [tmp_path / "a.mp4", "rtsp://me:secret@127.0.0.1:9/x", b]
    summary = run(names, model_file, out=out, annotate=tmp_path / "ann")
    assert [row["expression"] for row in rows(out)] == ["", "", "dark"]
    assert len(summary.failures) == 2
    assert "secret" not in out.read_text() + str(summary)
    assert [path.name for path in (tmp_path / "ann").iterdir()] == ["b.png"]


def test_a_folder_of_frames_is_one_video_when_asked(model_file: Path, tmp_path: Path) -> None:
    for i in range(1, 13):
        write_picture(tmp_path / f"in/walk/f{i}.png", scene([(20 + i, 30, 96)]))
    (tmp_path / "in/walk/f5.png").write_bytes(b"broken")
    out = tmp_path / "t.csv"
    summary = run([tmp_path / "in"], model_file, out=out, as_video=True, fps=4, plot=tmp_path / "plot")
    found = [(row["source"], row["frame"], row["time"], row["track"]) for row in rows(out)]
    name = str(tmp_path / "in/walk")
    assert found == [(name, str(i), str(i / 4), "1") for i in range(12) if i != 4]
    assert (summary.videos, summary.pictures, summary.people) == (1, 0, 1)
    assert any("1 of 12 frames can't be read" in note for note in summary.notes)
    assert (tmp_path / "plot/walk.svg").exists()
    assert run([tmp_path / "in"], model_file, out=out, as_video=True, fps=4, resume=True).skipped == 1
    with pytest.raises(ValueError, match="fps was 4, now 5"):
        run([tmp_path / "in"], model_file, out=out, as_video=True, fps=5, resume=True)
    asked = run([tmp_path / "in"], model_file, out=tmp_path / "u.csv")
    assert sum("--as-video --fps" in note for note in asked.notes) == 1


@pytest.mark.parametrize("wrong", [{"as_video": True}, {"fps": 30.0}, {"as_video": True, "fps": 0.0}])
def test_frames_of_a_folder_need_their_rate(model_file: Path, tmp_path: Path, wrong: dict[str, Any]) -> None:
    write_picture(tmp_path / "a.png", scene([]))
    with pytest.raises(ValueError, match="fps"):
        run([tmp_path / "a.png"], model_file, **wrong)


def test_a_rate_for_videos_that_have_their_own_is_said_to_do_nothing(
    model_file: Path, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "a.mp4", film(lambda i: [(20 + i, 30, 96)], 4))
    said = "--as-video, --fps: for folders of pictures only, and there is none."
    assert said in run([clip], model_file, as_video=True, fps=5).notes


class Failing(FramedSquares):
    """Fails at pictures that are brighter than others, in a way that no one foresaw."""

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """As squares, unless one is bright."""
        if any(image.max() > 240 for image in images):
            raise RuntimeError("no memory left")
        return super().detect(images)


def test_a_detector_that_fails_at_one_picture_costs_that_picture(model_file: Path, tmp_path: Path) -> None:
    for i, brightness in enumerate((32, 250, 96)):
        write_picture(tmp_path / f"in/{i}.png", scene([(20, 30, brightness)]))
    summary = run([tmp_path / "in"], model_file, out=tmp_path / "t.csv", detector=Failing())
    found = [(Path(row["source"]).name, row["expression"], row["reason"]) for row in rows(tmp_path / "t.csv")]
    reason = "it can't be processed (RuntimeError: no memory left)"
    assert found == [("0.png", "dark", ""), ("1.png", "", reason), ("2.png", "dim", "")]
    assert summary.failures == [(str(tmp_path / "in/1.png"), reason)]
    assert summary.pictures == 2


@pytest.mark.parametrize("at", [0, 6])
def test_a_video_that_fails_ends_there_and_the_others_go_on(
    model_file: Path, tmp_path: Path, at: int
) -> None:
    write_clip(tmp_path / "in/a.mp4", film(lambda i: [(20, 30, 250 if i >= at else 96)], 12))
    write_clip(tmp_path / "in/b.mp4", film(lambda i: [(20, 30, 96)], 12))
    out = tmp_path / "t.csv"
    summary = run([tmp_path / "in"], model_file, out=out, detector=Failing())
    first = [row for row in rows(out) if row["source"].endswith("a.mp4")]
    assert [row["expression"] for row in first] == ["dim"] * len(first[:-1]) + [""]
    assert first[-1]["reason"].endswith("it can't be processed (RuntimeError: no memory left)")
    assert first[-1]["reason"].startswith("broke off after") == (at > 0)
    assert bool(summary.failures) == (at == 0)
    assert len([row for row in rows(out) if row["source"].endswith("b.mp4")]) == 12
    before = out.read_bytes()
    again = run([tmp_path / "in"], model_file, out=out, detector=Failing(), resume=True)
    assert again.skipped == (2 if at else 1)
    assert out.read_bytes() == before or at == 0


class Odd(FramedSquares):
    """Gives landmarks that coincide for the left one of the faces."""

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """As squares, the first one odd."""
        return [
            [
                Detection(face.box, np.full((5, 2), 40.0, np.float32), 0.9) if i == 0 else face
                for i, face in enumerate(faces)
            ]
            for faces in super().detect(images)
        ]


def test_an_odd_face_is_a_row_beside_the_others(model_file: Path, tmp_path: Path) -> None:
    write_picture(tmp_path / "in/a.png", scene([(20, 30, 32), (100, 30, 215)]))
    write_clip(tmp_path / "in/b.mp4", film(lambda i: [(20, 30, 32), (100, 30, 215)], 7))
    out = tmp_path / "t.csv"
    summary = run([tmp_path / "in"], model_file, out=out, detector=Odd())
    found = [(row["frame"], row["expression"], row["reason"][:27]) for row in rows(out)]
    odd = "a face could not be cut out"
    assert found[:2] == [("", "bright", ""), ("", "", odd)]
    assert found[2:] == [row for i in range(7) for row in ((str(i), "bright", ""), (str(i), "", odd))]
    assert (summary.failures, summary.faces) == ([], 8)
    assert run([tmp_path / "in"], model_file, out=out, detector=Odd(), resume=True).skipped == 2


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet", "openface.csv"])
def test_what_could_not_be_read_is_processed_again(model_file: Path, tmp_path: Path, name: str) -> None:
    a, b = tmp_path / "in" / "a.png", tmp_path / "in" / "b.mp4"
    c = write_picture(tmp_path / "in" / "c.png", scene([(20, 30, 160)]))
    empty = write_picture(tmp_path / "in" / "empty.png", scene([]))
    for path in (a, b):
        path.write_bytes(b"not there yet")
    out = tmp_path / name
    options: dict[str, Any] = {"out": out, "table_format": "openface" if "openface" in name else "auto"}
    run([tmp_path / "in"], model_file, **options)
    summary = run([tmp_path / "in"], model_file, resume=True, **options)
    assert (summary.skipped, len(summary.failures)) == (2, 2)  # and no error, as others could be read
    run([c, empty], model_file, resume=True, **options)
    assert len(table_rows(out)) == 4  # rows of what isn't named stay
    write_picture(a, scene([(20, 30, 32)]))
    write_clip(b, film(lambda i: [(20 + i, 30, 96)], 4))
    summary = run([tmp_path / "in"], model_file, resume=True, **options)
    assert (summary.skipped, summary.failures) == (2, [])
    assert [(Path(row["source"]).name, row["expression"] or "") for row in table_rows(out)] == [
        ("c.png", "light"),
        ("empty.png", ""),
        ("a.png", "dark"),
        *[("b.mp4", "dim")] * 4,
    ]
    assert run([tmp_path / "in"], model_file, resume=True, **options).skipped == 4


def test_rows_of_other_models_and_options_are_not_mixed_in(
    tree: Path, model_file: Path, tmp_path: Path
) -> None:
    out, other_model = tmp_path / "t.jsonl", brightness_model(tmp_path / "other.onnx", threshold=0.5)
    run([tree / "a.png"], model_file, out=out)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    cases: list[tuple[Path, dict[str, Any], str]] = [
        (other_model, {}, "model_sha256 was .*, now .*; threshold was 0.75, now 0.5"),
        (model_file, {"threshold": 0.9}, "threshold was 0.75, now 0.9"),
        (model_file, {"quality": True}, "quality was False, now True"),
        (model_file, {"every": 2}, "every was 1, now 2"),
        (model_file, {"detect_every": 1}, "detect_every was 3, now 1"),
        (model_file, {"smoothing": 0.5}, "smoothing was none, now 0.5"),
        (model_file, {"frames_without_face": True}, "frames_without_face was False, now True"),
        (model_file, {"detector": Stopping(0)}, "detector was FramedSquares, now Stopping"),
    ]
    for model, options, message in cases:
        with pytest.raises(ValueError, match=rf"t\.jsonl can't be resumed.* {message}\. Give the"):
            run([tree], model, out=out, resume=True, **options)
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    run([tree], model_file, out=out, resume=True, annotate=tmp_path / "ann", plot=tmp_path / "plot")
    assert len(table_rows(out)) == 15
    run([tree], other_model, out=out)  # anew
    assert read_json(settings_path(out))["threshold"] == 0.5


def test_a_stopped_run_is_gone_on_with_by_its_own_settings(
    tree: Path, model_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "t.csv"
    run([tree], model_file, out=out, detector=Stopping(0))
    with pytest.raises(StopRequestedError):
        run([tree], model_file, out=out, detector=Stopping(3), threshold=0.9)
    assert read_json(settings_path(out))["threshold"] == 0.75  # those of the table that is still there
    with pytest.raises(ValueError, match=r"t\.partial\.csv can't be resumed"):
        run([tree], model_file, out=out, detector=Stopping(0), resume=True)
    run([tree], model_file, out=out, detector=Stopping(0), resume=True, threshold=0.9)
    assert read_json(settings_path(out))["threshold"] == 0.9
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.png", "in", "t.csv", "t.csv.settings.json"]


def test_a_video_of_which_no_frame_is_processed_has_a_row_and_stops_nothing(
    tree: Path, model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_module, "frames", lambda *_, **__: iter(()))
    summary = run(
        [tree / "e.mp4", tree / "a.png"], model_file, out=tmp_path / "t.csv", annotate=tmp_path / "ann"
    )
    first, *others = rows(tmp_path / "t.csv")
    assert "multiple of --every" in first["reason"]
    assert len(others) == 2
    assert len(summary.failures) == 1
    assert [path.name for path in (tmp_path / "ann").iterdir()] == ["a.png"]


def test_a_named_file_is_processed_wherever_it_lies(tree: Path, model_file: Path, tmp_path: Path) -> None:
    run([tree / "a.png", tree / "e.mp4"], model_file, out=tmp_path / "t.csv", plot=tree)
    assert {Path(row["source"]).name for row in rows(tmp_path / "t.csv")} == {"a.png", "e.mp4"}
    before = (tree / "a.png").read_bytes()
    with pytest.raises(ValueError, match=r"copy would take the place of .*a\.png"):
        run([tree / "a.png"], model_file, annotate=tree)
    assert (tree / "a.png").read_bytes() == before
    run([tree / "a.png"], model_file, annotate=tmp_path)
    assert (tmp_path / "a.png").is_file()


def test_a_folder_is_processed_where_results_are_written_above_it(
    tree: Path, model_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "t.csv"
    summary = run([tree], model_file, out=out, plot=tmp_path, annotate=tmp_path)
    assert summary.faces == 13
    assert not [note for note in summary.notes if "left out" in note]
    assert (tmp_path / "e.svg").is_file()
    original = (tmp_path / "a.png").read_bytes()  # a copy, but a source from now on
    with pytest.raises(ValueError, match=rf"would take the place of {tmp_path}/a\.png"):
        run([tree, tmp_path / "a.png"], model_file, out=out, annotate=tmp_path)
    assert (tmp_path / "a.png").read_bytes() == original
    summary = run([tmp_path], model_file, out=out, plot=tree)
    assert f"5 pictures and videos in {tree} left out: results are written there." in summary.notes


def test_what_was_written_stays_when_new_sources_come(model_file: Path, tmp_path: Path) -> None:
    for index, name in enumerate("abcd"):
        write_picture(tmp_path / name / "1.png", scene([(20, 30, 32 + 60 * index)]))
        write_clip(tmp_path / name / "2.mp4", film(lambda i: [(20 + i, 30, 96)], 4 + index))
    (tmp_path / "c" / "1.png").rename(tmp_path / "kept.png")
    (tmp_path / "c" / "1.png").write_bytes(b"broken")
    copies = tmp_path / "copies"

    def go_on(*names: str) -> dict[str, bytes]:
        before = {path.name: path.read_bytes() for path in copies.glob("*")}
        folders = {"annotate": copies, "plot": copies, "explain": copies}
        options: dict[str, Any] = {"out": tmp_path / "t.csv", "resume": True, **folders}
        run([tmp_path / name for name in names], model_file, **options)
        after = {path.name: path.read_bytes() for path in copies.glob("*")}
        assert {name: after[name] for name in before} == before
        return after

    assert set(go_on("b")) == {"1.png", "1-face-1.png", "2.mp4", "2.svg", "2-person-1-frame-0.png"}
    assert len(go_on("a", "b")) == 10
    go_on("c", "b", "a")
    (tmp_path / "kept.png").replace(tmp_path / "c" / "1.png")
    go_on("d", "c", "b")
    go_on("a", "b", "c", "d")
    assert len({row["source"] for row in rows(tmp_path / "t.csv")}) == 8


def test_originals_are_kept_when_places_are_taken_by_an_earlier_run(model_file: Path, tmp_path: Path) -> None:
    copies, out = tmp_path / "copies", tmp_path / "t.csv"
    old = write_picture(tmp_path / "old" / "1.png", scene([(20, 30, 32)]))
    run([old], model_file, out=out, annotate=copies)
    old.unlink()
    (copies / "1.png").rename(copies / "1-2.png")
    new = write_picture(tmp_path / "new" / "1.png", scene([(20, 30, 32)]))
    before = (copies / "1-2.png").read_bytes()
    with pytest.raises(ValueError, match=r"copy would take the place of .*copies/1-2\.png"):
        run([new, tmp_path, copies], model_file, out=out, annotate=copies, resume=True)
    assert (copies / "1-2.png").read_bytes() == before


def test_sources_that_are_done_are_known_by_any_of_their_names(
    tree: Path, model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree)
    run(["."], model_file, out=tmp_path / "t.csv")
    before = rows(tmp_path / "t.csv")
    summary = run([tree, "../in/a.png"], model_file, out=tmp_path / "t.csv", resume=True)
    assert summary.skipped == 4
    (broken,) = [row for row in before if row["source"] == "d.png"]  # is processed again
    assert rows(tmp_path / "t.csv") == [
        *(row for row in before if row is not broken),
        broken | {"source": str(tree / "d.png")},
    ]


@pytest.mark.parametrize("first", ["x.png", "x.png.zip"])
def test_a_picture_beside_an_archive_of_its_name_is_copied_too(
    model_file: Path, tmp_path: Path, first: str
) -> None:
    picture = write_picture(tmp_path / "x.png", scene([(20, 30, 32)]))
    with zipfile.ZipFile(tmp_path / "x.png.zip", "w") as archive:
        archive.write(picture, "x.png")
    copies = tmp_path / "copies"
    run([tmp_path / first, tmp_path], model_file, annotate=copies, explain=copies)
    assert sorted(str(path.relative_to(copies)) for path in copies.rglob("*.png")) == [
        "x-face-1.png",
        "x.png",
        "x.png_/x-face-1.png",
        "x.png_/x.png",
    ]


def test_a_name_as_long_as_names_can_be_is_copied_too(model_file: Path, tmp_path: Path) -> None:
    long = write_picture(tmp_path / "x.png", scene([(20, 30, 32)])).rename(tmp_path / f"{'n' * 251}.png")
    run([long], model_file, annotate=tmp_path / "a", explain=tmp_path / "a")
    assert len(list((tmp_path / "a").iterdir())) == 2


@contextmanager
def small_disk() -> Iterator[None]:
    """No file may grow beyond 20,000 bytes, as if the disk were full then."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("option", "name"), [("annotate", "b.png"), ("annotate", "c.mp4"), ("plot", "c.svg")]
)
def test_a_full_disk_is_told_with_the_file_and_what_is_kept(
    model_file: Path, tmp_path: Path, option: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (10, 120, 200, 3), np.uint8)
    noise[:, 30:70, 20:60] = scene([(20, 30, 32)])[30:70, 20:60]
    write_picture(tmp_path / "in" / "a.png", scene([(20, 30, 32)]))
    source = tmp_path / "in" / name.replace("svg", "mp4")
    if source.suffix == ".mp4":
        write_clip(source, [VideoFrame(i, i / 25, image) for i, image in enumerate(noise)])
        monkeypatch.setattr(Timeline, "svg", lambda _: "x" * 30_000)
    else:
        write_picture(source, noise[0])
    options: dict[str, Any] = {"out": tmp_path / "t.csv", option: tmp_path / "results"}
    kept = rf"File too large; what was written so far stays, and --resume goes on from it: '.*results/{name}'"
    with small_disk(), pytest.raises(OSError, match=kept):
        run([tmp_path / "in"], model_file, **options)
    assert {path.name for path in (tmp_path / "results").glob("*")} <= {"a.png"}
    with small_disk(), pytest.raises(OSError, match=r"written so far stays: '.*'") as caught:
        run([tmp_path / "in"], model_file, **options | {"out": None})
    assert "--resume" not in str(caught.value)
    run([tmp_path / "in"], model_file, resume=True, **options)
    assert {Path(row["source"]).name for row in rows(tmp_path / "t.csv")} == {"a.png", source.name}
    assert (tmp_path / "results" / name).is_file()


def test_a_copy_is_not_blamed_for_what_happens_to_the_answers(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", film(lambda _: [(20, 30, 32)], 3))

    def write(*_: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("halfsmile.predict.tables.sinks.Printer.write", write)
    with pytest.raises(BrokenPipeError) as caught:
        run([clip], model_file, annotate=tmp_path / "annotated")
    assert str(caught.value) == "[Errno 32] Broken pipe"


def refuse_to_predict(*_: object, **__: object) -> None:
    raise AssertionError("A picture was processed.")


def test_mistakes_are_told_before_anything_is_processed(
    tree: Path, model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"blur_faces": True}, "--annotate"),
        ({"blur_faces": True, "annotate": tmp_path / "ann", "explain": tmp_path / "why"}, "choose one"),
        ({"resume": True}, "--out"),
        ({"every": 0}, "every must be at least 1"),
        ({"detect_every": 0}, "detect_every must be at least 1"),
        ({"smoothing": -1.0}, "smoothing must be a positive"),
        ({"temporal": tree / "none.onnx"}, "does not exist"),
        ({"temporal": tree, "smoothing": 0.5}, "choose one"),
        ({"threshold": 2.0}, "threshold must lie"),
        ({"out": tmp_path / "t.doc"}, "a table is a file named"),
        ({"annotate": tree / "f.txt"}, "can't be made a folder"),
    ]
    with monkeypatch.context() as patch:
        patch.setattr(Predictor, "predict_batch", refuse_to_predict)
        for options, message in cases:
            with pytest.raises(ValueError, match=message):
                run([tree], model_file, **options)
        with pytest.raises(ValueError, match=r"f\.txt can't be used|f\.txt is damaged"):
            run([tree], tree / "f.txt")
    with pytest.raises(ValueError, match=r"d\.png: damaged"):
        run([tree / "d.png"], model_file)
    (tree / "x.png").write_bytes(b"broken, too")
    with pytest.raises(ValueError, match=r"None of 2 sources could be read; first: .*d\.png: damaged"):
        run([tree / "d.png", tree / "x.png"], model_file, out=tmp_path / "t.csv")
    assert len(rows(tmp_path / "t.csv")) == 2


def test_without_a_table_lines_are_printed(
    tree: Path, model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run([tree / "a.png", tree / "c.png"], model_file)
    assert capsys.readouterr().out.splitlines() == [
        f"{tree}/a.png: dark 100%",
        f"{tree}/a.png: bright 100%",
        f"{tree}/c.png: no face",
    ]


def test_why_the_only_source_can_not_be_read_is_said_once(
    tree: Path, model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for source, options in ((tree / "d.png", {}), (tree / "e.mp4", {"start": 100})):
        with pytest.raises(ValueError, match=source.name):
            run([source], model_file, **options)
        assert capsys.readouterr().out == ""
    run([tree / "a.png", tree / "d.png"], model_file)
    assert f"{tree}/d.png: damaged" in capsys.readouterr().out


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_second_table_has_people_videos_and_pictures(tree: Path, model_file: Path, tmp_path: Path) -> None:
    run([tree], model_file, out=tmp_path / "t.csv", summary=tmp_path / "people.csv")
    rows = read(tmp_path / "people.csv")
    found = [(row["kind"], Path(row["source"]).name, row["track"], row["faces"]) for row in rows]
    assert found == [
        ("picture", "a.png", "", "2"),
        ("picture", "c.png", "", "0"),
        ("picture", "d.png", "", "0"),
        ("person", "e.mp4", "1", "10"),
        ("video", "e.mp4", "", "10"),
        ("picture", "pack.zip!b.png", "", "1"),
    ]
    assert (rows[0]["share_dark"], rows[0]["share_bright"]) == ("0.5", "0.5")
    assert float(rows[3]["seconds"]) == pytest.approx(0.4)
    assert rows[1]["reason"] == "no face"


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_resumed_runs_count_the_rows_of_before(
    tree: Path, model_file: Path, tmp_path: Path, suffix: str
) -> None:
    whole, first = tmp_path / "whole.csv", tmp_path / f"t.{suffix}"
    run([tree], model_file, out=tmp_path / f"all.{suffix}", summary=whole)
    run([tree / "a.png", tree / "e.mp4"], model_file, out=first)
    run([tree], model_file, out=first, summary=tmp_path / "people.csv", resume=True)
    assert sorted(map(str, read(tmp_path / "people.csv"))) == sorted(map(str, read(whole)))
    with pytest.raises(ValueError, match="Leave out --resume"):
        run([tree], model_file, out=tmp_path / "o.csv", summary=whole, resume=True, table_format="openface")
    with pytest.raises(ValueError, match="two tables"):
        run([tree], model_file, out=whole, summary=whole)


def test_a_part_of_a_video_keeps_its_times(model_file: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "in/e.mp4", film(lambda i: [(20, 30, 96)], 50))
    run([clip], model_file, out=tmp_path / "t.csv", start="0:00.4", end=1.2)
    times = [float(row["time"]) for row in read(tmp_path / "t.csv")]
    assert (min(times), max(times), len(times)) == (0.4, 1.16, 20)
    run([clip], model_file, out=tmp_path / "s.csv", start=0.4, every_seconds=0.5)
    rows = read(tmp_path / "s.csv")
    assert [float(row["time"]) for row in rows] == [0.4, 0.92, 1.4, 1.92]
    assert [int(row["frame"]) for row in rows] == [10, 23, 35, 48]
    with pytest.raises(ValueError, match=r"no frame from 90 s on \(--start, --end\); it lasts 2\.00 s"):
        run([clip], model_file, out=tmp_path / "n.csv", start="1:30")


def test_faces_that_are_not_asked_for_are_left_out_and_counted(
    tree: Path, model_file: Path, tmp_path: Path
) -> None:
    done = run([tree / "a.png"], model_file, out=tmp_path / "t.csv", region=(0, 0, 0.5, 1))
    assert [row["x0"] for row in read(tmp_path / "t.csv")] == ["20.0"]
    assert done.left_out == 1
    assert done.left_out_by == "--region 0 0 0.5 1 (as shares of the picture)"
    pixels = run([tree / "a.png"], model_file, out=tmp_path / "p.csv", region=(0, 0, 50, 100), min_score=0.1)
    assert pixels.left_out_by == "--min-score 0.1 and --region 0 0 50 100 (in pixels)"
    done = run([tree], model_file, out=tmp_path / "n.csv", min_score=1.0)
    assert {row["reason"] for row in read(tmp_path / "n.csv") if Path(row["source"]).name == "a.png"} == {
        "no face in what was asked for"
    }
    assert done.left_out == 13
    assert done.without_face == 4
    assert len(done.failures) == 1
    run([tree / "e.mp4", tree / "a.png"], model_file, out=tmp_path / "l.csv", largest_only=True)
    assert len(read(tmp_path / "l.csv")) == 11


def test_blurred_copies_hide_faces_that_were_not_asked_for(
    tree: Path, model_file: Path, tmp_path: Path
) -> None:
    run([tree / "a.png"], model_file, out=tmp_path / "t.csv", annotate=tmp_path / "x", blur_faces=True)
    run(
        [tree / "a.png"],
        model_file,
        out=tmp_path / "u.csv",
        annotate=tmp_path / "y",
        blur_faces=True,
        region=(0, 0, 0.5, 1),
    )
    hidden = [np.asarray(cv2.imread(str(tmp_path / folder / "a.png")))[40:60, 110:130] for folder in "xy"]
    assert (hidden[0] != scene([(20, 30, 32), (100, 30, 215)])[40:60, 110:130]).any()
    assert np.abs(hidden[0].astype(int) - hidden[1]).mean() < 5


def test_boxes_are_cut_off_at_the_edges_where_asked(model_file: Path, tmp_path: Path) -> None:
    class Beyond(FramedSquares):
        def _detect(self, image: Image) -> list[Detection]:
            return [Detection(np.array([-10, 20, 60, 300], np.float32), None, 0.9)]

    picture = write_picture(tmp_path / "in/a.png", scene([(20, 30, 32)]))
    for clip, box in ((False, ["-10.0", "20.0", "60.0", "300.0"]), (True, ["0.0", "20.0", "60.0", "120.0"])):
        predict_run(
            [picture],
            out=tmp_path / "t.csv",
            model=model_file,
            detector=Beyond(),
            clip_boxes=clip,
            progress=False,
        )
        (row,) = read(tmp_path / "t.csv")
        assert [row[name] for name in ("x0", "y0", "x1", "y1")] == box
        assert (row["picture_width"], row["picture_height"]) == ("200", "120")
        assert float(row["width"]) == float(box[2]) - float(box[0])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"start": "later"}, "no time"),
        ({"start": 5, "end": 5}, "later than start"),
        ({"every": 2, "every_seconds": 1.0}, "choose one"),
        ({"every_seconds": 0.0}, "every_seconds"),
        ({"summary": "people.txt"}, "--summary"),
        ({"retries": -1}, "retries"),
    ],
)
def test_new_options_out_of_range_are_refused(
    tree: Path, model_file: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        run([tree / "e.mp4"], model_file, **options)
