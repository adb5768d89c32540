from __future__ import annotations

from typing import Any

import pytest

from halfsmile.predict.face import Face, Faces, NoFace
from halfsmile.predict.options.selection import Selection


def face(left: float, top: float, side: float, score: float = 0.9) -> Face:
    return Face(
        source="a",
        box=(left, top, left + side, top + side),
        landmarks=None,
        score=score,
        expression="calm",
        probabilities={"calm": 1.0},
        confidence=1.0,
        uncertain=False,
        picture_size=(400, 200),
    )


SMALL, LARGE, DOUBTFUL = face(10, 10, 20), face(300, 50, 100), face(150, 20, 150, score=0.65)
FACES = Faces([SMALL, LARGE, DOUBTFUL])


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ({}, [SMALL, LARGE, DOUBTFUL]),
        ({"largest_only": True}, [DOUBTFUL]),
        ({"min_score": 0.8}, [SMALL, LARGE]),
        ({"min_score": 0.8, "largest_only": True}, [LARGE]),
        ({"min_score": 1.0}, []),
        ({"min_score": 1.0, "largest_only": True}, []),
        ({"region": (0, 0, 0.5, 1)}, [SMALL]),
        ({"region": (0.5, 0, 1, 1)}, [LARGE, DOUBTFUL]),
        ({"region": (0, 0, 1, 0.2)}, [SMALL]),
        ({"region": (0, 0, 200, 200)}, [SMALL]),
        ({"region": (200, 0, 400, 200)}, [LARGE, DOUBTFUL]),
        ({"region": (0.5, 0, 1, 1), "largest_only": True, "min_score": 0.7}, [LARGE]),
    ],
)
def test_faces_are_chosen_by_all_that_is_asked_for(options: dict[str, Any], chosen: list[Face]) -> None:
    assert Selection(**options).choose(FACES) == chosen
    assert Selection(**options).takes_all == (not options)


def test_faces_that_were_left_out_before_stay_told() -> None:
    faces = Faces([SMALL])
    faces.left_out = (NoFace(source="a", reason="odd"),)
    assert Selection(min_score=1.0).choose(faces).left_out == faces.left_out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"min_score": 1.5}, "min_score must lie between 0 and 1"),
        ({"region": (0, 0, 0, 1)}, "left < right"),
        ({"region": (0, -1, 1, 1)}, "none below 0"),
        ({"region": (0, 0, 1)}, "left, top, right and bottom"),
        ({"region": (0, 0, 1, float("nan"))}, "none below 0"),
    ],
)
def test_what_is_out_of_range_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Selection(**options)
