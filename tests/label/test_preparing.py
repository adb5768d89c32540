"""Photographs are cut out first, in a process of their own."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from halfsmile.label.parts import NotReadyError
from halfsmile.label.preparing import Preparing
from halfsmile.label.session import Labeling


def test_pictures_without_a_face_are_told_and_nothing_is_asked(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for i in range(3):
        cv2.imwrite(str(tmp_path / "photos" / f"{i}.png"), np.full((80, 80, 3), 60 * i, np.uint8))
    out = tmp_path / "out"
    with Labeling.open(tmp_path / "photos", out=out, classes="calm,glad", extractor=None) as labeling:
        assert not labeling.is_ready
        assert labeling.classes == ["calm", "glad"]
        with pytest.raises(NotReadyError, match="still being prepared"):
            labeling.change_classes(add="bored")
        assert labeling.journal.path.read_bytes() == b""  # the session begins with the faces
        with pytest.raises(NotReadyError, match="still being prepared"):
            _ = labeling.pool
        assert labeling.preparing is not None
        labeling.preparing.wait(120)
        assert (labeling.preparing.done, labeling.preparing.total) == (3, 3)
        (problem,) = labeling.problems()
        assert problem.startswith("The faces could not be prepared: No face was stored. 3 of 3 sources show")
        with pytest.raises(NotReadyError, match="No face was stored"):
            labeling.next()


def test_a_stop_ends_the_process(tmp_path: Path) -> None:
    preparing = Preparing(tmp_path, tmp_path / "store")
    told: list[object] = []
    preparing.start(lambda pool, problem: told.append(problem))
    preparing.stop()
    assert told == []


def test_labels_need_faces_that_are_cut_out(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    cv2.imwrite(str(tmp_path / "photos" / "0.png"), np.zeros((80, 80, 3), np.uint8))
    (tmp_path / "known.csv").write_text("image,label\n0.png,neutral\n")
    with pytest.raises(ValueError, match="run `halfsmile data prepare` first"):
        Labeling.open(
            tmp_path / "photos", out=tmp_path / "out", labels=[tmp_path / "known.csv"], extractor=None
        )


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="gone does not exist; give a folder"):
        Labeling.open(tmp_path / "gone", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
