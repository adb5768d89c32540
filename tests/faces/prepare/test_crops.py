"""Crops of one face each: aligned where landmarks are known, kept where not, never lost."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rich.console import Console

from halfsmile.data.decode import decode
from halfsmile.data.preprocess import Image, preprocess
from halfsmile.data.protocols.protocol import PROTOCOLS
from halfsmile.data.protocols.read import read_stills
from halfsmile.data.protocols.recognize import protocol_of
from halfsmile.data.store.read import FaceStore, read, read_index
from halfsmile.data.store.verify import verify
from halfsmile.data.store.write import StoredFace, StoreWriter
from halfsmile.data.synthetic import SyntheticFaces, generate, write_folders
from halfsmile.data.synthetic.folders import encode_png
from halfsmile.faces.align import template
from halfsmile.faces.prepare import pipeline
from halfsmile.faces.prepare.pipeline import PrepareSummary, prepare
from halfsmile.faces.prepare.settings import SETTINGS_NAME, Settings
from halfsmile.utils.files import read_json

CROPS = Settings(detector="mtcnn", are_crops=True)
POINTS = "eye_l_x,eye_l_y,eye_r_x,eye_r_y,nose_x,nose_y,mouth_l_x,mouth_l_y,mouth_r_x,mouth_r_y"
COUNT, BLANK = 40, 3


def quietly(name: Path, out: Path, settings: Settings = CROPS, **options: Any) -> PrepareSummary:
    return prepare([name], out, settings=settings, progress=False, **{"workers": 0} | options)


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def faces() -> SyntheticFaces:
    return generate(COUNT, size=48, seed=3, people=20, difficulty=0.5)


@pytest.fixture(scope="module")
def ferplus(tmp_path_factory: pytest.TempPathFactory, faces: SyntheticFaces) -> Path:
    """FERPlus in little: 40 gray faces of 48 pixels, 3 pictures of noise, copies of two faces."""
    root = tmp_path_factory.mktemp("ferplus")
    blank = np.random.default_rng(0).integers(0, 256, (BLANK, 48, 48), np.uint8)
    gray = [np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8) for image in faces.images]
    parts = {
        "Train": [*gray[:24], *blank, gray[32], gray[0]],
        "Valid": gray[24:32],
        "Test": gray[32:],
    }
    for part, images in parts.items():
        folder = root / f"FER2013{part}"
        folder.mkdir()
        lines = []
        for number, image in enumerate(images):
            (folder / f"fer{number:07d}.png").write_bytes(bytes(cv2.imencode(".png", image)[1]))
            votes = [0] * 10
            votes[number % 7], votes[7] = 9, 1
            lines.append(f'fer{number:07d}.png,"(0, 0, 48, 48)",' + ",".join(map(str, votes)))
        (folder / "label.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="module")
def prepared(ferplus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PrepareSummary]:
    store = tmp_path_factory.mktemp("crops") / "store"
    return store, quietly(ferplus, store)


def test_every_crop_is_aligned_or_kept(prepared: tuple[Path, PrepareSummary]) -> None:
    store, summary = prepared
    assert verify(store, pixels=True).ok
    rows = read_index(store)[0].to_pylist()
    assert len(rows) == summary.faces == COUNT + BLANK + 1
    assert summary.crops is not None
    aligned, kept = summary.crops
    assert aligned + kept == len(rows)
    assert BLANK <= kept <= BLANK + 4
    assert read_json(store / SETTINGS_NAME)["crops"] == {"aligned": aligned, "kept": kept}
    for number, row in enumerate(rows):
        pixels = decode(FaceStore(store).read(number), "face")
        assert pixels.shape == (112, 112, 1), "gray stays gray, and all have one size"
        if row["quality_aligned"]:
            np.testing.assert_allclose(np.mean(row["landmarks"]), template().mean(), atol=3)
            assert 0.7 < row["score"] <= 1
        else:
            assert row["landmarks"] is row["score"] is row["box"] is None
            source = cv2.imread(row["source"], cv2.IMREAD_GRAYSCALE)
            assert source is not None
            scaled = preprocess(np.asarray(source[..., None], np.uint8), 112, 1)
            assert np.abs(pixels.astype(int) - scaled).mean() < 12, "scaled, and a JPEG"
    blank = {f"FER2013Train/fer{24 + number:07d}.png" for number in range(BLANK)}
    flags = [row["quality_aligned"] for row in rows if "/".join(Path(row["source"]).parts[-2:]) in blank]
    assert flags == [0] * BLANK


def test_aligned_crops_lie_where_their_landmarks_say(
    prepared: tuple[Path, PrepareSummary], faces: SyntheticFaces
) -> None:
    """The true landmarks of the crops fall on the template, to two pixels of the crop."""
    rows = read_index(prepared[0])[0].to_pylist()
    known = {f"FER2013Test/fer{number:07d}.png": faces.landmarks[32 + number] for number in range(8)}
    seen = 0
    for row in rows:
        name = "/".join(Path(row["source"]).parts[-2:])
        if name in known and row["quality_aligned"]:
            pixels = FaceStore(prepared[0]).image(rows.index(row))
            truth = _located(pixels, faces.images[32 + int(row["source"][-11:-4])], known[name])
            assert np.linalg.norm(truth - template(), axis=1).mean() < 2 * 112 / 48
            seen += 1
    assert seen >= 6


def _located(aligned: Image, crop: Image, points: Any) -> Any:
    """Where points of a crop are in what was cut out of it, by the pixels alone (ECC registration)."""
    gray = cv2.resize(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (112, 112), interpolation=cv2.INTER_CUBIC)
    start = np.eye(2, 3, dtype=np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 300, 1e-7)
    _, matrix = cv2.findTransformECC(
        gray, aligned[:, :, 0], start, cv2.MOTION_AFFINE, criteria, np.ones((112, 112), np.uint8), 5
    )
    return points * (112 / 48) @ matrix[:, :2].T + matrix[:, 2]


def test_a_store_of_crops_is_still_ferplus(prepared: tuple[Path, PrepareSummary], ferplus: Path) -> None:
    """Labels, votes and splits come along, and training copies of test faces stay out."""
    store = prepared[0]
    protocol = protocol_of(store)
    assert protocol == PROTOCOLS["ferplus"]
    stored, original = read_stills(protocol, store), read_stills(PROTOCOLS["ferplus"], ferplus)
    for name in ("label", "votes", "split"):
        assert stored.column(name) == original.column(name)
    train = [
        h
        for h, split in zip(stored.column("sha256"), stored.column("split"), strict=True)
        if split == "train"
    ]
    held = {
        h
        for h, split in zip(stored.column("sha256"), stored.column("split"), strict=True)
        if split != "train"
    }
    assert not held & set(train)
    assert len(set(train)) == len(train) - 1, "a copy within the training part has the same bytes as before"


def test_given_landmarks_are_used_and_others_kept(tmp_path: Path, faces: SyntheticFaces) -> None:
    lines = [f"image,label,{POINTS}"]
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(encode_png(faces.images[number]))
        points = faces.landmarks[number].ravel() if number < 2 else [900.0] * 10
        numbers = "," * 9 if number == 3 else ",".join(map(str, points))
        lines.append(f"{number}.png,{'anger' if number else 'fear'},{numbers}")
    (tmp_path / "faces.csv").write_text("\n".join(lines))
    given = Settings(detector="given", are_crops=True)
    summary = quietly(tmp_path / "faces.csv", tmp_path / "store", given)
    assert (summary.crops, summary.faces, summary.left_out) == ((2, 2), 4, {})
    rows = read_index(tmp_path / "store")[0].to_pylist()
    assert [row["quality_aligned"] for row in rows] == [1, 1, 0, 0]
    assert all(row["score"] is None for row in rows)
    assert [row["label"] for row in rows] == ["fear", "anger", "anger", "anger"]
    for row in rows[:2]:
        apart = np.reshape(row["landmarks"], (5, 2)) - template()
        assert np.linalg.norm(apart, axis=1).mean() < 3


class _Stop(Exception):  # noqa: N818
    pass


def test_stopped_and_resumed_the_store_is_the_same(
    prepared: tuple[Path, PrepareSummary], ferplus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopping(StoreWriter):
        def add(self, source: str, found: Iterable[StoredFace]) -> int:
            if len(self) == 20:
                self.commit()
                raise _Stop
            return super().add(source, found)

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "StoreWriter", Stopping)
        with pytest.raises(_Stop):
            quietly(ferplus, tmp_path / "store")
    summary = quietly(ferplus, tmp_path / "store", workers=2)
    assert summary.known_sources == 20
    assert summary.crops == prepared[1].crops, "of the whole store, not of this run"
    assert files(tmp_path / "store") == files(prepared[0])
    again = quietly(ferplus, tmp_path / "store")
    assert (again.new_faces, again.crops) == (0, summary.crops)
    assert files(tmp_path / "store") == files(prepared[0])


def test_what_counts_as_landmarks_can_be_asked_for(ferplus: Path, tmp_path: Path) -> None:
    none = Settings(detector="mtcnn", are_crops=True, min_score=1.0, size=48, is_lossless=True)
    summary = quietly(ferplus / "FER2013Test", tmp_path / "store", none, layout="folder")
    assert summary.crops == (0, 8)
    for row, source in enumerate(read_index(tmp_path / "store")[0]["source"].to_pylist()):
        known = cv2.imread(source, cv2.IMREAD_GRAYSCALE)
        np.testing.assert_array_equal(FaceStore(tmp_path / "store").image(row)[:, :, 0], known)


def test_pictures_of_every_shape_and_bad_ones(tmp_path: Path, faces: SyntheticFaces) -> None:
    album = tmp_path / "album"
    album.mkdir()
    (album / "tiny.png").write_bytes(encode_png(np.zeros((1, 1, 3), np.uint8)))
    (album / "wide.png").write_bytes(encode_png(np.zeros((20, 300, 3), np.uint8)))
    (album / "face.png").write_bytes(encode_png(faces.images[0]))
    (album / "text.jpg").write_text("no picture")
    (album / "clip.mp4").write_text("no video")
    summary = quietly(album, tmp_path / "store")
    assert summary.crops == (1, 2)
    assert {Path(name).name for name in summary.left_out} == {"text.jpg", "clip.mp4"}
    assert "no crop of one face" in summary.left_out[str(album / "clip.mp4")]
    sides = read_index(tmp_path / "store", ["width", "height"])[0].to_pylist()
    assert sides == [{"width": 112, "height": 112}] * 3


def test_poor_pictures_are_dropped_where_that_is_asked_for(tmp_path: Path) -> None:
    write_folders(generate(6, size=48, seed=3, people=6), tmp_path / "set", split="train")
    strict = Settings(detector="mtcnn", are_crops=True, min_quality=0.99)
    summary = quietly(tmp_path / "set", tmp_path / "store", strict)
    assert (summary.faces, summary.dropped["quality too low"]) == (0, 6)
    assert summary.crops == (0, 0)


def test_other_stores_are_not_gone_on_with(ferplus: Path, tmp_path: Path) -> None:
    quietly(ferplus / "FER2013Test", tmp_path / "photos", Settings(detector="mtcnn"), layout="folder")
    assert "quality_aligned" not in read_index(tmp_path / "photos")[0].column_names
    with pytest.raises(ValueError, match=r"are_crops \(False / True\)"):
        quietly(ferplus / "FER2013Test", tmp_path / "photos", layout="folder")
    record = tmp_path / "photos" / SETTINGS_NAME
    record.write_text(record.read_text().replace('"are_crops": false,', ""))
    with pytest.raises(ValueError, match=r"are_crops \(False / True\)"):
        quietly(ferplus / "FER2013Test", tmp_path / "photos", layout="folder")
    with pytest.raises(ValueError, match="not both"):
        Settings(detector="aligned", are_crops=True)


def test_the_summary_counts_both_kinds(prepared: tuple[Path, PrepareSummary]) -> None:
    console = Console(record=True, width=200)
    prepared[1].render(console)
    aligned, kept = prepared[1].crops or (0, 0)
    assert f"{aligned} aligned by landmarks, {kept} kept as they were." in console.export_text()
    assert len(read(prepared[0])) == aligned + kept
