from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from halfsmile.data.preprocess import Image
from halfsmile.faces.yunet_network import CANDIDATES, MODEL, OVERLAP, YuNetNetwork

Scenes = list[tuple[Image, npt.NDArray[np.float32]]]


def test_it_finds_what_opencv_finds(scenes: Scenes) -> None:
    """Boxes, landmarks and scores, also where the sides are no multiples of 32."""
    network = YuNetNetwork(MODEL)
    for image, _ in (*scenes[:3], (scenes[3][0][3:-7, 5:-2], None), scenes[8]):
        height, width = image.shape[:2]
        other = cv2.FaceDetectorYN.create(str(MODEL), "", (width, height), 0.6, OVERLAP, CANDIDATES)
        rows = other.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
        rows = np.zeros((0, 15), np.float32) if rows is None else rows[np.argsort(-rows[:, 14])]
        found = network.look(image, 0.6)
        assert len(found) == len(rows)
        for face, row in zip(found, rows, strict=True):
            np.testing.assert_allclose(face.box, [*row[:2], *(row[:2] + row[2:4])], atol=0.01)
            np.testing.assert_allclose(np.asarray(face.landmarks).ravel(), row[4:14], atol=0.01)
            assert face.score == pytest.approx(row[14], abs=1e-5)


def test_a_lower_threshold_only_adds(scenes: Scenes) -> None:
    network = YuNetNetwork(MODEL)
    sure, all_of_them = (network.look(scenes[0][0], threshold) for threshold in (0.93, 0.6))
    assert len(all_of_them) > len(sure)
    assert [face.score for face in all_of_them[: len(sure)]] == [face.score for face in sure]


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_bytes(b"text")
    with pytest.raises(ValueError, match="is no YuNet model"):
        YuNetNetwork(tmp_path / "text.onnx")
    with pytest.raises(ValueError, match="does not exist"):
        YuNetNetwork(tmp_path / "none.onnx")
    model = Path(__file__).parents[2] / "src/halfsmile/predict/models/default.onnx"
    with pytest.raises(ValueError, match="is no YuNet model: its outputs are"):
        YuNetNetwork(model)
