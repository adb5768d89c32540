"""Folders of numbered pictures as recordings."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from tests.predict.conftest import scene, write_picture

from halfsmile.faces.recordings import as_recordings, look_like_frames, recorded_frames
from halfsmile.faces.sources import MediaSource, find_sources


def found(folder: Path, names: list[str]) -> tuple[MediaSource, ...]:
    for name in names:
        write_picture(folder / name, scene([]))
    return find_sources([folder]).items


def test_each_folder_is_a_video_in_natural_order(tmp_path: Path) -> None:
    items = found(tmp_path, ["a/f10.png", "a/f9.png", "a/f1.png", "b/x.png", "top.png"])
    recordings = as_recordings(items)
    assert [(r.kind, r.name) for r in recordings] == [
        ("video", str(tmp_path / "a")),
        ("video", str(tmp_path / "b")),
        ("video", str(tmp_path)),
    ]
    assert [Path(p.name).name for p in recordings[0].pictures] == ["f1.png", "f9.png", "f10.png"]
    assert [str(r.place) for r in recordings] == ["a", "b", tmp_path.name]


def test_archives_have_folders_too(tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "p.png", scene([]))
    with zipfile.ZipFile(tmp_path / "pack.zip", "w") as archive:
        for name in ("in/2.png", "in/10.png", "3.png"):
            archive.write(picture, name)
    recordings = as_recordings(find_sources([tmp_path / "pack.zip"]).items)
    assert sorted((r.name, len(r.pictures)) for r in recordings) == [
        (str(tmp_path / "pack.zip"), 1),
        (f"{tmp_path / 'pack.zip'}!in", 2),
    ]


def test_frames_keep_number_and_time(tmp_path: Path) -> None:
    (recording,) = as_recordings(found(tmp_path / "a", [f"f{i}.png" for i in range(7)]))
    frames = list(recorded_frames(recording, fps=10, every=3))
    assert [frame.index for frame in frames] == [0, 3, 6]
    assert [frame.time for frame in frames] == pytest.approx([0, 0.3, 0.6])


@pytest.mark.parametrize(
    ("names", "asks"),
    [
        ([f"f{i}.png" for i in range(1, 13)], True),
        ([f"cam2_{i:05d}.png" for i in range(100, 112)], True),
        ([f"f{i}.png" for i in range(1, 9)], False),  # few
        ([f"f{3 * i}.png" for i in range(12)], False),  # gaps
        ([f"{'abcdefghijkl'[i]}{i}.png" for i in range(12)], False),  # other names
        ([f"{'abcdefghijkl'[i]}.png" for i in range(12)], False),  # no numbers
    ],
)
def test_what_looks_like_frames_is_asked_about(tmp_path: Path, names: list[str], asks: bool) -> None:
    assert bool(look_like_frames(found(tmp_path / "a", names))) == asks
