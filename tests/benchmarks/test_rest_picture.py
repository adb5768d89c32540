"""The picture of a generated person with and without their rest."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
from benchmarks.rest_picture import SHOWN, clip, looks, picture, related, smiling

from halfsmile.predict.model import ExpressionModel
from halfsmile.predict.predictor import Predictor


def test_it_shows_frames_and_both_ways_to_answer() -> None:
    predictor = Predictor(ExpressionModel.load(None, threads=1, device="cpu"), detector="aligned")
    images, faces = clip(8, 0.35, 12)
    before = looks(predictor, images, faces)
    after = related(predictor, before)
    assert len(before) == len(after) == 12
    assert (smiling(after) >= smiling(before)).all()  # nothing falls
    drawn = picture(images, before, after, predictor.labels)
    root = ElementTree.fromstring(drawn)  # noqa: S314 - drawn here
    space = "{http://www.w3.org/2000/svg}"
    assert len(root.findall(f"{space}image")) == SHOWN
    titles = [drawn.findtext(f"{space}text") for drawn in root.findall(f"{space}svg")]
    assert titles == ["each frame for itself", "--baseline person"]


def test_the_person_rests_at_both_ends_and_smiles_between() -> None:
    still = [np.abs(a.astype(int) - b).mean() for a, b in zip(*_ends_and_middle(), strict=True)]
    assert still[0] < still[1]


def _ends_and_middle() -> tuple[list[np.ndarray], list[np.ndarray]]:
    images, faces = clip(8, 1.0, 21)
    x0, x1 = (int(faces[0].landmarks[k][0]) for k in (3, 4))  # type: ignore[index]
    y = int(faces[0].landmarks[3][1])  # type: ignore[index]
    mouths = [image[y - 15 : y + 15, x0 - 8 : x1 + 8] for image in images]
    return [mouths[0], mouths[0]], [mouths[20], mouths[10]]
