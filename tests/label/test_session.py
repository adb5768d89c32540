"""A whole session in Python: asked, answered, learned, killed, begun again."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.label.conftest import COUNT, NAMES, Opened, Pixels, click, say

from halfsmile.data.synthetic.folders import encode_png
from halfsmile.label.journal import read_events
from halfsmile.label.learn.head import fit_head
from halfsmile.label.learn.looking import Looking
from halfsmile.label.names import AnswerError
from halfsmile.label.parts import UnknownFaceError
from halfsmile.label.session import Labeling
from halfsmile.label.state import UnknownClassError

Drawn = tuple[Path, list[str]]


def test_it_learns_while_it_is_labeled(opened: Opened, drawn: Drawn) -> None:
    labeling = opened()
    assert labeling.learning.wait()
    for _ in range(2):
        click(labeling, drawn[1], 30)
        assert labeling.learning.wait()
    learned = labeling.learning.learned
    assert learned is not None
    assert learned.number >= 2
    others = [row for row in range(COUNT) if not labeling.state.is_answered(row)]
    guesses = [labeling.learning.guess(row) for row in others]
    right = [
        guess is not None and guess[0]["name"] == drawn[1][row]
        for row, guess in zip(others, guesses, strict=True)
    ]
    assert np.mean(right) > 0.6  # of three classes
    curve = labeling.learning.curve()
    assert curve["points"][-1]["tested"] == 9  # 15 % of 60
    assert curve["points"][-1]["interval"][0] < curve["points"][-1]["accuracy"]
    assert sum(curve["per_class"].values()) == 60


def test_what_is_kept_apart_teaches_nothing(opened: Opened, drawn: Drawn) -> None:
    labeling = opened(share=0.3)
    labeling.learning.wait()
    rows = click(labeling, drawn[1], 50)
    labeling.learning.train()
    assert labeling.learning.wait()
    kept = labeling.state.random_faces
    assert len(kept) == 15
    assert labeling.learning.learned is not None
    assert labeling.learning.learned.labels == len(set(rows) - kept)
    assert set(labeling.learning.learned.sampled.tolist()) <= set(rows) - kept


def test_begun_again_all_is_there(opened: Opened, drawn: Drawn) -> None:
    first = opened()
    first.learning.wait()
    rows = click(first, drawn[1], 40)
    first.learning.wait()
    first.close()
    again = opened()
    assert again.learning.wait()
    assert again.state.answered == 40
    assert again.state.random_faces == first.state.random_faces
    assert [point["answers"] for point in again.learning.curve()["points"]][:2] == [
        point["answers"] for point in first.learning.curve()["points"]
    ][:2]
    assert not set(click(again, drawn[1], 60)) & set(rows)


def test_kill_9_in_the_middle(drawn: Drawn, tmp_path: Path) -> None:
    program = (
        "import sys, json\nfrom halfsmile.label.session import Labeling\n"
        "labeling = Labeling.open(sys.argv[1], out=sys.argv[2], aligned=True, extractor=None)\n"
        "while True:\n"
        "    face = labeling.next('me')[0]['id']\n"
        "    labeling.answer('me', [{'face': face, 'kind': 'label', 'labels': ['anger']}])\n"
        "    print(face, flush=True)\n"
    )
    arguments = [sys.executable, "-c", program, str(drawn[0]), str(tmp_path / "out")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [process.stdout.readline().strip() for _ in range(20)]
        os.kill(process.pid, signal.SIGKILL)
        told += process.stdout.read().split()
    kept = [
        str(event["face"])
        for event in read_events(tmp_path / "out" / "answers.jsonl")
        if event["event"] == "answer"
    ]
    assert kept[: len(told)] == told
    assert len(kept) - len(told) <= 1  # one may be on the disk and not told
    with Labeling.open(drawn[0], out=tmp_path / "out", aligned=True, extractor=Pixels) as labeling:
        assert labeling.state.answered == len(kept)


def test_two_people_get_different_faces_and_then_second_opinions(opened: Opened, drawn: Drawn) -> None:
    labeling = opened()
    first = [face["id"] for face in labeling.next("a", count=20)]
    second = [face["id"] for face in labeling.next("b", count=20)]
    assert not set(first) & set(second)
    for face in first:
        say(labeling, face, "neutral", "a")
    asked = labeling.next("b", count=30, second=True)
    assert {face["id"] for face in asked} == set(first)
    for face in asked[:10]:
        say(labeling, face["id"], "happiness", "b")
    again = labeling.next("c", count=10, second=True)
    assert all(face["disputed"] for face in again)


def test_answers_of_many_threads_are_all_there(opened: Opened, drawn: Drawn) -> None:
    labeling = opened(trains=False)
    threads = [
        threading.Thread(target=click, args=(labeling, drawn[1], 20, name)) for name in ("a", "b", "c", "d")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert labeling.state.answered == 80
    faces = [e["face"] for e in read_events(labeling.journal.path) if e["event"] == "answer"]
    assert len(set(faces)) == 80


def test_a_token_is_counted_once(opened: Opened) -> None:
    labeling = opened()
    answer = {"face": "3", "kind": "label", "labels": ["neutral"], "token": "t"}
    assert labeling.answer("me", [answer, answer]) == {"answered": 1, "mine": 1}
    assert labeling.answer("me", [answer]) == {"answered": 1, "mine": 1}
    assert sum(event["event"] == "answer" for event in read_events(labeling.journal.path)) == 1


def test_undo_gives_the_face_back(opened: Opened) -> None:
    labeling = opened()
    face = labeling.next()[0]["id"]
    say(labeling, face, "neutral")
    back = labeling.undo()
    assert (back["face"]["id"], back["answered"]) == (face, 0)
    assert face not in [other["id"] for other in labeling.next(count=COUNT)]  # it lies before who undid it


def test_classes_renamed_while_training(
    opened: Opened, drawn: Drawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    labeling = opened(share=0.0)
    labeling.learning.wait()
    begun, go = threading.Event(), threading.Event()

    def slow(*arguments: Any, **options: Any) -> Any:
        begun.set()
        assert go.wait(20)
        return fit_head(*arguments, **options)

    monkeypatch.setattr("halfsmile.label.learn.learning.fit_head", slow)
    click(labeling, drawn[1], 30)
    assert begun.wait(20)
    labeling.change_classes(rename=("neutral", "calm"))
    labeling.change_classes(merge=("surprise", "happiness"))
    say(labeling, labeling.next()[0]["id"], "neutral")  # a page that does not know yet
    go.set()
    assert labeling.learning.wait()
    assert labeling.problems() == []
    assert labeling.state.classes == ["calm", "happiness"]
    row = next(row for row in range(COUNT) if labeling.learning.guess(row))
    guess = labeling.learning.guess(row)
    assert guess is not None
    assert {part["name"] for part in guess} == {"calm", "happiness"}
    assert labeling.learning.learned is not None
    assert set(labeling.learning.learned.head.classes) == {"calm", "happiness"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"add": "Neutral"}, "is a class 'Neutral' already"),
        ({"add": "a/b"}, "can't be a class"),
        ({"rename": ("fear", "calm")}, "There is no class 'fear'"),
        ({"rename": ("neutral", "happiness")}, "already"),
        ({"merge": ("neutral", "neutral")}, "two different classes"),
        ({}, "Say one of"),
    ],
)
def test_class_changes_that_make_no_sense(opened: Opened, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        opened().change_classes(**change)


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        ({"face": "999", "kind": "skip"}, UnknownFaceError, "There is no face '999'; ids are 0 to 119"),
        ({"face": "-1", "kind": "skip"}, UnknownFaceError, "no face"),
        ({"face": "1", "kind": "shrug"}, AnswerError, "kind of an answer is one of"),
        ({"face": "1", "kind": "label", "labels": []}, AnswerError, "one or more"),
        ({"face": "1", "kind": "label", "labels": ["fear"]}, UnknownClassError, "'fear' is no class here"),
        ({"face": "1", "kind": "votes", "votes": {"neutral": 0}}, AnswerError, "one is positive"),
        (
            {"face": "1", "kind": "votes", "votes": {"neutral": float("nan")}},
            AnswerError,
            "Votes are numbers",
        ),
    ],
)
def test_an_answer_that_can_not_be_taken_takes_none(
    opened: Opened, answer: dict[str, Any], error: type[ValueError], message: str
) -> None:
    labeling = opened()
    good = {"face": "2", "kind": "label", "labels": ["neutral"]}
    with pytest.raises(error, match=message):
        labeling.answer("me", [good, answer])
    assert labeling.state.answered == 0


def test_one_label_of_a_class_and_faces_that_are_all_the_same(tmp_path: Path) -> None:
    same = encode_png(np.full((24, 24, 3), 128, np.uint8))
    (tmp_path / "faces").mkdir()
    for i in range(30):
        (tmp_path / "faces" / f"{i:02d}.png").write_bytes(same)
    with Labeling.open(
        tmp_path / "faces",
        out=tmp_path / "out",
        classes="calm,glad",
        aligned=True,
        extractor=Pixels,
        share=0.0,
    ) as labeling:
        assert labeling.learning.wait()
        assert len(labeling.next(count=30)) == 1  # all are copies of one
        for row in range(12):
            say(labeling, row, "glad" if row == 3 else "calm")
        assert labeling.learning.wait()
        guess = labeling.learning.guess(20)
        assert guess is not None
        assert guess[0]["name"] == "calm"
        assert labeling.problems() == []


def test_a_picture_that_vanished_is_told_and_not_asked(drawn: Drawn, tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    folder.mkdir()
    for path in sorted(drawn[0].iterdir())[:20]:
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "0003.png").write_bytes(b"no picture")
    with Labeling.open(folder, out=tmp_path / "out", aligned=True, extractor=Pixels) as labeling:
        assert labeling.learning.wait()
        assert "1 pictures can't be read and are not asked, first 0003.png" in labeling.problems()[0]
        assert "3" not in [face["id"] for face in labeling.next(count=20)]


def test_other_faces_than_those_of_the_journal_are_refused(
    opened: Opened, drawn: Drawn, tmp_path: Path
) -> None:
    opened().close()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.png").write_bytes((drawn[0] / "0000.png").read_bytes())
    with pytest.raises(ValueError, match=r"holds answers about 120 faces of .*, and these are 1 others"):
        opened(faces=tmp_path / "other")


def test_labels_that_exist_are_a_start(opened: Opened, drawn: Drawn, tmp_path: Path) -> None:
    table = tmp_path / "known.csv"
    table.write_text("image,label\n" + "".join(f"{i:04d}.png,{drawn[1][i]}\n" for i in range(30)))
    labeling = opened(labels=[table])
    assert labeling.state.answered == 30
    assert labeling.state.annotators == ["file known.csv"]
    labeling.close()
    again = opened(labels=[table])
    assert again.state.answered == 30
    assert sum(event["event"] == "answer" for event in read_events(again.journal.path)) == 30


def test_labels_of_other_classes_say_which_classes_to_start_with(opened: Opened, tmp_path: Path) -> None:
    table = tmp_path / "known.csv"
    table.write_text("image,label\n0000.png,bored\n0001.png,glad\n0002.png,neutral\n")
    with pytest.raises(ValueError, match="--classes neutral,happiness,surprise,bored,glad, or"):
        opened(labels=[table])
    labeling = opened(labels=[table], classes="neutral,happiness,surprise,bored,glad")  # as it was told
    assert labeling.classes == [*NAMES, "bored", "glad"]
    assert labeling.state.answered == 3
    labeling.close()
    assert opened(classes="calm,sad").classes == [*NAMES, "bored", "glad"]  # there are answers by now


def test_the_classes_that_are_told_can_be_typed(opened: Opened, tmp_path: Path) -> None:
    table = tmp_path / "known.csv"
    table.write_text("image,label\n0000.png,Bored\n0001.png,bored\n0002.png,very happy\n")
    with pytest.raises(ValueError, match="Start with all of them") as told:
        opened(labels=[table])
    words = shlex.split(str(told.value).partition("Start with all of them, ")[2].partition(", or,")[0])
    assert words == ["--classes", "neutral,happiness,surprise,Bored,very happy"]
    labeling = opened(labels=[table], classes=words[1])
    assert labeling.state.per_class() == dict.fromkeys(NAMES, 0) | {"Bored": 2, "very happy": 1}


def test_a_label_that_can_be_no_class_is_to_be_renamed(opened: Opened, tmp_path: Path) -> None:
    table = tmp_path / "known.csv"
    table.write_text("image,label\n0000.png,on/off\n0001.png,bored\n")
    with pytest.raises(ValueError, match=r"'on/off' can't be a class: .* Rename it in the file\.$") as told:
        opened(labels=[table])
    assert "--classes" not in str(told.value)


def test_classes_that_a_model_learned_stay_though_all_is_taken_back(opened: Opened) -> None:
    first = opened(classes="calm,glad")
    assert first.learning.wait()
    for row in range(40):
        say(first, row, ("calm", "glad")[row % 2])
    assert first.learning.wait()
    assert first.learning.learned is not None
    for _ in range(40):
        first.undo("me")
    assert not first.state.by_face
    first.close()
    again = opened(classes="sad,mad")
    assert again.classes == ["calm", "glad"]
    for row in range(40):
        say(again, row, ("calm", "glad")[row % 2])
    assert again.learning.wait()
    assert again.learning.problems() == []
    assert again.learning.curve()["points"]


def test_a_label_file_of_other_faces_is_refused(opened: Opened, tmp_path: Path) -> None:
    table = tmp_path / "known.csv"
    table.write_text("image,label\nmy/cat.png,neutral\n")
    with pytest.raises(ValueError, match=r"None of the 1 faces that .*known\.csv names is in"):
        opened(labels=[table])
    opened()  # the folder was given back


def test_classes_are_checked(opened: Opened) -> None:
    for wrong, message in [
        ("calm", "two different classes"),
        ("calm,Calm", "two different classes"),
        ("calm,a/b", "can't be a class"),
    ]:
        with pytest.raises(ValueError, match=message):
            opened(classes=wrong)
    assert opened(classes="rafdb").state.classes[0] == "surprise"


def test_the_speed_leaves_pauses_out(opened: Opened, drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    labeling = opened(trains=False)
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for gap in (0.0, 1, 1, 1, 600, 1, 1):
        now[0] += gap
        click(labeling, drawn[1], 1)
    assert labeling.per_minute() == pytest.approx(60)
    assert labeling.per_minute("nobody") is None


def test_doubts_name_wrong_labels(opened: Opened, drawn: Drawn) -> None:
    labeling = opened(share=0.0)
    labeling.learning.wait()
    wrong = {}
    for row in range(100):
        label = drawn[1][row]
        if row % 20 == 7:
            label = wrong[row] = NAMES[(NAMES.index(label) + 1) % 3]
        say(labeling, row, label)
    labeling.learning.wait()
    labeling.learning.train()
    assert labeling.learning.wait()
    doubts = labeling.learning.doubts()
    found = set(doubts) & set(wrong)
    assert len(found) >= 3
    row = found.pop()
    say(labeling, row, wrong[row])  # looked at again, and meant
    assert row not in labeling.learning.doubts()


def test_the_journal_is_readable_by_any_tool(opened: Opened) -> None:
    labeling = opened()
    say(labeling, 3, "neutral")
    last = json.loads(labeling.journal.path.read_text(encoding="utf-8").splitlines()[-1])
    assert {key: last[key] for key in ("face", "image", "annotator", "kind", "labels")} == {
        "face": 3,
        "image": "0003.png",
        "annotator": "me",
        "kind": "label",
        "labels": ["neutral"],
    }


def test_a_name_in_two_spellings_is_not_two_people(opened: Opened) -> None:
    labeling = opened()
    say(labeling, 1, "neutral", "Jos\u00e9")
    say(labeling, 2, "neutral", "Jose\u0301")  # the same letters, otherwise composed
    assert labeling.state.annotators == ["Jos\u00e9"]
    with pytest.raises(AnswerError, match="José has answered here already: write the name so"):
        say(labeling, 3, "neutral", "jos\u00e9")
    labeling.change_classes(add="caf\u00e9")
    with pytest.raises(ValueError, match="There is a class 'Café' already"):
        labeling.change_classes(add="Cafe\u0301")
    labeling.change_classes(add="\U0001f469\u200d\U0001f680")
    assert labeling.state.classes[-2:] == ["caf\u00e9", "\U0001f469\u200d\U0001f680"]


def test_where_the_disk_was_full_faces_are_looked_at_again(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("halfsmile.label.learn.looking.AGAIN_SECONDS", 0.05)
    compute, tries = Looking._compute, []

    class Full(Pixels):
        def __init__(self) -> None:
            tries.append(1)
            if len(tries) < 3:
                raise OSError(28, "No space left on device")

    def compute_and_linger(looking: Looking, *arguments: Any, **named: Any) -> None:
        compute(looking, *arguments, **named)
        time.sleep(0.3)  # the features are there: what was wrong is told no longer

    monkeypatch.setattr(Looking, "_compute", compute_and_linger)
    labeling = opened(extractor=Full)
    assert labeling.learning.wait()
    assert len(tries) == 3
    assert labeling.problems() == []


def test_a_training_asked_for_too_early_waits_for_the_faces(opened: Opened, drawn: Drawn) -> None:
    go = threading.Event()

    class Late(Pixels):
        def __init__(self) -> None:
            assert go.wait(20)

    labeling = opened(extractor=Late, trains=False)
    click(labeling, drawn[1], 20)
    labeling.learning.train()
    with pytest.raises(ValueError, match="are being looked at first"):
        labeling.learning.train("finetune")
    go.set()
    assert labeling.learning.wait()
    assert labeling.learning.learned is not None
    assert labeling.learning.learned.answers == 20


def test_a_file_in_the_place_of_the_folder(opened: Opened, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"notes\.txt is a file; the answers need a folder"):
        opened(out=tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_labels_that_were_imported_and_taken_back_stay_away(opened: Opened, tmp_path: Path) -> None:
    table = tmp_path / "known.csv"
    table.write_text("image,label\n0000.png,neutral\n0001.png,surprise\n")
    labeling = opened(labels=[table])
    assert labeling.undo("file known.csv")["answered"] == 0
    labeling.close()
    assert opened(labels=[table]).state.answered == 0
