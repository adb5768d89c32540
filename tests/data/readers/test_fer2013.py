"""FER2013 with its own labels, in each form that Kaggle gave it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from halfsmile.data.decode import read_image
from halfsmile.data.manifest import Fault, LeftOut, UnreadLabelsError
from halfsmile.data.protocols.read import read_labeled
from halfsmile.data.protocols.recognize import protocol_of
from halfsmile.data.readers import ferplus
from halfsmile.data.readers.fer2013 import read
from halfsmile.data.readers.registry import read_any, recognize
from halfsmile.taxonomy import FER2013, Taxonomy

USAGE = ["Training"] * 7 + ["PublicTest"] * 2 + ["PrivateTest"] * 2
EMOTIONS = [*range(7), 0, 3, 6, 4]
SPLITS = ["train"] * 7 + ["valid"] * 2 + ["test"] * 2


def write(path: Path, header: str, rows: list[tuple[int, str]] | None = None, darkest: int = 0) -> Path:
    """A table whose picture in row i is 2 × 2 of brightness ``darkest`` + i."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [header]
    for row, (emotion, usage) in enumerate(rows or zip(EMOTIONS, USAGE, strict=True)):
        cells = {"emotion": str(emotion), "pixels": " ".join([str(darkest + row)] * 4), "usage": usage}
        lines.append(",".join(cells[name.strip().lower()] for name in header.split(",")))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("name", "header"),
    [("fer2013.csv", "emotion,pixels,Usage"), ("icml_face_data.csv", "emotion, Usage, pixels")],
)
def test_both_tables_with_their_own_labels(tmp_path: Path, name: str, header: str) -> None:
    path = write(tmp_path / name, header)
    for place in (tmp_path, path):
        assert recognize(place).name == "fer2013"
        manifest = read_any(place)
        assert manifest.taxonomy == FER2013
        assert manifest.column("label") == [FER2013.labels[emotion] for emotion in EMOTIONS]
        assert manifest.column("split") == SPLITS
        for row in (0, 10):
            image = read_image(manifest.root, manifest.column("image")[row])
            assert np.array_equal(image, np.full((2, 2, 1), row))
    assert any("fer2013new.csv" in note for note in manifest.notes)
    assert protocol_of(tmp_path).data_set == "faces"
    assert len(read_labeled(protocol_of(tmp_path), tmp_path)) == 11


def test_the_tables_of_the_challenge(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", "emotion,pixels")
    assert read(tmp_path / "train.csv").column("split") == [None] * 11
    write(tmp_path / "test.csv", "pixels", darkest=100)
    manifest = read_any(tmp_path)
    assert manifest.column("split") == ["train"] * 11 + ["test"] * 11
    assert manifest.column("label")[11:] == [None] * 11
    write(tmp_path / "icml_face_data.csv", "emotion, Usage, pixels")
    whole = read_any(tmp_path)
    assert len(whole) == 11
    assert any(isinstance(note, LeftOut) and "test.csv, train.csv lie beside" in note for note in whole.notes)


FORMS = {
    "a header in capitals": ("Emotion,Pixels,USAGE", {}),
    "semicolons": ("emotion;pixels;Usage", {}),
    "commas between the pixels": ("emotion,pixels,Usage", {"pixels": '"{0},{0},{0},{0}"'}),
    "brackets": ("emotion,pixels,Usage", {"pixels": '"[{0}, {0}, {0}, {0}]"'}),
    "another name for the labels": ("label,pixels,split", {}),
    "numbers with a point": ("emotion,pixels,Usage", {"emotion": "{0}.0"}),
}


@pytest.mark.parametrize("form", FORMS)
def test_other_forms_of_the_same_table(tmp_path: Path, form: str) -> None:
    header, cells = FORMS[form]
    mark = ";" if ";" in header else ","
    lines = [header]
    for row, (emotion, usage) in enumerate(zip(EMOTIONS, USAGE, strict=True)):
        pixels = cells.get("pixels", "{0} {0} {0} {0}").format(row)
        lines.append(mark.join((cells.get("emotion", "{0}").format(emotion), pixels, usage)))
    (tmp_path / "fer2013.csv").write_text("\n".join(lines) + "\n")
    manifest = read_any(tmp_path)
    assert manifest.taxonomy == FER2013
    assert manifest.column("label") == [FER2013.labels[emotion] for emotion in EMOTIONS]
    assert manifest.column("split") == SPLITS
    assert np.array_equal(read_image(tmp_path, manifest.column("image")[10]), np.full((2, 2, 1), 10))


def test_words_for_labels_and_other_names_for_splits(tmp_path: Path) -> None:
    lines = ["emotion,pixels,Usage", "happy,1 1 1 1,a", "sad,2 2 2 2,b", "Happy,3 3 3 3,a"]
    path = tmp_path / "faces.csv"
    path.write_text("\n".join(lines))
    manifest = read_any(path)
    assert [str(label).casefold() for label in manifest.column("label")] == ["happy", "sad", "happy"]
    assert any("--splits a=train" in note for note in manifest.notes if isinstance(note, Fault))
    assert read_any(path, splits={"a": "train", "b": "test"}).column("split") == ["train", "test", "train"]


def test_numbers_beside_fer2013_s_own_are_dropped_by_name(tmp_path: Path) -> None:
    rows = [(3, "Training"), (9, "Training"), (6, "PublicTest")]
    path = write(tmp_path / "fer2013.csv", "emotion,pixels,Usage", rows)
    with pytest.raises(UnreadLabelsError, match="--label-names 9=none drops those of one and leaves"):
        read_any(path)
    manifest = read_any(path, labels={"9": None})
    assert manifest.column("label") == ["happiness", "neutral"]
    assert manifest.taxonomy == FER2013


def test_tables_of_pixels_that_can_t_be_read_say_why(tmp_path: Path) -> None:
    lines = ["emotion,pixels,Usage", '3,"1 1', '1 1",Training', "4,2 2 2 2,Training"]
    (tmp_path / "fer2013.csv").write_text("\n".join(lines))
    with pytest.raises(ValueError, match="line 2: a cell goes on in the next line"):
        read_any(tmp_path)
    table = pa.table({"emotion": [3, 4], "pixels": ["1 1 1 1", "2 2 2 2"]})
    pq.write_table(table, tmp_path / "f.parquet")
    with pytest.raises(ValueError, match=r"read_parquet\('.*f\.parquet'\)\.to_csv"):
        read_any(tmp_path / "f.parquet")


def test_with_the_votes_beside_it_is_ferplus(tmp_path: Path) -> None:
    write(tmp_path / "fer2013.csv", "emotion,pixels,Usage")
    with pytest.raises(
        ValueError, match=r"put fer2013new\.csv beside it, from https://github.com/microsoft/FERPlus"
    ):
        ferplus.read(tmp_path)
    (tmp_path / "fer2013new.csv").touch()
    assert recognize(tmp_path).name == "ferplus"


def test_other_numbers_need_names(tmp_path: Path) -> None:
    path = write(
        tmp_path / "ck.csv", "emotion,pixels,Usage", [(0, "Training"), (7, "PublicTest"), (6, "Training")]
    )
    with pytest.raises(UnreadLabelsError, match=r"emotions 7 are not.*--label-names"):
        read_any(path)
    manifest = read_any(path, labels={"0": "anger", "6": "neutral", "7": "contempt"})
    assert manifest.column("label") == ["anger", "contempt", "neutral"]
    assert manifest.taxonomy == Taxonomy("custom", ("anger", "neutral", "contempt"))
    assert len(read_any(path, labels={"0": "anger", "6": "neutral", "7": None})) == 2


def test_rows_that_are_not_whole_are_faults(tmp_path: Path) -> None:
    path = write(tmp_path / "fer2013.csv", "emotion,pixels,Usage")
    with path.open("a") as file:
        file.write("3\n\n4,9 9 9 9,Secret\n")
    manifest = read(path)
    assert manifest.column("image")[-1] == "fer2013.csv#13"
    assert read_image(tmp_path, "fer2013.csv#13").max() == 9
    faults = [note for note in manifest.notes if isinstance(note, Fault)]
    assert len(faults) == 2
    assert "first 12" in faults[0]
    assert "Secret" in faults[1]
    with pytest.raises(ValueError, match="holds no FER2013"):
        read(tmp_path / "..")


def test_copies_of_test_pictures_do_not_train(tmp_path: Path) -> None:
    rows = [(3, "Training"), (0, "Training"), (6, "Training"), (1, "PublicTest"), (2, "PrivateTest")]
    path = write(tmp_path / "fer2013.csv", "emotion,pixels,Usage", rows)
    text = path.read_text().replace("1 1 1 1", "4 4 4 4").replace("2 2 2 2", "3 3 3 3")
    path.write_text(text)  # the second is the last one's copy, the third the validation picture's
    manifest = read_any(tmp_path)
    assert manifest.column("image") == [f"fer2013.csv#{row}" for row in (0, 3, 4)]
    assert len(set(manifest.column("sha256"))) == 3
    assert any("2 training images were dropped" in note for note in manifest.notes)


def test_contempt_beside_fer2013_s_own_is_named(tmp_path: Path) -> None:
    """As in CK+'s ``ckextended.csv``, whose columns stand in any order."""
    lines = ["Usage,pixels,emotion", "Training,1 1 1 1,0", "Training,2 2 2 2,7", "PublicTest,3 3 3 3,6"]
    (tmp_path / "ckextended.csv").write_text("\n".join(lines))
    with pytest.raises(UnreadLabelsError, match="7=contempt adds them, as CK"):
        read_any(tmp_path)
    manifest = read_any(tmp_path, labels={"7": "contempt"})
    assert manifest.column("label") == ["anger", "contempt", "neutral"]
    assert manifest.column("split") == ["train", "train", "valid"]
