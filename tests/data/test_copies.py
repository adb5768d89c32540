"""Copies are found by their pixels, whatever the files are called, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from halfsmile.data.copies import (
    copies_of,
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
    assert copies_of(others, test) == [("color.png", "a.png"), ("x.bmp", "b.png"), ("z.tif", "a.png")]
    with pytest.raises(ValueError, match=r"3 of 4 unlabeled faces in web are test images, first color\.png"):
        require_no_test_faces("web", others, test)
    (note,) = notes_on_test_faces([None, others], test)
    assert note.startswith("3 training faces have the pixels of test faces, first color.png (a.png)")


def test_one_gray_level_makes_another_face(tmp_path: Path) -> None:
    test = faces(tmp_path / "test", a__png=1)
    changed = DecodedFaces(test.images.copy(), test.boxes, test.landmarks, test.manifest)
    changed.images[0, 5, 5, 0] ^= 1
    assert copies_of(changed, test) == []
    require_no_test_faces("web", changed, test)
    assert notes_on_test_faces([changed, None], test) == []
    assert copies_of(test, test) == [("a.png", "a.png")]


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
