"""Features are computed once, whatever stops the work."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from tests.label.conftest import Pixels

from halfsmile.data.check.duplicates import Signatures, group_duplicates
from halfsmile.data.decode import BadImageError
from halfsmile.data.preprocess import Image
from halfsmile.label.learn import features as module
from halfsmile.label.learn.features import FeatureFile, Features

COUNT = 50


class Faces:
    """Pictures of noise; row 7 can't be read, row 9 is a copy of row 3."""

    def __init__(self) -> None:
        self.read: list[int] = []
        self.pixels = np.random.default_rng(0).integers(0, 255, (COUNT, 24, 24, 1), np.uint8)
        self.pixels[9] = self.pixels[3]

    def __call__(self, row: int) -> Image:
        if row == 7:
            raise BadImageError("7.png: gone")
        self.read.append(row)
        return np.asarray(self.pixels[row])


def groups_of(signatures: Signatures) -> npt.NDArray[np.int64]:
    groups = np.arange(COUNT)
    for group in group_duplicates(signatures).groups:
        groups[list(group)] = min(group)
    return groups


def file_in(folder: Path, faces: Faces, fingerprint: str = "f") -> FeatureFile:
    order = np.random.default_rng(1).permutation(COUNT)
    return FeatureFile(folder, faces, COUNT, fingerprint, order, Pixels())


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PART", 16)
    monkeypatch.setattr(module, "BATCH", 4)


def run(file: FeatureFile, stop: threading.Event | None = None) -> list[Features]:
    return list(file.compute(groups_of, stop or threading.Event()))


def test_all_faces_get_features_and_copies_one_group(tmp_path: Path) -> None:
    faces = Faces()
    found = run(file_in(tmp_path, faces))
    assert [int(part.known.sum()) + len(part.bad) for part in found] == [16, 32, 48, 50, 50]
    last = found[-1]
    assert last.is_complete
    assert last.bad == {7: "7.png: gone"}
    assert last.groups is not None
    assert last.groups[9] == last.groups[3]
    assert last.values[3].astype(np.float32) == pytest.approx(faces.pixels[3].ravel() / 255, abs=1e-3)
    assert not last.values[7].any()
    assert not last.reduced[7].any()
    assert not list(tmp_path.glob("part-*"))


def test_distances_survive_the_reduction(tmp_path: Path) -> None:
    last = run(file_in(tmp_path, Faces()))[-1]
    reduced = last.reduction(last.values).astype(np.float16)
    assert reduced[last.known] == pytest.approx(last.reduced[last.known], abs=1e-3)


def test_a_stop_costs_the_part_in_hand_and_ends_alike(tmp_path: Path) -> None:
    whole = run(file_in(tmp_path / "whole", Faces()))[-1]
    faces, stop = Faces(), threading.Event()
    for part in file_in(tmp_path / "stopped", faces).compute(groups_of, stop):
        if part.known.sum() > 20:
            stop.set()
    assert not (tmp_path / "stopped" / "features.npy").exists()
    before = len(faces.read)
    last = run(file_in(tmp_path / "stopped", faces))[-1]
    assert len(faces.read) - before <= COUNT - 32
    assert (np.asarray(last.values) == np.asarray(whole.values)).all()
    assert (last.reduced == whole.reduced).all()


def test_a_finished_file_is_read_and_nothing_else(tmp_path: Path) -> None:
    run(file_in(tmp_path, Faces()))
    faces = Faces()
    (only,) = run(file_in(tmp_path, faces))
    assert faces.read == []
    assert only.is_complete


def test_other_faces_begin_anew(tmp_path: Path) -> None:
    run(file_in(tmp_path, Faces()))
    faces = Faces()
    run(file_in(tmp_path, faces, "others"))
    assert len(faces.read) == COUNT - 1


def test_a_damaged_part_is_computed_again(tmp_path: Path) -> None:
    stop = threading.Event()
    for _ in file_in(tmp_path, Faces()).compute(groups_of, stop):
        stop.set()
    (tmp_path / "part-00000.npz").write_bytes(b"PK rubbish")
    faces = Faces()
    run(file_in(tmp_path, faces))
    assert len(faces.read) == COUNT - 1
