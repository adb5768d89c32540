"""What is looked at is never written over."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from halfsmile.faces.sources import MediaSource
from halfsmile.predict.drawing.originals import require_originals_kept
from halfsmile.predict.drawing.places import Places


def picture(name: str) -> MediaSource:
    return MediaSource("picture", name, PurePosixPath(Path(name).name), Path(), name)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("in/1.jpg", "1.png", "deep/1-face-2.png", "deep/a-face-x.png"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()


def test_no_copy_takes_the_place_of_a_source() -> None:
    inner, outer = picture("in/1.jpg"), picture("1.png")
    for sources in ([outer], [inner, outer]):  # in/1.jpg may turn out to be broken and leave its place
        with pytest.raises(
            ValueError, match=r"copy would take the place of 1\.png in \..*another folder for --ann"
        ):
            require_originals_kept(sources, Places(), annotate=Path(), explain=None)
    require_originals_kept([inner], Places(), annotate=Path(), explain=Path("in"))


def test_no_explanation_takes_the_place_of_a_source() -> None:
    inner, face, other = picture("in/1.jpg"), picture("deep/1-face-2.png"), picture("deep/a-face-x.png")
    with pytest.raises(ValueError, match=r"explanation would take the place of deep/1-face-2\.png"):
        require_originals_kept([inner, face], Places(), annotate=None, explain=Path("deep"))
    require_originals_kept([inner, other, face], Places(), annotate=None, explain=Path("elsewhere"))
    require_originals_kept([inner, other], Places(), annotate=None, explain=Path("deep"))
