from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from halfsmile.data.preprocess import Image
from halfsmile.faces import yunet
from halfsmile.faces.boxes import overlaps
from halfsmile.faces.detect import detector, innermost
from halfsmile.faces.yunet import YuNet

Scenes = list[tuple[Image, npt.NDArray[np.float32]]]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Address of a local server, and the folder it offers."""
    folder = tmp_path / "site"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def net() -> YuNet:
    return YuNet()


def test_faces_are_found_where_they_are(net: YuNet, scenes: Scenes) -> None:
    found = net.detect([image for image, _ in scenes])
    assert [len(faces) for faces in found] == [len(truth) for _, truth in scenes]
    for faces, (_, truth) in zip(found, scenes, strict=True):
        for face, points in zip(sorted(faces, key=lambda face: face.box[0]), truth, strict=True):
            assert face.landmarks is not None
            unit = np.linalg.norm(points[1] - points[0])
            assert np.linalg.norm(face.landmarks - points, axis=1).mean() < 0.3 * unit
            assert (face.box[:2] < points.min(0)).all()
            assert (points.max(0) < face.box[2:]).all()
        assert [face.score for face in faces] == sorted((face.score for face in faces), reverse=True)


def test_its_model_is_told(net: YuNet) -> None:
    assert net.sha256 == hashlib.sha256(yunet.MODEL.read_bytes()).hexdigest()


def test_large_pictures_are_shrunk_and_their_faces_scaled_back(net: YuNet, scenes: Scenes) -> None:
    (small,) = net.detect([scenes[0][0]])
    (large,) = YuNet(working_size=420, small_faces=False).detect([scenes[0][0].repeat(5, 0).repeat(5, 1)])
    assert len(small) == len(large) == 2
    for face, other in zip(small, large, strict=True):
        assert other.score == face.score
        np.testing.assert_allclose(other.box, face.box * 5, rtol=1e-6)
        np.testing.assert_allclose(np.array(other.landmarks), np.array(face.landmarks) * 5, rtol=1e-6)


def test_a_batch_of_mixed_sizes_gives_what_each_picture_gives(net: YuNet, scenes: Scenes) -> None:
    images = [scenes[0][0], scenes[1][0][20:250], scenes[2][0][:, :201], scenes[8][0]]
    for together, image in zip(net.detect(images), images, strict=True):
        (alone,) = net.detect([image])
        assert [face.box.tolist() for face in together] == [face.box.tolist() for face in alone]


def test_tiny_and_thin_pictures_hold_no_face(net: YuNet) -> None:
    images = [np.full((h, w, 3), 90, np.uint8) for h, w in ((1, 1), (2, 3), (5000, 1), (1, 700))]
    assert net.detect(images) == [[], [], [], []]
    assert net.detect([]) == []


def test_faces_of_all_sizes_in_one_large_picture_are_found_once(net: YuNet, scenes: Scenes) -> None:
    """The small ones by a closer look; and one that fills the picture."""
    (scene, truth), size = scenes[0], 1260
    small = cv2.resize(scene, None, fx=0.35, fy=0.35, interpolation=cv2.INTER_AREA)
    picture = np.full((size, size, 3), 128, np.uint8)
    picture[900 : 900 + small.shape[0], 1000 : 1000 + small.shape[1]] = small
    picture[100 : 100 + scene.shape[0], 60 : 60 + scene.shape[1]] = scene
    once = YuNet(small_faces=False).detect([picture])[0]
    closer = net.detect([picture])[0]
    assert len(once) < len(closer) == 2 * len(truth)
    assert [face.score for face in closer] == sorted((face.score for face in closer), reverse=True)
    boxes = np.stack([face.box for face in closer])
    shares = overlaps(boxes, boxes, of_smaller=True)
    assert (shares - np.eye(len(boxes)) <= 0.3).all()
    for face in once:
        assert any(np.array_equal(face.box, other.box) for other in closer)
    filling = scene[40:260, 20:240].repeat(6, 0).repeat(6, 1)
    assert len(net.detect([filling])[0]) == len(YuNet(small_faces=False).detect([filling])[0])


def test_a_model_is_downloaded_once(
    site: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, folder = site
    content = yunet.MODEL.read_bytes()
    (folder / "yunet.onnx").write_bytes(content)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source = f"{address}/yunet.onnx#sha256={hashlib.sha256(content).hexdigest()}"
    assert isinstance(innermost(detector("yunet", source)), YuNet)
    (folder / "yunet.onnx").unlink()
    assert isinstance(innermost(detector("auto", source)), YuNet)


def test_another_file_than_expected_is_refused(site: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = site
    (folder / "yunet.onnx").write_bytes(b"something else")
    with pytest.raises(ValueError, match="it is damaged or is another file"):
        YuNet(f"{address}/yunet.onnx#sha256={'0' * 64}", cache=tmp_path / "cache")
    with pytest.raises(ValueError, match="is no YuNet model"):
        YuNet(f"{address}/yunet.onnx", cache=tmp_path / "cache")


def test_bad_models_and_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        YuNet(tmp_path)
    with pytest.raises(ValueError, match="threshold must be between 0 and 1"):
        YuNet(tmp_path, threshold=0)
    with pytest.raises(ValueError, match="working_size must be at least 1"):
        YuNet(tmp_path, working_size=0)
