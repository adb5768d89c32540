"""What goes wrong around a session: clocks, a second server, faces that are moved."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.label.conftest import COUNT, Opened, Pixels, click, say

from halfsmile.data.preprocess import Image
from halfsmile.label import views
from halfsmile.label.asking import LEASE_SECONDS

Drawn = tuple[Path, list[str]]
HOUR = 3600.0


@pytest.fixture
def faces(drawn: Drawn, tmp_path: Path) -> Path:
    """A folder of faces that may be moved."""
    return Path(shutil.copytree(drawn[0], tmp_path / "faces"))


def test_a_clock_that_jumps_changes_neither_order_nor_speed_nor_leases(
    opened: Opened, drawn: Drawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    labeling = opened(trains=False)
    wall, steady = [1.7e9], [0.0]

    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(wall[0], UTC)

    monkeypatch.setattr("halfsmile.label.journal.datetime", Clock)
    monkeypatch.setattr(time, "time", lambda: wall[0])
    monkeypatch.setattr(time, "monotonic", lambda: steady[0])
    labeling.asking.clock = time.monotonic
    rows = []
    for jump in (1, -HOUR, 2, 100 * HOUR, -90 * HOUR, 1):
        wall[0] += jump
        steady[0] += 1
        rows += click(labeling, drawn[1], 1)
    assert labeling.per_minute() == pytest.approx(60)
    newest = views.faces(labeling, sort="newest", limit=6)["faces"]
    assert [int(face["id"]) for face in newest] == rows[::-1]
    assert labeling.undo()["face"]["id"] == str(rows[-1])
    held = {face["id"] for face in labeling.next("ann", count=5)}
    wall[0] += 1000 * HOUR
    assert not held & {face["id"] for face in labeling.next("ben", count=COUNT)}
    wall[0] -= 2000 * HOUR
    steady[0] += LEASE_SECONDS + 1
    assert held <= {face["id"] for face in labeling.next("cid", count=COUNT)}
    labeling.close()
    again = opened(trains=False)
    assert [answer.face for answer in again.state.history("me")] == rows[:-1]


def test_a_second_server_on_the_folder_is_one_sentence(opened: Opened, drawn: Drawn, tmp_path: Path) -> None:
    labeling = opened(trains=False)
    say(labeling, 1, "neutral")
    command = [sys.executable, "-m", "halfsmile", "label", str(drawn[0]), "--out", str(labeling.out)]
    second = subprocess.run([*command, "--port", "0", "--aligned"], capture_output=True, text=True)
    assert second.returncode == 1
    assert second.stdout == ""
    (said,) = second.stderr.splitlines()
    assert said.startswith(f"error: Another process is writing the labels in {labeling.out}.")
    assert "--out" in said
    say(labeling, 2, "neutral")  # the first goes on
    assert labeling.state.answered == 2


def test_faces_moved_while_they_are_looked_at_are_none_that_can_not_be_read(
    opened: Opened, faces: Path, drawn: Drawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("halfsmile.label.learn.looking.AGAIN_SECONDS", 0.05)
    monkeypatch.setattr("halfsmile.label.learn.features.PART", 50)
    elsewhere = faces.with_name("elsewhere")
    moves: list[Path] = []

    class Moving(Pixels):
        def __call__(self, images: Image) -> npt.NDArray[np.float32]:
            if not moves:
                moves.append(faces.rename(elsewhere))
            return super().__call__(images)

    labeling = opened(faces=faces, extractor=Moving)
    until = time.monotonic() + 20
    while not any("is no longer there. Bring it back" in said for said in labeling.problems()):
        assert time.monotonic() < until
        time.sleep(0.01)
    click(labeling, drawn[1], 10)  # who has the faces before them answers on
    assert labeling.asking.unreadable == set()
    elsewhere.rename(faces)
    assert labeling.learning.wait()
    assert labeling.problems() == []
    assert labeling.learning.features is not None
    assert labeling.learning.features.known.all()
    assert labeling.state.answered == 10


def test_moved_faces_are_found_at_their_new_place(opened: Opened, faces: Path, drawn: Drawn) -> None:
    labeling = opened(faces=faces)
    labeling.learning.wait()
    click(labeling, drawn[1], 20)
    labeling.learning.wait()
    elsewhere = faces.rename(faces.with_name("elsewhere"))
    click(labeling, drawn[1], 5)
    assert labeling.learning.wait()
    with pytest.raises(ValueError, match=r"0003\.png: can't be read"):
        labeling.pool.picture(3)
    labeling.close()
    with pytest.raises(ValueError, match=f"{faces} does not exist"):
        opened(faces=faces)
    again = opened(faces=elsewhere)
    assert again.learning.wait()
    assert again.state.answered == 25
    assert again.pool.picture(3)[1] == "image/png"
    assert again.problems() == []


def test_a_class_with_one_face_through_everything(opened: Opened, drawn: Drawn) -> None:
    labeling = opened(share=0.0, classes=["neutral", "happiness", "surprise", "fear"])
    labeling.learning.wait()
    rows = click(labeling, drawn[1], 30)
    say(labeling, rows[0], "fear")
    labeling.learning.train()
    assert labeling.learning.wait()
    assert labeling.problems() == []
    said: list[Any] = [labeling.learning.guess(row) for row in range(COUNT)]
    assert all({part["name"] for part in guess} <= set(labeling.state.classes) for guess in said)
    assert labeling.state.per_class()["fear"] == 1
    labeling.learning.doubts()
    views.grid(labeling, guess="fear", count=40)
