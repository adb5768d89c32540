"""Both releases of AffectNet in their true layouts, generated."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsmile.data.readers.affectnet import COLUMNS, five_points, read
from halfsmile.taxonomy import AFFECTNET7, AFFECTNET8


def points(left: float = 30.0, top: float = 40.0) -> npt.NDArray[np.float64]:
    """68 points on a coarse face: eyes at height 10, nose at 20, mouth at 30."""
    face = np.zeros((68, 2))
    face[36:42] = [left + 10, top + 10]
    face[36, 0], face[39, 0] = left + 7, left + 13
    face[42:48] = [left + 30, top + 10]
    face[30] = [left + 20, top + 20]
    face[48], face[54] = [left + 12, top + 30], [left + 28, top + 30]
    return face


def row(name: str, label: int, box: str = "30,40,50,60", landmarks: str | None = None) -> str:
    text = ";".join(map(str, points().ravel())) if landmarks is None else landmarks
    return f"{name},{box},{text},{label},0.1,-0.2"


def write_first(root: Path, tables: dict[str, list[str]], header: bool = True) -> Path:
    for table, lines in tables.items():
        root.mkdir(parents=True, exist_ok=True)
        (root / table).write_text("\n".join([*([",".join(COLUMNS)] if header else []), *lines, ""]))
        for line in lines:
            path = root / "Manually_Annotated" / "Manually_Annotated_Images" / line.split(",")[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return root


TABLES = {
    "training.csv": [row(f"{i}/{i:032x}.jpg", i) for i in range(11)],
    "validation.csv": [row("3/abc.png", 3, "NULL,NULL,NULL,NULL", "")],
}


@pytest.mark.parametrize("header", [True, False])
def test_first_release(tmp_path: Path, header: bool) -> None:
    manifest = read(write_first(tmp_path, TABLES, header), progress=False)
    assert manifest.taxonomy == AFFECTNET8
    assert manifest.column("label") == [*AFFECTNET8.labels, "surprise"]
    assert manifest.column("split") == ["train"] * 8 + ["test"]
    first, last = manifest.table.to_pylist()[0], manifest.table.to_pylist()[-1]
    assert first["image"] == f"Manually_Annotated/Manually_Annotated_Images/0/{0:032x}.jpg"
    assert first["box"] == [30, 40, 80, 100]
    assert first["landmarks"] == [40, 50, 60, 50, 50, 60, 42, 70, 58, 70]
    assert last["box"] is None
    assert last["landmarks"] is None
    assert manifest.notes == (
        "3 faces without one of the 8 labels were dropped: no face 1, none 1, uncertain 1.",
    )


def test_seven_classes_drop_contempt(tmp_path: Path) -> None:
    manifest = read(write_first(tmp_path, TABLES), num_classes=7, progress=False)
    assert manifest.taxonomy == AFFECTNET7
    assert manifest.column("label") == [*AFFECTNET7.labels, "surprise"]
    assert manifest.notes[0].startswith("4 faces without one of the 7 labels were dropped: contempt 1, ")


def test_the_automatic_part_has_its_own_switch(tmp_path: Path) -> None:
    write_first(tmp_path, {"automatically_annotated.csv": [row("1/a.jpg", 1)]}, header=False)
    (tmp_path / "lists").mkdir()
    (tmp_path / "automatically_annotated.csv").rename(tmp_path / "lists" / "automatically_annotated.csv")
    assert read(tmp_path, automatic=True, progress=False).column("label") == ["happiness"]
    with pytest.raises(ValueError, match="no AffectNet"):
        read(tmp_path, progress=False)


def test_missing_pictures_and_unknown_labels_are_counted(tmp_path: Path) -> None:
    root = write_first(tmp_path, {"training.csv": [row("1/a.jpg", 1), row("1/b.jpg", 2), row("1/c.jpg", 77)]})
    (root / "Manually_Annotated/Manually_Annotated_Images/1/b.jpg").unlink()
    manifest = read(root, progress=False)
    assert manifest.column("label") == ["happiness"]
    assert "1 rows have no picture and were left out." in manifest.notes
    assert any("label 77 1" in note for note in manifest.notes)


def write_second(root: Path, faces: list[tuple[str, str, Any]]) -> Path:
    for folder, name, label in faces:
        for inner in ("images", "annotations"):
            (root / folder / inner).mkdir(parents=True, exist_ok=True)
        (root / folder / "images" / f"{name}.jpg").touch()
        for kind, value in (("exp", label), ("val", "-0.5"), ("aro", "0.2"), ("lnd", points().ravel())):
            np.save(root / folder / "annotations" / f"{name}_{kind}.npy", value)
    return root


FACES = [("train_set", "0", "0"), ("train_set", "10", 7), ("train_set", "9", "9"), ("val_set", "3", "4")]


def test_second_release(tmp_path: Path) -> None:
    manifest = read(write_second(tmp_path, FACES), progress=False)
    assert [(r["image"], r["label"], r["split"]) for r in manifest.table.to_pylist()] == [
        ("train_set/images/0.jpg", "neutral", "train"),
        ("train_set/images/10.jpg", "contempt", "train"),
        ("val_set/images/3.jpg", "fear", "test"),
    ]
    assert manifest.column("landmarks")[0] == [40, 50, 60, 50, 50, 60, 42, 70, 58, 70]
    assert manifest.notes == ("1 faces without one of the 8 labels were dropped: uncertain 1.",)


def test_what_does_not_fit_together_in_the_second_release_is_counted(tmp_path: Path) -> None:
    root = write_second(
        tmp_path, [*FACES, ("val_set", "5", "1"), ("val_set", "6", "1"), ("val_set", "7", "1")]
    )
    (root / "val_set/images/5.jpg").unlink()
    (root / "val_set/annotations/6_exp.npy").write_bytes(b"no array")
    (root / "val_set/annotations/7_exp.npy").unlink()
    np.save(root / "val_set/annotations/3_lnd.npy", np.array(["no", "numbers"]))
    manifest = read(root, progress=False)
    assert manifest.column("image")[-1] == "val_set/images/3.jpg"
    assert manifest.column("landmarks")[-1] is None
    assert set(manifest.notes[:3]) == {
        "1 rows have no picture and were left out.",
        "1 rows have a damaged annotation and were left out.",
        "1 rows of val_set have a picture but no label.",
    }


def test_pickled_annotations_are_not_opened(tmp_path: Path) -> None:
    root = write_second(tmp_path, FACES)
    np.save(root / "val_set/annotations/3_exp.npy", np.array({"a": 1}, object), allow_pickle=True)
    assert "1 rows have a damaged annotation and were left out." in read(root, progress=False).notes


def test_five_points_are_the_middles_of_the_eyes_nose_and_mouth() -> None:
    assert five_points([str(v) for v in points(0, 0).ravel()]) == [10, 10, 30, 10, 20, 20, 12, 30, 28, 30]
    assert five_points([""]) is None
    assert five_points(["nan"] * 136) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("subDirectory_filePath,expression\n1/a.jpg,1\n", "lacks the columns"),
        (row("1/a.jpg", 1).replace(",1,", ",joy,") + "\n", "number from 0 to 10, found 'joy'"),
        ("1/a.jpg,1,2\n", "3 columns"),
        ("\udcff\n", "not a UTF-8 table"),
    ],
)
def test_tables_that_are_wrong_are_named(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "a.jpg").touch()
    (tmp_path / "training.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=reason):
        read(tmp_path, progress=False)


def test_other_folders_and_class_counts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"training\.csv, validation\.csv, train_set/annotations"):
        read(tmp_path)
    with pytest.raises(ValueError, match="7 or 8 classes; got 6"):
        read(tmp_path, num_classes=6)  # type: ignore[arg-type]
    (tmp_path / "training.csv").write_text("\n".join(TABLES["training.csv"]))
    with pytest.raises(ValueError, match="the pictures are not there"):
        read(tmp_path)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400), st.booleans())
def test_arbitrary_tables_give_value_errors_only(data: bytes, header: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "1").mkdir()
        (root / "1" / "a.jpg").touch()
        start = ",".join(COLUMNS) + "\n1/a.jpg," if header else "1/a.jpg,"
        (root / "training.csv").write_bytes(start.encode() + data)
        with suppress(ValueError):
            read(root, progress=False)
