"""What darkness, blur and noise do to accuracy and certainty on press pictures, spoiled on purpose.

    python -m benchmarks.spoiled_press --shared ../shared/data

The spoiled frames of ``real_faces.py`` are of 51 people who were asked to smile, so what is wrong there may
be the smiles'. Here people are many and smile by themselves. Faces are found in the pictures as they are, and
cut at the same place out of the spoiled ones. ``temperature`` is the one that fits the answers best; the
model's own stands in the title. Labels are students', as in ``real_faces.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tyro
from benchmarks.model_card.answers import SetAnswers
from benchmarks.real_faces import press, rgb_picture, thinned

from halfsmile.data.preprocess import Image
from halfsmile.faces.detect import detector
from halfsmile.metrics.mixture import fit_mixture_temperature
from halfsmile.metrics.scores import reliability_bins
from halfsmile.predict.model import ExpressionModel
from halfsmile.predict.predictor import Predictor
from halfsmile.utils.markdown import markdown_table


@dataclass(frozen=True)
class Options:
    """What to measure.

    Args:
        shared: Folder with ``faces_lfw``.
        model: ONNX file of an export; the model in the box by default.
        most: At most so many pictures, evenly spread.
    """

    shared: Path
    model: Path | None = None
    most: int = 700


def shrunk(side: int) -> Callable[[Image], Image]:
    """As from so many pixels across."""

    def spoil(image: Image) -> Image:
        small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_CUBIC), np.uint8)

    return spoil


def darker(share: float, gamma: float = 1.0) -> Callable[[Image], Image]:
    """This share of the light, with shadows that are deeper by a power."""
    table = (255 * share * (np.arange(256) / 255) ** gamma).round().astype(np.uint8)
    return lambda image: table[image]


def moved(image: Image) -> Image:
    """Motion over nine pixels from side to side."""
    kernel = np.zeros((9, 9), np.float32)
    kernel[4] = 1 / 9
    return np.asarray(cv2.filter2D(image, -1, kernel), np.uint8)


def noisy(image: Image) -> Image:
    """Gaussian noise of 20 gray levels; the same for the same picture."""
    noise = np.random.default_rng(int(image.sum())).normal(0, 20, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def compressed(image: Image) -> Image:
    """JPEG of quality 12."""
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 12])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


SPOILED: dict[str, Callable[[Image], Image]] = {
    "as they are": lambda image: image,
    "from 40 pixels": shrunk(40),
    "from 28 pixels": shrunk(28),
    "motion of 9 pixels": moved,
    "JPEG of quality 12": compressed,
    "0.35 of the light": darker(0.35),
    "0.15 of the light": darker(0.15),
    "deep shadows, gamma 3": darker(1, 3),
    "noise of 20 gray levels": noisy,
}


def run(options: Options) -> str:
    """Measure and print."""
    model = ExpressionModel.load(options.model, threads=1, device="cpu")
    predictor = Predictor(model, detector=detector("auto"), threads=1)
    faces = thinned(press(options.shared), options.most)
    pictures = [rgb_picture(faces.root, locator) for locator, _ in faces.rows]
    found = [predictor.detector.detect([picture])[0][:1] for picture in pictures]
    kept = np.flatnonzero([len(boxes) for boxes in found])
    targets = np.array([model.labels.index(label) for _, label in faces.rows])[kept]
    rows = []
    for name, spoil in SPOILED.items():
        crops = np.concatenate([predictor.crops(spoil(pictures[k]), found[k]) for k in kept])
        said = model.predict(crops)
        answers = SetAnswers(name, said.logits.astype(np.float64), targets, targets[:0])
        accuracy, recall = answers.scores(said.probabilities.astype(np.float64))
        right = said.probabilities.argmax(axis=1) == targets
        ece = reliability_bins(said.probabilities, targets).ece
        recalls = [right[targets == model.labels.index(label)] for label in ("neutral", "happiness")]
        numbers = (accuracy, recall, *(float(np.mean(r)) for r in recalls), ece)
        fitted = fit_mixture_temperature([(said.logits, targets)]).value
        rows.append([name, *(f"{100 * number:.1f}" for number in numbers), f"{fitted:.3f}"])
    header = ["press pictures", "accuracy", "mean recall", "neutral", "happiness", "ECE", "temperature"]
    title = f"{len(kept):,} faces, temperature of the model {model.temperature:.3f}, in percent:"
    return f"{title}\n\n{markdown_table(header, rows)}"


if __name__ == "__main__":
    print(run(tyro.cli(Options, description=__doc__)))
