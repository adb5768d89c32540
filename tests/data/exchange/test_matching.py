"""Which face a name means: never one of another folder, and never one face by the names of two pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from halfsmile.data.exchange.import_labels import import_labels
from halfsmile.data.exchange.matching import Found, Rows
from halfsmile.data.manifest import LeftOut, Manifest
from halfsmile.data.store.read import read as read_store
from halfsmile.data.store.write import StoredFace, StoreWriter
from halfsmile.taxonomy import from_names

LABELS = from_names(["happy", "sad"])


def found(root: Path, locators: Sequence[str], names: Sequence[str]) -> Found:
    manifest = Manifest.from_rows([{"image": locator} for locator in locators], root, LABELS)
    return Rows(manifest, Path("/tables")).find(names)


def store(root: Path, sources: Sequence[str]) -> Manifest:
    data = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    with StoreWriter(root) as writer:
        for source in sources:
            writer.add(source, [StoredFace(data, width=8, height=8)])
    return read_store(root)


@pytest.mark.parametrize(
    ("root", "name"),
    [
        ("faces/train", "test/1.jpg"),
        ("faces/train", "/home/ann/faces/test/1.jpg"),
        ("faces/train/images", "val/images/1.jpg"),
        ("faces/Training", "PrivateTest/1.jpg"),
    ],
)
def test_the_picture_of_another_split_is_another_picture(root: str, name: str) -> None:
    assert found(Path(root), ["1.jpg", "2.jpg"], [name]).rows == {}


@pytest.mark.parametrize(
    ("root", "name"),
    [
        ("faces/train", "train/1.jpg"),
        ("faces/train", "Training/1.jpg"),
        ("faces/train", "/home/ann/pictures/1.jpg"),
        ("faces/train", "/home/ann/test/train/1.jpg"),
        ("faces/all", "test/1.jpg"),
    ],
)
def test_pictures_that_moved_are_known(root: str, name: str) -> None:
    assert found(Path(root), ["1.jpg", "2.jpg"], [name]).rows == {name: 0}


def test_of_two_names_the_one_with_the_folder_of_the_pictures_means_them() -> None:
    names = ["anna/1.jpg", "ben/1.jpg", "ben/2.jpg", "anna/3.jpg"]
    meant = found(Path("faces/anna"), ["1.jpg", "2.jpg", "3.jpg"], names)
    assert meant.rows == {"anna/1.jpg": 0, "anna/3.jpg": 2}
    assert meant.rivals == {"ben/1.jpg": "anna/1.jpg"}
    moved = [f"/home/kim/{name}" for name in names]
    assert found(Path("faces/anna"), ["1.jpg", "2.jpg", "3.jpg"], moved).rows == {moved[0]: 0, moved[3]: 2}
    meant = found(Path("faces/anna"), ["1.jpg", "2.jpg"], ["1.jpg", "ben/1.jpg", "ben/2.jpg"])
    assert meant.rows == {"1.jpg": 0}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("kim/1.jpg", "ben/1.jpg"),
        ("0a1b2c3d-1.jpg", "99999999-1.jpg"),
        ("/one/images/0000000.jpg", "/two/images/0000000.jpg"),
        ("https://one.org/1.jpg?token=1", "https://two.org/1.jpg?token=1"),
        ("kim/1.JPG", "kim/1.jpg"),
    ],
)
def test_neither_of_two_names_that_fit_as_well_means_a_face(one: str, other: str) -> None:
    meant = found(Path("faces/anna"), ["1.jpg", "b.jpg"], [one, other, "elsewhere/b.jpg"])
    assert meant.rows.keys() <= {"elsewhere/b.jpg"}
    assert meant.rivals == {one: other, other: one}
    if "ben" in other:
        assert meant.rows == {}  # the table has pictures of several folders, so this one may be of another


def test_two_forms_of_one_path_are_one_picture() -> None:
    for forms in (
        ["1.jpg", "/data/faces/1.jpg", "../data/faces/1.jpg"],
        ["kim/1.jpg", "./kim/1.jpg", "kim\\1.jpg"],
        ["https://one.org/1.jpg?token=1", "https://one.org/1.jpg?token=2"],
    ):
        meant = found(Path("/data/faces"), ["1.jpg", "2.jpg"], forms)
        assert meant.rows == dict.fromkeys(forms, 0)
        assert meant.rivals == {}


def test_rivals_are_counted_and_named(tmp_path: Path) -> None:
    manifest = Manifest.from_rows([{"image": "1.jpg"}, {"image": "b.jpg"}], tmp_path / "anna", LABELS)
    path = tmp_path / "labels.csv"
    path.write_text("image,label\nkim/1.jpg,happy\nben/1.jpg,sad\nkim/1.jpg,sad\nb.jpg,sad\nb.jpg,sad\n")
    labeled = import_labels(manifest, path)
    assert (labeled.column("label"), labeled.column("votes")) == ([None, "sad"], [None, [0, 1]])
    counts, told = labeled.notes
    assert counts == "Labels from labels.csv: 2 not found, 1 set. First not found: kim/1.jpg."
    assert isinstance(told, LeftOut)
    assert "first kim/1.jpg and ben/1.jpg" in told
    path.write_text("image,label\nkim/1.jpg,happy\nben/1.jpg,sad\n")
    with pytest.raises(ValueError, match=r"first kim/1\.jpg and ben/1\.jpg"):
        import_labels(manifest, path)


def test_numbers_of_our_exports_count_only_where_no_picture_has_such_a_name() -> None:
    numbered = [f"images/{number:07d}.jpg" for number in (0, 1, 3, 4)]
    names = ["images/0000002.jpg", "images/0000003.jpg"]
    assert found(Path("root"), numbered, names).rows == {names[1]: 2}
    assert found(Path("root/images"), [f"{name[7:-4]}.png" for name in numbered], names).rows == {}
    assert found(Path("root"), ["a.jpg", "b.jpg", "c.jpg"], names).rows == {names[0]: 2}


def test_a_picture_of_several_rows_is_one_of_several_faces(tmp_path: Path) -> None:
    faces = store(tmp_path / "store", ["two/p.jpg", "two/p.jpg (2)", "two/q (2).jpg"])
    meant = Rows(faces, tmp_path).find(["p.jpg", "two/p.jpg", "q (2).jpg"])
    assert (meant.crowded, meant.rows) == ({"p.jpg", "two/p.jpg"}, {"q (2).jpg": 2})


def test_the_one_of_several_rows_that_gave_a_face_is_not_taken_for_the_other(tmp_path: Path) -> None:
    data = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    with StoreWriter(tmp_path / "store") as writer:
        writer.add("two/p.jpg", [StoredFace(data, width=8, height=8)])
        writer.leave_out("two/p.jpg (2)", "the box is empty")
    meant = Rows(read_store(tmp_path / "store"), tmp_path).find(["two/p.jpg"])
    assert (meant.crowded, meant.rows) == ({"two/p.jpg"}, {})


def test_sources_are_known_by_their_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    faces = store(tmp_path / "work" / "store", ["../pics/1.jpg", "./2.jpg", "pics/1.jpg"])
    names = [str(tmp_path / "pics/1.jpg"), str(tmp_path / "work/2.jpg"), str(tmp_path / "work/pics/1.jpg")]
    assert Rows(faces, tmp_path).find(names).rows == {name: row for row, name in enumerate(names)}
    monkeypatch.chdir(tmp_path)  # where the store was not made, by the end alone
    assert Rows(faces, tmp_path).find(["/moved/2.jpg"]).rows == {"/moved/2.jpg": 1}


def test_sources_of_a_store_are_known_below_the_folder_that_holds_them_all(tmp_path: Path) -> None:
    manifest = store(tmp_path / "store", ["study/pics/VP03/1.jpg", "study/pics/VP04/1.jpg"])
    names = ["C:\\Ann\\pics\\VP03\\1.jpg", "C:\\Ann\\pics\\VP05\\1.jpg"]
    assert Rows(manifest, tmp_path).find(names).rows == {names[0]: 0}
    one = store(tmp_path / "one", ["src/s1/a.jpg", "src/s1/b.png"])
    for name in ("src/s2/a.jpg", "s2/a.jpg", "/x/src/s2/a.jpg"):
        assert Rows(one, tmp_path).find([name]).rows == {}
    assert Rows(one, tmp_path).find(["/x/src/s1/a.jpg"]).rows == {"/x/src/s1/a.jpg": 0}
    table = tmp_path / "list.csv"
    table.write_text("image,label\nVP07/1.jpg,happy\nVP08/1.jpg,sad\n")
    with pytest.raises(ValueError, match=r"for example, 'study/pics/VP03/1\.jpg'"):
        import_labels(manifest, table, taxonomy=LABELS)


def test_forms_of_one_path_are_answers_about_one_face(tmp_path: Path) -> None:
    rows = found(tmp_path, ["0.png", "1.png"], ["0.png", "./0.png", "./1.png"])
    assert rows.rows == {"0.png": 0, "./0.png": 0, "./1.png": 1}
