from __future__ import annotations

import numpy as np
import pytest
from benchmarks.photographs import Count, collage, resized, turned

from halfsmile.predict.face import Face


def face(left: float, top: float, expression: str = "anger", *, uncertain: bool = False) -> Face:
    return Face(
        source="x",
        box=(left, top, left + 30, top + 30),
        landmarks=None,
        score=0.9,
        expression=expression,
        probabilities={expression: 1.0},
        confidence=1.0,
        uncertain=uncertain,
    )


@pytest.mark.parametrize("degrees", [0, 45, 90, 180, 270])
def test_a_point_is_where_its_pixel_is(degrees: int) -> None:
    image = np.zeros((60, 90, 3), np.uint8)
    image[10:13, 70:73] = 255
    view, move = turned(image, degrees)
    rows, columns = np.nonzero(view[:, :, 0] > 100)
    np.testing.assert_allclose(move(np.array([[71.5, 11.5]]))[0], [columns.mean(), rows.mean()], atol=1)


def test_faces_are_counted_by_their_places_and_answers() -> None:
    count = Count()
    truth = [face(0, 0), face(100, 0), face(200, 0)]
    seen = [face(2, 1), face(101, 0, "fear"), face(300, 0, uncertain=True)]
    count.add(truth, np.array([[15.0, 15], [115, 15], [215, 15]]), seen, 1.0)
    assert (count.truth, count.found, count.extra, count.other) == (3, 2, 1, 1)
    assert (count.certain, count.other_certain) == (2, 1)
    assert count.row("as is").startswith("| as is | 2 of 3, 1 more | 1 | 1 | 2 | 1 |")


def test_a_collage_tells_where_its_pictures_are() -> None:
    image = np.full((300, 1000, 3), 7, np.uint8)
    sheet, places = collage([image, image])
    for factor, left, top in places:
        assert factor == 0.5
        assert (sheet[int(top) : int(top) + 150, int(left) : int(left) + 500] == 7).all()
    assert resized(image, 2)[0].shape == (600, 2000, 3)
