from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import halfsmile
from halfsmile.data.preprocess import Image
from halfsmile.predict.drawing.overlay import draw
from halfsmile.predict.face import Face
from halfsmile.utils.colors import COLORS, OTHERS, color, rgb

FACE = Face(
    source="a",
    box=(150.0, 100.0, 300.0, 260.0),
    landmarks=None,
    score=1.0,
    expression="happiness",
    probabilities={"neutral": 0.2, "happiness": 0.7, "fear": 0.1},
    confidence=0.7,
    uncertain=False,
)


def ground(height: int = 400, width: int = 640) -> Image:
    return np.full((height, width, 3), 120, np.uint8)


def shade(image: Image, label: str) -> int:
    """Pixels of a label's color."""
    return int((image == np.array(rgb(label), np.uint8)).all(2).sum())


def on_edge(image: Image) -> float:
    """Share of the box's left edge, without its corners, that is in the color of the expression."""
    edge = image[110:250, 150]
    return float((edge == np.array(rgb("happiness"), np.uint8)).all(1).mean())


def test_uncertain_boxes_are_dashed() -> None:
    certain, uncertain = draw(ground(), [FACE]), draw(ground(), [replace(FACE, uncertain=True)])
    assert on_edge(certain) == 1
    assert 0.35 < on_edge(uncertain) < 0.75


def test_bars_are_as_long_as_the_probabilities() -> None:
    image = draw(ground(), [FACE])
    beside = image[:, 303:]
    lengths = {}
    for label in FACE.probabilities:
        columns = (beside == np.array(rgb(label), np.uint8)).all(2).sum(1)
        lengths[label] = int(columns.max())
    assert lengths["happiness"] > lengths["neutral"] > lengths["fear"] > 0
    assert lengths["neutral"] / lengths["happiness"] == pytest.approx(2 / 7, abs=0.06)


@pytest.mark.parametrize("side", [20, 60, 120])
def test_small_faces_of_large_pictures_are_not_covered(side: int) -> None:
    box = (2000.0, 1500.0, 2000.0 + side, 1500.0 + side)
    image = ground(4000, 6000)
    drawn = draw(image, [replace(FACE, box=box)])
    inner = drawn[1500 + side // 5 : 1500 + side * 4 // 5, 2000 + side // 5 : 2000 + side * 4 // 5]
    assert (inner == 120).all()
    changed = (drawn != image).any(2)
    assert changed.any(0).sum() < 12 * side + 200


def test_the_picture_itself_and_its_parts_without_faces_stay() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (400, 640, 3), np.uint8)
    before = picture.copy()
    drawn = draw(picture, [FACE])
    assert (picture == before).all()
    assert (drawn[:60] == picture[:60]).all()
    assert (drawn[300:] == picture[300:]).all()
    assert (draw(picture, []) == picture).all()
    gray = draw(picture[:, :, :1], [])
    assert (gray == picture[:, :, :1]).all()
    assert gray.shape == (400, 640, 3)


@pytest.mark.parametrize(
    "box",
    [
        (-50.0, -60.0, 90.0, 100.0),
        (560.0, 330.0, 720.0, 480.0),
        (0.0, 0.0, 640.0, 400.0),
        (300.0, 200.0, 303.0, 202.0),
        (-900.0, -900.0, -800.0, -800.0),
    ],
)
@pytest.mark.parametrize("uncertain", [False, True])
def test_faces_at_the_edge_and_beyond_can_be_drawn(
    box: tuple[float, float, float, float], uncertain: bool
) -> None:
    drawn = draw(ground(), [replace(FACE, box=box, uncertain=uncertain, track=7)])
    assert drawn.shape == (400, 640, 3)
    if box[2] > 0:
        assert shade(drawn, "happiness") > 0


def test_tiny_pictures_can_be_drawn() -> None:
    assert draw(ground(8, 5), [replace(FACE, box=(1.0, 1.0, 4.0, 6.0))]).shape == (8, 5, 3)


def test_colors_are_those_of_the_page() -> None:
    script = Path(halfsmile.__file__).parent / "serve" / "static" / "draw.js"
    if not script.is_file():
        pytest.skip("there is no page")
    on_page = dict(re.findall(r'(\w+): "(#[0-9a-f]{6})"', script.read_text(encoding="utf-8")))
    assert {label: on_page.get(label) for label in COLORS} == COLORS


def test_labels_of_ones_own_have_colors_too() -> None:
    assert color("bored", ("bored", "awake")) == OTHERS[0]
    assert color("awake", ("bored", "awake")) == OTHERS[1]
    assert color("unheard of") == "#777777"
