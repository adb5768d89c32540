from __future__ import annotations

import importlib.util
import json
from dataclasses import replace

import pytest
from tests.predict.tables.test_columns import FACE

from halfsmile.predict.face import Face, Faces, NoFace
from halfsmile.predict.tables.columns import column_names


def test_results_are_plain_json() -> None:
    read = json.loads(json.dumps(FACE.to_dict()))
    assert (
        Face(
            **{
                **read,
                "box": tuple(read["box"]),
                "landmarks": tuple(tuple(point) for point in read["landmarks"]),
                "possible": tuple(read["possible"]),
                "picture_size": tuple(read["picture_size"]),
            }
        )
        == FACE
    )
    assert NoFace(source="a.jpg").to_dict() == {
        "source": "a.jpg",
        "frame": None,
        "time": None,
        "reason": "no face",
        "expression": None,
    }


@pytest.mark.skipif(importlib.util.find_spec("pandas") is None, reason="pandas is not installed")
def test_a_list_of_faces_makes_a_data_frame() -> None:
    frame = Faces([FACE, replace(FACE, landmarks=None, track=None)]).to_pandas()
    assert list(frame.columns) == column_names(["calm", "joy"], ["size"])
    assert frame["p_joy"].tolist() == [0.75, 0.75]
    assert frame["nose_x"].isna().tolist() == [False, True]
    assert len(Faces().to_pandas()) == 0


def test_without_pandas_a_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(ValueError, match="pip install pandas"):
        Faces([FACE]).to_pandas()
