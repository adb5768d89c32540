from __future__ import annotations

import numpy as np
import pytest

from halfsmile.predict.drawing.explain_picture import HEIGHT, PANEL, WIDTH, draw_explanation
from halfsmile.predict.explain import COLD, WARM, Explanation
from halfsmile.predict.face import Face


def explanation(importance: np.ndarray, *, channels: int = 1, uncertain: bool = False) -> Explanation:
    face = Face(
        source="a.jpg",
        box=(0, 0, 9, 9),
        landmarks=None,
        score=0.9,
        expression="überrascht",
        probabilities={"überrascht": 0.8, "other": 0.2},
        confidence=0.8,
        uncertain=uncertain,
    )
    crop = np.full((30, 30, channels), 120, np.uint8)
    return Explanation(face, crop, 0.8, importance.astype(np.float32))


def spot(value: float) -> np.ndarray:
    """The lower right quarter matters."""
    importance = np.zeros((30, 30))
    importance[15:, 15:] = value
    return importance


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("value", "stronger"), [(0.4, 0), (-0.4, 2)])
def test_the_map_lies_over_the_right_panel_only(channels: int, value: float, stronger: int) -> None:
    picture = draw_explanation(explanation(spot(value), channels=channels)).astype(int)
    assert picture.shape == (HEIGHT, WIDTH, 3)
    gap = (WIDTH - 2 * PANEL) // 3
    top = HEIGHT - 68 - PANEL
    seen = picture[top : top + PANEL, gap : gap + PANEL]
    rests = picture[top : top + PANEL, WIDTH - gap - PANEL : WIDTH - gap]
    assert (seen == 120).all()
    assert (rests[: PANEL // 3] == 120).all()
    corner = rests[PANEL * 3 // 4, PANEL * 3 // 4]
    assert corner[stronger] - corner[2 - stronger] > 80


def test_the_key_shows_both_colors() -> None:
    picture = draw_explanation(explanation(spot(0.4)))
    for tint in (WARM, COLD):
        assert (picture[-60:] == tint).all(axis=2).sum() >= 14 * 14


def test_doubt_is_said_and_long_names_stay_inside() -> None:
    sure, unsure = (draw_explanation(explanation(spot(0.4), uncertain=flag)) for flag in (False, True))
    assert (sure[:60] != unsure[:60]).any()
    assert (sure[60:] == unsure[60:]).all()
    named = draw_explanation(explanation(spot(0.4)), "x" * 500)
    assert (named[:60] != sure[:60]).any()
    ink_of_answer = (sure[:60] != sure[0, 0]).any(axis=(0, 2)).nonzero()[0].max()
    np.testing.assert_array_equal(named[:60, : ink_of_answer + 1], sure[:60, : ink_of_answer + 1])
    assert (named[:60, -8:] == named[0, 0]).all()
