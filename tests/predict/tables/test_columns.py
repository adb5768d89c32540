from __future__ import annotations

from dataclasses import replace

from halfsmile.predict.face import Face, NoFace
from halfsmile.predict.tables.columns import column_names, flat_row, openface_names, openface_row, rounded

POINTS = ((1.0, 2.0), (3.0, 4.0), (5.0, 6.0), (7.0, 8.0), (9.0, 10.0))
FACE = Face(
    source="clip.mp4",
    frame=7,
    time=0.28,
    box=(10.5, 20.0, 30.0, 44.25),
    landmarks=POINTS,
    score=0.98765432,
    track=3,
    expression="joy",
    probabilities={"calm": 0.25, "joy": 0.75},
    confidence=0.75,
    uncertain=False,
    possible=("joy", "calm"),
    quality={"size": 0.5},
    pose={"yaw": -3.5, "pitch": 2.0, "roll": 0.1},
    picture_size=(640, 480),
)


def test_the_order_of_the_columns_is_fixed() -> None:
    names = column_names(["calm", "joy"], ["size"])
    line = (
        "source,frame,time,track,x0,y0,x1,y1,score,expression,confidence,uncertain,doubt,possible,p_calm,p_joy,"
        "left_eye_x,left_eye_y,right_eye_x,right_eye_y,nose_x,nose_y,left_mouth_x,left_mouth_y,"
        "right_mouth_x,right_mouth_y,yaw,pitch,roll,width,height,picture_width,picture_height,quality_size,reason"
    )
    assert ",".join(names) == line
    assert set(flat_row(FACE)) == set(names) - {"reason"}
    assert set(flat_row(NoFace(source="a"))) < set(names)


def test_shares_of_votes_follow_the_probabilities() -> None:
    names = column_names(["calm", "joy"], votes=True)
    assert names[names.index("p_joy") + 1 :][:2] == ["votes_calm", "votes_joy"]
    row = flat_row(replace(FACE, votes={"calm": 0.4, "joy": 0.6}))
    assert (row["votes_calm"], row["votes_joy"]) == (0.4, 0.6)


def test_every_value_stands_in_its_column() -> None:
    row = flat_row(FACE)
    assert [row[name] for name in ("x0", "y0", "x1", "y1")] == [10.5, 20.0, 30.0, 44.25]
    assert (row["frame"], row["time"], row["track"]) == (7, 0.28, 3)
    assert (row["p_calm"], row["p_joy"], row["possible"]) == (0.25, 0.75, "joy|calm")
    assert flat_row(replace(FACE, possible=None))["possible"] is None
    assert (row["left_eye_x"], row["left_eye_y"], row["right_mouth_y"]) == (1.0, 2.0, 10.0)
    assert row["quality_size"] == 0.5
    assert [row[name] for name in ("yaw", "pitch", "roll")] == [-3.5, 2.0, 0.1]
    assert [row[name] for name in ("width", "height")] == [19.5, 24.25]
    assert [row[name] for name in ("picture_width", "picture_height")] == [640, 480]
    assert flat_row(NoFace(source="a", frame=2, time=0.1, reason="why")) == {
        "source": "a",
        "frame": 2,
        "time": 0.1,
        "reason": "why",
    }


def test_numbers_are_rounded_but_not_changed_in_kind() -> None:
    row = rounded(flat_row(FACE))
    assert row["score"] == 0.9877
    assert row["uncertain"] is False
    assert row["frame"] == 7
    assert isinstance(row["frame"], int)


def test_openface_has_its_own_names_and_counts() -> None:
    names = openface_names(["calm", "joy"])
    assert names[:5] == ["frame", "face_id", "timestamp", "confidence", "success"]
    assert names[5:15] == [*(f"x_{i}" for i in range(5)), *(f"y_{i}" for i in range(5))]
    row = openface_row(FACE)
    assert set(row) == set(names) - {"reason"}
    assert names[-1] == "reason"
    assert (row["frame"], row["face_id"], row["timestamp"], row["success"]) == (8, 2, 0.28, 1)
    assert [row[f"x_{i}"] for i in range(5)] == [1, 3, 5, 7, 9]
    assert [row[f"y_{i}"] for i in range(5)] == [2, 4, 6, 8, 10]
    missing = openface_row(NoFace(source="a", frame=0, time=0.0))
    assert (missing["frame"], missing["confidence"], missing["success"]) == (1, 0.0, 0)
    assert missing["reason"] == "no face"


def test_where_certainty_is_unknown_the_cell_is_empty() -> None:
    assert flat_row(replace(FACE, uncertain=None))["uncertain"] is None
