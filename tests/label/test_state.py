"""What answers come to, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from halfsmile.label.state import NothingToUndoError, State, UnknownClassError

BEGIN = {
    "event": "begin",
    "classes": ["calm", "glad", "sad"],
    "seed": 0,
    "data": "faces",
    "faces": 9,
    "fingerprint": "f",
}


def state_of(*events: dict[str, Any]) -> State:
    return State.of({"seq": i, "time": "", **event} for i, event in enumerate([BEGIN, *events], 1))


def answer(face: int, *labels: str, by: str = "me", **more: Any) -> dict[str, Any]:
    return {"event": "answer", "face": face, "annotator": by, "kind": "label", "labels": labels, **more}


def test_a_majority_is_the_label_and_a_tie_is_none() -> None:
    state = state_of(answer(1, "calm"), answer(1, "glad", by="a"))
    assert state.label(1) is None
    assert state.is_disputed(1)
    state.apply({"seq": 9, "time": "", **answer(1, "glad", by="b")})
    assert state.label(1) == "glad"
    assert state.votes(1) == {"calm": 1.0, "glad": 2.0}


def test_several_classes_of_one_person_share_one_vote() -> None:
    state = state_of(answer(1, "calm", "glad"), answer(1, "glad", by="a"))
    assert state.votes(1) == {"calm": 0.5, "glad": 1.5}
    votes = {"event": "answer", "face": 2, "annotator": "me", "kind": "votes", "votes": {"sad": 3, "calm": 1}}
    assert state_of(votes).votes(2) == {"sad": 0.75, "calm": 0.25}


def test_a_second_answer_of_one_person_takes_the_place_of_the_first() -> None:
    state = state_of(answer(1, "calm"), answer(1, "glad"))
    assert (state.label(1), state.answered, state.answered_by("me")) == ("glad", 1, 1)


def test_undo_brings_the_earlier_answer_back_and_takes_a_whole_grid() -> None:
    state = state_of(answer(1, "calm"), answer(1, "glad", batch=3), answer(2, "glad", batch=3))
    undone = state.to_undo("me")
    assert [a.face for a in undone] == [1, 2]
    state.apply({"seq": 9, "time": "", "event": "undo", "annotator": "me", "undone": [a.seq for a in undone]})
    assert (state.label(1), state.label(2), state.answered) == ("calm", None, 1)
    with pytest.raises(NothingToUndoError, match="nobody has given no answer"):
        state.to_undo("nobody")


def test_skips_answer_nothing() -> None:
    state = state_of({"event": "answer", "face": 1, "annotator": "me", "kind": "skip"})
    assert (state.answered, state.is_answered(1), state.annotators) == (0, False, [])


def test_what_is_no_face_is_left_out_unless_more_say_otherwise() -> None:
    no = {"event": "answer", "face": 1, "annotator": "me", "kind": "not_a_face"}
    state = state_of(no, answer(1, "calm", by="a"))
    assert state.is_left_out(1)
    assert state.is_disputed(1)
    assert state.label(1) is None
    assert state_of(no, answer(1, "calm", by="a"), answer(1, "calm", by="b")).label(1) == "calm"


def test_a_renamed_class_takes_its_answers_along() -> None:
    state = state_of(answer(1, "calm"), {"event": "class", "rename": ["calm", "still"]})
    assert state.classes == ["still", "glad", "sad"]
    assert state.label(1) == "still"
    assert state.resolve("calm") == "still"


def test_an_old_name_that_is_a_class_again_is_another_class() -> None:
    state = state_of(
        answer(1, "calm"),
        {"event": "class", "rename": ["calm", "still"]},
        {"event": "class", "add": "calm"},
        answer(2, "calm"),
    )
    assert (state.label(1), state.label(2)) == ("still", "calm")


def test_merging_adds_up_and_chains() -> None:
    state = state_of(
        answer(1, "calm", "sad"),
        {"event": "class", "merge": ["calm", "sad"]},
        {"event": "class", "rename": ["sad", "low"]},
    )
    assert state.classes == ["glad", "low"]
    assert state.votes(1) == {"low": 1.0}
    assert state.resolve("calm") == "low"
    with pytest.raises(UnknownClassError, match="'fear' is no class here; the classes are glad, low"):
        state.resolve("fear")


def test_a_label_given_twice_is_confirmed() -> None:
    assert state_of(answer(1, "calm"), answer(1, "calm")).confirmed == {1}
    assert state_of(answer(1, "calm"), answer(1, "calm"), answer(1, "glad")).confirmed == set()


def test_an_event_that_lacks_something_is_told() -> None:
    with pytest.raises(ValueError, match="Event 2 of the journal lacks 'face'"):
        state_of({"event": "answer", "annotator": "me", "kind": "skip"})
    state_of({"event": "of a later version"})
