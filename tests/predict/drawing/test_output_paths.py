"""Paths of what is written: each its own, in later runs as in the first, and never a source's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pytest

from halfsmile.faces.sources import MediaSource
from halfsmile.predict.drawing.output_paths import (
    OutputPaths,
    copy_path,
    output_paths_after,
    require_originals_kept,
)


def picture(name: str, place: str | None = None) -> MediaSource:
    return MediaSource("picture", name, PurePosixPath(place or name.partition("/")[2]), Path(), name)


def given(paths: OutputPaths, sources: Sequence[MediaSource]) -> list[str]:
    return [str(copy_path(source, paths.of(source))) for source in sources]


def test_every_source_has_a_place_of_its_own() -> None:
    names = ["a/x.jpg", "a/x.png", "a/x-2.png", "A/X.jpg", "b/x.gif"]
    sources = [picture(f"{root}/{name}") for root in ("r", "s") for name in names]
    paths = OutputPaths()
    found = given(paths, sources)
    assert len({name.lower() for name in found}) == len(sources)
    assert (found[0], found[-1]) == ("a/x.jpg", "b/x-2.png")
    assert given(paths, sources) == found == given(OutputPaths(), sources)
    assert not any(".." in Path(name).parts or Path(name).is_absolute() for name in found)


def test_no_file_is_named_as_a_folder() -> None:
    photo, member = picture("in/x.jpg"), picture("in/x.jpg.zip!a/b.jpg", "x.jpg/a/b.jpg")
    for sources in ([photo, member], [member, photo]):
        assert set(given(OutputPaths(), sources)) == {"x.jpg", "x.jpg_/a/b.jpg"}


def test_long_names_leave_room_for_what_is_put_behind_them() -> None:
    sources = [picture(f"in/{'ü' * 120}{end}.jpg") for end in "ab"]
    assert given(OutputPaths(), sources) == [f"{'ü' * 100}.jpg", f"{'ü' * 100}-2.jpg"]


def test_sources_of_an_earlier_run_keep_their_places() -> None:
    a, b, c = (picture(f"{root}/1.jpg") for root in "abc")
    assert given(output_paths_after(["b/1.jpg"], [a, b]), [a, b]) == ["1-2.jpg", "1.jpg"]
    assert given(output_paths_after(["b/1.jpg", "b/1.jpg", "a/1.jpg"], [a, b, c]), [a, b, c]) == [
        "1-2.jpg",
        "1.jpg",
        "1-3.jpg",
    ]
    assert given(output_paths_after(["./b/../b/1.jpg"], [a, b]), [a, b]) == ["1-2.jpg", "1.jpg"]


def test_places_of_sources_that_are_not_named_any_more_are_kept_free() -> None:
    new, deep = picture("new/1.jpg"), picture("new/b/1.jpg")
    paths = output_paths_after(["old/b/1.jpg", "old/pack.zip!in/two.png"], [new, deep])
    packed = picture("new/pack.zip!in/two.png", "pack/in/two.png")
    assert given(paths, [new, deep, packed]) == ["1-2.jpg", "b/1-2.jpg", "pack/in/two-2.png"]


def test_a_source_that_is_never_written_about_takes_no_place() -> None:
    broken, whole = picture("a/1.jpg"), picture("b/1.jpg")
    assert given(output_paths_after([], [broken, whole]), [whole]) == ["1.jpg"]
    assert given(output_paths_after(["b/1.jpg"], [broken, whole]), [broken, whole]) == ["1-2.jpg", "1.jpg"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("in/1.jpg", "1.png", "deep/1-face-2.png", "deep/a-face-x.png"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()


@pytest.mark.usefixtures("folder")
def test_no_copy_takes_the_place_of_a_source() -> None:
    inner, outer = picture("in/1.jpg"), picture("1.png", "1.png")
    for sources in ([outer], [inner, outer]):  # in/1.jpg may turn out to be broken and leave its place
        with pytest.raises(
            ValueError, match=r"copy would take the place of 1\.png in \..*another folder for --ann"
        ):
            require_originals_kept(sources, OutputPaths(), annotate=Path(), explain=None)
    require_originals_kept([inner], OutputPaths(), annotate=Path(), explain=Path("in"))


@pytest.mark.usefixtures("folder")
def test_no_explanation_takes_the_place_of_a_source() -> None:
    inner, face, other = picture("in/1.jpg"), picture("deep/1-face-2.png"), picture("deep/a-face-x.png")
    with pytest.raises(ValueError, match=r"explanation would take the place of deep/1-face-2\.png"):
        require_originals_kept([inner, face], OutputPaths(), annotate=None, explain=Path("deep"))
    require_originals_kept([inner, other, face], OutputPaths(), annotate=None, explain=Path("elsewhere"))
    require_originals_kept([inner, other], OutputPaths(), annotate=None, explain=Path("deep"))
