"""A store is gone on with where the data are what they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from halfsmile.data.store.write import StoredFace, StoreWriter
from halfsmile.faces.prepare.earlier import require_same_sources as require
from halfsmile.faces.prepare.sources import FaceSource
from halfsmile.taxonomy import from_labels

CLASSES = from_labels(["happy", "sad"])
DATA = b"\xff\xd8\xff of a face"


def require_same_sources(store: Path, sources: list[FaceSource]) -> list[str]:
    return require(store, sources, lambda source: [])


def picture(name: str, **said: object) -> FaceSource:
    return FaceSource(name, Path(), name, said=said)


def part(name: str, **said: object) -> FaceSource:
    return FaceSource(name, Path(), is_video=True, said=said)


def store_of(root: Path, *sources: FaceSource, is_finished: bool = True) -> Path:
    """Two faces of each source."""
    writer = StoreWriter(root, taxonomy=CLASSES)
    for source in sources:
        said = {name: value for name, value in source.said.items() if name != "box"}
        writer.add(source.name, [StoredFace(DATA, 4, 4, **said)] * 2)
    writer.leave_out("bad.mp4#t=7,8", "it ends before 7 s")
    writer.commit()
    writer.__exit__(*(None, None, None) if is_finished else (KeyError, KeyError(), None))
    return root


@pytest.mark.parametrize("is_finished", [True, False])
def test_the_same_sources_and_more_may_be_given(tmp_path: Path, is_finished: bool) -> None:
    sources = [
        picture("a.png", label="happy", votes=[0.9, 0.1], box=[0.0, 0.0, 4.0, 4.0]),
        picture("b.png"),
        part("c.mp4#t=0,1", label="sad", person="S1", split="test"),
    ]
    store_of(tmp_path, *sources, is_finished=is_finished)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert require_same_sources(tmp_path, sources) == []
    more = [picture("0.png", label="sad"), *sources, part("c.mp4#t=1,2", label="happy"), part("bad.mp4")]
    assert require_same_sources(tmp_path, more) == []
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ({"label": "sad"}, "label happy / sad"),
        ({"label": None}, "label happy / none"),
        ({"person": "S2"}, "person none / S2"),
        ({"split": "test"}, "split train / test"),
        ({"votes": [0.5, 0.5]}, "votes 0.75 0.25 / 0.5 0.5"),
    ],
)
@pytest.mark.parametrize("is_finished", [True, False])
def test_what_is_said_otherwise_is_refused(
    tmp_path: Path, now: dict[str, object], told: str, is_finished: bool
) -> None:
    said = {"label": "happy", "split": "train", "votes": [0.75, 0.25]}
    names = ("a.png", "b.png", "c.png")
    store_of(tmp_path, *(picture(name, **said) for name in names), is_finished=is_finished)
    others = {name: value for name, value in (said | now).items() if value is not None}
    given = [picture("a.png", **said), picture("b.png", **others), picture("c.png", **others)]
    with pytest.raises(ValueError, match=rf"is said now of 2 of its sources, first b\.png \({told}\).*--out"):
        require_same_sources(tmp_path, given)


def test_further_parts_of_a_stored_video_may_be_added(tmp_path: Path) -> None:
    store_of(tmp_path, part("a.mp4#t=0,1", label="happy"))
    (note,) = require_same_sources(
        tmp_path, [part("a.mp4#t=1,2", label="sad"), part("a.mp4#t=5", label="sad")]
    )
    assert "1 sources of" in note


@pytest.mark.parametrize("now", ["a.mp4", "a.mp4#t=0,1.2", "a.mp4#t=0.5"])
def test_other_parts_of_a_stored_video_are_refused(tmp_path: Path, now: str) -> None:
    store_of(tmp_path, part("a.mp4#t=0,1", label="happy"), part("a.mp4#t=1,2", label="sad"))
    with pytest.raises(
        ValueError,
        match=r"2 parts .* and overlap those that are, first a\.mp4#t=0,1",
    ):
        require_same_sources(tmp_path, [part(now, label="happy")])


def test_sources_that_are_gone_stay_and_are_told_of(tmp_path: Path) -> None:
    store_of(tmp_path, picture("a.png"), picture("b.png"), part("v.mp4"))
    (note,) = require_same_sources(tmp_path, [picture("a.png"), part("w.mp4")])
    assert note.startswith("2 sources of")
    assert "not given now, first b.png" in note
