from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.predict.conftest import LABELS, FramedSquares, brightness_model, expected, scene, write_picture

import halfsmile
from halfsmile.data.decode import BadImageError
from halfsmile.data.preprocess import Image
from halfsmile.data.synthetic import generate
from halfsmile.faces.mtcnn import Mtcnn
from halfsmile.predict.face import Face, NoFace
from halfsmile.predict.inputs import rgb
from halfsmile.predict.model import ExpressionModel
from halfsmile.predict.predictor import Predictor


def test_every_face_gets_its_own_answer(predictor: Predictor) -> None:
    dark, bright = predictor.predict(scene([(20, 30, 32), (100, 50, 215)]))
    assert (dark.expression, bright.expression) == ("dark", "bright")
    assert dark.box == (20, 30, 60, 70)
    assert bright.box == (100, 50, 140, 90)
    for face, brightness in ((dark, 32), (bright, 215)):
        assert list(face.probabilities) == list(LABELS)
        np.testing.assert_allclose(list(face.probabilities.values()), expected(brightness), atol=1e-5)
        assert face.confidence == max(face.probabilities.values())
        assert (face.frame, face.time, face.track, face.quality) == (None, None, None, None)


def test_pictures_of_different_sizes_and_counts_do_not_mix(predictor: Predictor) -> None:
    images = [
        scene([(20, 30, 32)]),
        scene([]),
        scene([(5, 5, 224), (60, 5, 160), (120, 5, 96)], size=(90, 170)),
        scene([(1, 70, 96)], size=(160, 60)),
    ]
    together = predictor.faces(images, ["a", "b", "c", "d"])
    assert [[face.expression for face in faces] for faces in together] == [
        ["dark"],
        [],
        ["bright", "light", "dim"],
        ["dim"],
    ]
    assert [face.source for faces in together for face in faces] == ["a", "c", "c", "c", "d"]
    alone = [predictor.faces([image], [name])[0] for image, name in zip(images, "abcd", strict=True)]
    assert alone == together


def test_color_models_see_colors(tmp_path: Path) -> None:
    gray = Predictor(brightness_model(tmp_path / "1.onnx"), detector=FramedSquares())
    color = Predictor(brightness_model(tmp_path / "3.onnx", channels=3), detector=FramedSquares())
    picture = scene([(20, 30, 0)])
    picture[32:68, 22:58] = (255, 0, 0)
    assert gray.crops(picture, gray.detector.detect([picture])[0]).shape == (1, 32, 32, 1)
    crop = color.crops(picture, color.detector.detect([picture])[0])
    assert crop.shape == (1, 32, 32, 3)
    assert crop[0, 16, 16].tolist() == [255, 0, 0]
    np.testing.assert_allclose(
        list(gray.predict(picture)[0].probabilities.values()), expected(0.299 * 255), atol=0.02
    )
    np.testing.assert_allclose(
        list(color.predict(picture)[0].probabilities.values()), expected(85), atol=0.02
    )


def test_files_that_say_nothing_have_a_row_in_their_place(predictor: Predictor, tmp_path: Path) -> None:
    good = write_picture(tmp_path / "good.png", scene([(20, 30, 32), (100, 50, 200)]))
    empty = write_picture(tmp_path / "empty.png", scene([]))
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    paths = [good, broken, empty, tmp_path / "missing.png", good]
    found = list(predictor.predict_many(paths, batch_size=2))
    assert [row.source for row in found] == [
        str(path) for path in (good, good, broken, empty, tmp_path / "missing.png", good, good)
    ]
    assert [type(row) for row in found] == [Face, Face, NoFace, NoFace, NoFace, Face, Face]
    reasons = [row.reason for row in found if isinstance(row, NoFace)]
    assert "not an image" in reasons[0]
    assert reasons[1] == "no face"
    assert "does not exist" in reasons[2]
    with pytest.raises(BadImageError, match="not an image"):
        predictor.predict(broken)


def test_results_come_before_all_files_are_read(predictor: Predictor, tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", scene([(20, 30, 32)]))
    taken: list[int] = []

    def endless() -> object:
        while True:
            taken.append(1)
            yield path

    found = predictor.predict_many(endless(), batch_size=4)  # type: ignore[arg-type]
    assert isinstance(next(found), Face)
    assert len(taken) == 4


@pytest.mark.parametrize("shape", [(120, 200), (120, 200, 1), (120, 200, 3)])
def test_gray_pictures_are_pictures(shape: tuple[int, ...]) -> None:
    gray = np.arange(120 * 200, dtype=np.uint8).reshape(120, 200)
    picture = np.repeat(gray[:, :, None], 3, axis=2) if shape[-1] == 3 else gray.reshape(shape)
    colored = rgb(picture)
    assert colored.shape == (120, 200, 3)
    assert (colored == gray[:, :, None]).all()


def test_wrong_arguments_are_refused(model: ExpressionModel, predictor: Predictor) -> None:
    with pytest.raises(ValueError, match=r"threshold must lie between 0 and 1, found 1\.5"):
        Predictor(model, detector=FramedSquares(), threshold=1.5)
    with pytest.raises(ValueError, match="channel_order"):
        Predictor(model, detector=Mtcnn(threads=1)).predict(np.zeros((10, 10, 4), np.uint8))
    with pytest.raises(ValueError, match="detect_every must be at least 1"):
        predictor.video([], detect_every=0)
    with pytest.raises(ValueError, match="smoothing must be a positive number"):
        predictor.video([], smoothing=-1.0)


def test_quality_is_given_on_request(model: ExpressionModel) -> None:
    predictor = Predictor(model, detector=FramedSquares(), quality=True)
    small, large = (predictor.predict(scene([(20, 20, 100)], side=side))[0].quality for side in (20, 80))
    assert small is not None
    assert large is not None
    assert set(small) == {"size", "sharpness", "exposure"}  # no pose without landmarks
    assert small["size"] < large["size"]


def generated_picture() -> Image:
    face = generate(2, size=150, seed=5, people=8, difficulty=0.5).images[0]
    picture = np.full((300, 420, 3), 128, np.uint8)
    picture[60:210, 40:190] = face
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.7), np.uint8)


def test_faces_are_cut_out_upright_by_their_landmarks(model: ExpressionModel) -> None:
    picture = generated_picture()
    predictor = Predictor(model, detector=Mtcnn(threads=1), quality=True)
    straight = predictor.predict(picture)
    matrix = cv2.getRotationMatrix2D((115.0, 135.0), 20.0, 1.0)
    tilted = np.asarray(cv2.warpAffine(picture, matrix, (420, 300), borderValue=(128, 128, 128)), np.uint8)
    crops = [
        predictor.crops(image, predictor.detector.detect([image])[0]).astype(float)
        for image in (picture, tilted)
    ]
    assert len(straight) == 1
    assert straight[0].landmarks is not None
    assert straight[0].quality is not None
    assert straight[0].quality["frontal"] > 0.8
    assert np.abs(crops[0] - crops[1]).mean() < 0.25 * np.abs(crops[0] - crops[0][:, ::-1]).mean()


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = (
        "import sys, halfsmile\n"
        "assert not {'numpy', 'cv2', 'onnxruntime', 'rich'} & set(sys.modules), sorted(sys.modules)\n"
        "from halfsmile import Predictor, Face, Faces, NoFace\n"
        "heavy = {'torch', 'scipy', 'av', 'pyarrow', 'matplotlib', 'pandas', 'onnxruntime'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "import halfsmile.predict.run\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = halfsmile.Nothing
    assert "Predictor" in dir(halfsmile)
