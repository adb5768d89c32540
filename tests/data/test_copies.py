"""Copies are found by their pixels, whatever the files are called, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from halfsmile.data.copies import (
    Pixels,
    copies_of,
    look_for_test_faces,
    notes_on_test_faces,
    require_no_test_faces,
    without_copies,
)
from halfsmile.data.images import DecodedFaces, load_faces
from halfsmile.data.readers import folder


def faces(root: Path, **pictures: int) -> DecodedFaces:
    """Noise of the given seeds as ``<name>.<suffix>``, named ``name__suffix``."""
    root.mkdir()
    for name, seed in pictures.items():
        pixels = np.random.default_rng(seed).integers(0, 256, (12, 12), dtype=np.uint8)
        cv2.imwrite(str(root / name.replace("__", ".")), pixels)
    return load_faces(folder.read(root), size=12, channels=1, progress=False)


def test_copies_are_found_in_another_format_and_in_color(tmp_path: Path) -> None:
    test = faces(tmp_path / "test", a__png=1, b__png=2)
    others = faces(tmp_path / "others", x__bmp=2, y__png=3, z__tif=1)
    color = np.random.default_rng(1).integers(0, 256, (12, 12), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "others/color.png"), cv2.cvtColor(color, cv2.COLOR_GRAY2BGR))
    others = load_faces(folder.read(tmp_path / "others"), size=12, channels=1, progress=False)
    pixels, tested = Pixels.of(others), Pixels.of(test)
    assert copies_of(pixels, tested) == [("color.png", "a.png"), ("x.bmp", "b.png"), ("z.tif", "a.png")]
    with pytest.raises(ValueError, match=r"3 of 4 unlabeled faces in web are test images, first color\.png"):
        require_no_test_faces("web", pixels, tested)
    (note,) = notes_on_test_faces([pixels], tested)
    assert note.startswith("3 training faces have the pixels of test faces, first color.png (a.png)")


def test_one_gray_level_makes_another_face(tmp_path: Path) -> None:
    test = faces(tmp_path / "test", a__png=1)
    changed = DecodedFaces(test.images.copy(), test.boxes, test.landmarks, test.manifest)
    changed.images[0, 5, 5, 0] ^= 1
    pixels, tested = Pixels.of(changed), Pixels.of(test)
    assert copies_of(pixels, tested) == []
    require_no_test_faces("web", pixels, tested)
    assert notes_on_test_faces([pixels], tested) == []
    assert copies_of(tested, tested) == [("a.png", "a.png")]


def test_copies_are_left_out_with_a_line_for_each_kind(tmp_path: Path) -> None:
    test, labeled = faces(tmp_path / "test", a__png=1), faces(tmp_path / "labeled", b__png=2, c__png=1)
    others = faces(tmp_path / "others", u__png=3, v__png=2, w__bmp=1, x__png=4)
    kept, notes = without_copies("web", others, {"test faces": test, "none": None, "labeled faces": labeled})
    assert kept.manifest.column("image") == ["u.png", "x.png"]
    np.testing.assert_array_equal(kept.images, others.images[[0, 3]])
    assert notes == [
        "1 faces of web have the pixels of test faces and were left out.",
        "1 faces of web have the pixels of labeled faces and were left out.",
    ]
    again, none = without_copies("web", kept, {"test faces": test})
    assert (len(again), none) == (2, [])


def test_pictures_that_cannot_be_read_are_no_copies_of_each_other() -> None:
    assert copies_of(Pixels(["a", "b"], [None, "1"]), Pixels(["c", "d"], [None, "1"])) == [("b", "d")]


def test_looking_without_decoded_faces_says_what_decoded_ones_say(tmp_path: Path) -> None:
    """The size and colors are those of training: a picture that is a copy there only is found."""
    test = faces(tmp_path / "test", a__png=1, b__png=2)
    faces(tmp_path / "train", x__bmp=2, y__png=3)
    small = np.repeat(np.repeat(test.images[0], 2, 0), 2, 1)
    cv2.imwrite(str(tmp_path / "train/large.png"), small)
    (tmp_path / "train/broken.png").write_bytes(b"no picture")
    parts, tested = folder.read(tmp_path / "train"), folder.read(tmp_path / "test")
    train = load_faces(parts, size=12, channels=1, progress=False)
    how = {"size": 12, "channels": 1, "seconds": 60.0}
    said = look_for_test_faces([parts], {}, tested, **how)  # type: ignore[arg-type]
    assert said[:1] == notes_on_test_faces([Pixels.of(train)], Pixels.of(test))
    assert said[1:] == ["1 pictures can't be read and will be left out, first broken.png."]
    assert said[0].startswith("2 training faces have the pixels of test faces, first large.png (a.png)")
    with pytest.raises(ValueError, match=r"2 of 4 unlabeled faces in web are test images, first large\.png"):
        look_for_test_faces([], {"web": parts}, tested, **how)  # type: ignore[arg-type]
    alone = parts.take([parts.column("image").index("y.png")])
    assert look_for_test_faces([alone], {}, tested, **how) == [  # type: ignore[arg-type]
        "No training face is an exact copy of a test face."
    ]


def test_looking_ends_when_time_is_up_and_says_so(tmp_path: Path) -> None:
    faces(tmp_path / "test", a__png=1)
    test = folder.read(tmp_path / "test")
    (said,) = look_for_test_faces([test], {"web": test}, test, size=12, channels=1, seconds=0.0)
    assert "was not looked for: to read 3 faces takes longer than 0 s" in said
    assert "halfsmile data check" in said
