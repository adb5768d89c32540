"""Taking back one answer by its token, so that a page may ask again after a lost connection."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from halfsmile.data.synthetic import generate
from halfsmile.data.synthetic.folders import encode_png
from halfsmile.label.session import Labeling


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """A folder of six small pictures."""
    folder = tmp_path / "faces"
    folder.mkdir()
    for i, image in enumerate(generate(6, size=24, seed=1, people=6).images):
        (folder / f"{i}.png").write_bytes(encode_png(np.asarray(image)))
    return folder


def test_a_token_takes_back_its_answer_once_and_no_other(faces: Path, tmp_path: Path) -> None:
    def begin() -> Labeling:
        return Labeling.open(
            faces, out=tmp_path / "labels", classes=["calm", "glad"], aligned=True, trains=False
        )

    def given(face: str, label: str, token: str) -> dict[str, object]:
        return {"face": face, "kind": "label", "labels": [label], "token": token}

    with begin() as labeling:
        labeling.answer("me", [given("1", "calm", "a"), given("2", "calm", "b"), given("1", "glad", "c")])
        undone = labeling.undo("me", "c")
        assert (undone["face"]["id"], undone["answered"]) == ("1", 2)
        assert labeling.state.label(1) == "calm"
        labeling.undo("me", "b")
        assert labeling.undo("me", "b") == {"face": None, "faces": [], "answered": 1, "mine": 1}
        assert labeling.undo("me", "never came")["face"] is None
        assert labeling.undo("ann", "a")["face"] is None
        labeling.answer("me", [given("2", "calm", "b")])  # a token that was taken back is not taken again
        assert labeling.state.answered == 1
    with begin() as labeling:
        assert labeling.undo("me", "a")["answered"] == 0
