"""FERPlus: label rules against hand-made votes and published counts, both layouts, exact copies, errors."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfsmile.data.decode import read_image
from halfsmile.data.manifest import Fault
from halfsmile.data.readers.ferplus import COLUMNS, FOLDERS, RULES, USAGES, read
from halfsmile.taxonomy import FERPLUS

DATA = Path(os.environ.get("HALFSMILE_DATA", Path(__file__).parents[3].parent / "shared" / "data"))
USAGE_OF = {split: usage for usage, split in USAGES.items()}

Face = dict[str, Any]


def face(split: str, name: str, seed: int, votes: str = "10 0 0 0 0 0 0 0 0 0") -> Face:
    """One row; equal seeds give equal pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 48), dtype=np.uint8)
    return {"split": split, "name": name, "pixels": pixels, "votes": [int(vote) for vote in votes.split()]}


FACES = [
    face("train", "fer0000000.png", 0, "6 2 0 0 0 0 0 0 2 0"),
    face("train", "fer0000001.png", 1, "0 10 0 0 0 0 0 0 0 0"),
    face("train", "", 2, "0 0 0 0 0 0 0 0 0 10"),
    face("train", "fer0000002.png", 3, "1 0 0 2 0 0 0 0 7 0"),
    face("train", "fer0000003.png", 20),  # a copy of a validation image
    face("train", "fer0000004.png", 30),  # a copy of a test image
    face("train", "fer0000005.png", 31),  # a copy of a test image without a label
    face("train", "fer0000006.png", 1, "0 0 9 0 0 0 0 0 1 0"),  # a copy within training stays
    face("valid", "fer0000007.png", 20),
    face("valid", "fer0000008.png", 30, "0 0 0 0 9 1 0 0 0 0"),  # a copy of a test image stays
    face("test", "fer0000009.png", 30),
    face("test", "fer0000010.png", 31, "0 0 0 0 0 0 0 0 10 0"),
    face("test", "fer0000011.png", 32, "0 0 0 0 0 0 1 9 0 0"),
]


def write_csv(root: Path, faces: list[Face]) -> Path:
    with (root / "fer2013.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["emotion", "pixels", "Usage"])
        for row in faces:
            writer.writerow([0, " ".join(map(str, row["pixels"].ravel())), USAGE_OF[row["split"]]])
    write_votes(root, faces)
    return root


def write_votes(root: Path, faces: list[Face]) -> None:
    with (root / "fer2013new.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Usage", "Image name", *COLUMNS])
        for row in faces:
            writer.writerow([USAGE_OF[row["split"]], row["name"], *row["votes"]])


def write_folders(root: Path, faces: list[Face], box: bool = True) -> Path:
    for split, folder in FOLDERS.items():
        (root / folder).mkdir()
        with (root / folder / "label.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            for row in faces:
                if row["split"] == split and row["name"]:
                    cv2.imwrite(str(root / folder / row["name"]), row["pixels"])
                    writer.writerow([row["name"], *(["(0, 0, 48, 48)"] if box else []), *row["votes"]])
    return root


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        # all agree
        (
            "10 0 0 0 0 0 0 0 0 0",
            {"argmax": 0, "argmax8": 0, "majority": 0, "probability": 0, "multi_target": 0},
        ),
        # exactly half is no majority; single votes do not count
        (
            "5 5 0 0 0 0 0 0 0 0",
            {"argmax": 0, "argmax8": 0, "majority": -1, "probability": 0, "multi_target": 0},
        ),
        (
            "5 4 1 0 0 0 0 0 0 0",
            {"argmax": 0, "argmax8": 0, "majority": 0, "probability": 0, "multi_target": 0},
        ),
        # unknown leads; nobody sees a face
        (
            "0 0 0 4 0 0 0 0 6 0",
            {"argmax": -1, "argmax8": 3, "majority": -1, "probability": -1, "multi_target": -1},
        ),
        (
            "0 0 0 0 0 0 0 0 0 10",
            {"argmax": -1, "argmax8": -1, "majority": -1, "probability": -1, "multi_target": -1},
        ),
        # an emotion ties with unknown: the first column wins, but half of the votes is too little
        (
            "0 0 0 5 0 0 0 0 5 0",
            {"argmax": 3, "argmax8": 3, "majority": -1, "probability": -1, "multi_target": 3},
        ),
        # three emotions hold 80 %, and 90 % without the single vote
        (
            "0 0 4 0 0 2 2 0 2 0",
            {"argmax": 2, "argmax8": 2, "majority": -1, "probability": 2, "multi_target": -1},
        ),
        (
            "0 0 4 0 0 3 2 0 1 0",
            {"argmax": 2, "argmax8": 2, "majority": -1, "probability": 2, "multi_target": 2},
        ),
        # four emotions tie behind the first: too many
        (
            "2 2 2 2 2 0 0 0 0 0",
            {"argmax": 0, "argmax8": 0, "majority": -1, "probability": -1, "multi_target": -1},
        ),
        # nothing but single votes
        (
            "1 1 1 1 1 1 1 1 1 1",
            {"argmax": 0, "argmax8": 0, "majority": -1, "probability": -1, "multi_target": -1},
        ),
    ],
)
def test_rules_on_single_rows(votes: str, expected: dict[str, int]) -> None:
    row = np.array([[int(vote) for vote in votes.split()]])
    assert {name: int(rule(row)[0]) for name, rule in RULES.items()} == expected


@given(st.lists(st.lists(st.integers(0, 9), min_size=10, max_size=10), min_size=7, max_size=7))
def test_rules_only_choose_columns_with_most_votes(judges: list[list[int]]) -> None:
    """Ten judge each face: of more, a majority may be no ``probability`` where three emotions are tied."""
    votes = np.array([np.bincount(row, minlength=10) for row in judges], np.int64)
    before = votes.copy()
    winners = {name: rule(votes) for name, rule in RULES.items()}
    assert np.array_equal(votes, before)
    for name, chosen in winners.items():
        assert chosen.shape == (7,)
        for row, winner in zip(votes, chosen, strict=True):
            assert -1 <= winner < 8
            if winner >= 0:
                assert row[winner] == (row[:8].max() if name == "argmax8" else row.max())
    for strict, loose in (
        ("majority", "probability"),
        ("majority", "multi_target"),
        ("probability", "argmax"),
    ):
        has_label = winners[strict] >= 0
        assert np.array_equal(winners[strict][has_label], winners[loose][has_label])


def test_rules_give_the_published_counts() -> None:
    path = DATA / "ferplus" / "ferplus.npz"
    if not path.is_file():
        pytest.skip(f"needs the votes of FERPlus at {path}; set HALFSMILE_DATA")
    with np.load(path) as archive:
        votes, split = archive["votes"].astype(np.int64), archive["split"]
    # The copy lacks four rows whose file name is used twice: three of training, one of test.
    expected = {
        "argmax": [28_386, 3_553, 3_545],
        "argmax8": [28_556, 3_579, 3_572],
        "majority": [25_057, 3_199, 3_152],
        "probability": [27_953, 3_505, 3_504],
        "multi_target": [27_668, 3_472, 3_471],
    }
    for name, rule in RULES.items():
        assert np.bincount(split[rule(votes) >= 0]).tolist() == expected[name], name


def test_rows_labels_votes_and_pixels(tmp_path: Path) -> None:
    manifest = read(write_csv(tmp_path, FACES))
    assert manifest.taxonomy == FERPLUS
    rows = manifest.table.to_pylist()
    assert [row["image"] for row in rows] == [f"fer2013.csv#{i}" for i in (0, 1, 7, 8, 9, 10, 12)]
    assert [row["split"] for row in rows] == ["train"] * 3 + ["valid"] * 2 + ["test"] * 2
    assert manifest.column("label") == [
        "neutral", "happiness", "surprise", "neutral", "anger", "neutral", "contempt",
    ]  # fmt: skip
    assert rows[0]["votes"] == pytest.approx([0.75, 0.25, 0, 0, 0, 0, 0, 0])
    for row in rows:
        pixels = FACES[int(row["image"].split("#")[1])]["pixels"]
        assert np.array_equal(read_image(manifest.root, row["image"])[:, :, 0], pixels)


def test_notes_count_what_was_dropped(tmp_path: Path) -> None:
    notes = "\n".join(read(write_csv(tmp_path, FACES)).notes)
    assert "1 rows to which FERPlus gives no image name" in notes
    assert "rule argmax: train 6, valid 2, test 2" in notes
    assert "2 rows without a winning emotion" in notes
    assert "3 labeled training images were dropped" in notes
    assert "1 validation images are exact copies of test images" in notes


@pytest.mark.parametrize("rule", RULES)
def test_both_layouts_give_the_same_faces(tmp_path: Path, rule: str) -> None:
    roots = [tmp_path / name for name in ("csv", "boxes", "plain", "votes")]
    for root in roots:
        root.mkdir()
    write_csv(roots[0], FACES)
    write_folders(roots[1], FACES)
    write_folders(roots[2], FACES, box=False)
    write_folders(roots[3], FACES)
    write_votes(roots[3], FACES)
    for folder in FOLDERS.values():
        (roots[3] / folder / "label.csv").unlink()
    tables = [read(root, rule=rule).table.drop_columns(["image"]) for root in roots]
    assert tables[0].num_rows > 0
    assert all(table.equals(tables[0]) for table in tables)


def test_folder_locators_and_names_used_twice(tmp_path: Path) -> None:
    faces = [*FACES, face("train", "fer0000001.png", 50)]
    manifest = read(write_folders(tmp_path, faces))
    assert manifest.column("image")[0] == "FER2013Train/fer0000000.png"
    assert not any(locator.endswith("fer0000001.png") for locator in manifest.column("image"))
    assert any("2 rows share a file name" in note for note in manifest.notes)


def test_no_training_image_is_seen_in_a_test(tmp_path: Path) -> None:
    for rule in RULES:
        (tmp_path / rule).mkdir()
        manifest = read(write_csv(tmp_path / rule, FACES), rule=rule)
        held_out = set(manifest.split("valid", "test").column("sha256"))
        assert not held_out & set(manifest.split("train").column("sha256"))


def test_wrong_inputs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="rule 'best' is unknown; FERPlus has argmax"):
        read(tmp_path, rule="best")
    with pytest.raises(ValueError, match="holds no FERPlus"):
        read(tmp_path)
    write_csv(tmp_path, FACES)
    write_votes(tmp_path, FACES[:-1])
    with pytest.raises(ValueError, match=r"fer2013\.csv has 13 rows and fer2013new\.csv 12"):
        read(tmp_path)
    write_votes(tmp_path, FACES[::-1])
    with pytest.raises(ValueError, match="data row 0 is 'Training'"):
        read(tmp_path)
    (tmp_path / "fer2013new.csv").unlink()
    with pytest.raises(ValueError, match=r"put fer2013new\.csv beside it, from https"):
        read(tmp_path)
    (tmp_path / "fer2013new.csv").write_text("Usage,Image name,neutral\nTraining,a.png,3\n")
    with pytest.raises(ValueError, match=r"lacks the columns \['happiness'"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (",10,", ",many,", "whole numbers"),
        (",10,", ",-10,", "not negative"),
        ("PrivateTest,", "Secret,", "Usage 'Secret'"),
        ("PrivateTest,", "", "columns, expected"),
    ],
)
def test_wrong_cells_are_refused(tmp_path: Path, old: str, new: str, reason: str) -> None:
    write_csv(tmp_path, FACES)
    path = tmp_path / "fer2013new.csv"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ValueError, match=reason):
        read(tmp_path)


def test_pictures_that_can_not_be_read_stop_nothing_and_are_no_copies(tmp_path: Path) -> None:
    for name in ("csv", "folders"):
        (tmp_path / name).mkdir()
    write_csv(tmp_path / "csv", FACES)
    path = tmp_path / "csv" / "fer2013.csv"
    lines = path.read_text().splitlines()
    lines[2] = lines[2].replace(" ", "", 1)
    path.write_text("\n".join(lines))
    folders = write_folders(tmp_path / "folders", FACES)
    for place in ("FER2013Train/fer0000001.png", "FER2013Valid/fer0000007.png"):
        (folders / place).write_bytes(b"")
    for root, bad in ((tmp_path / "csv", 1), (folders, 2)):
        manifest = read(root)
        assert manifest.column("sha256").count(None) == bad
        assert any(note.startswith(f"{bad} pictures can't be read") for note in manifest.notes)
    for picture in folders.rglob("*.png"):
        picture.write_bytes(b"")
    with pytest.raises(ValueError, match="none of the 12 pictures can be read"):
        read(folders)


@pytest.mark.parametrize("damage", [b'a,"' + b"x" * 200_000, "fer0000000.png,(0 0 48 48)\n".encode("utf-16")])
def test_damaged_tables_are_named(tmp_path: Path, damage: bytes) -> None:
    root = write_folders(tmp_path, FACES)
    (root / "FER2013Valid" / "label.csv").write_bytes(damage)
    with pytest.raises(ValueError, match=r"FER2013Valid.label\.csv is not a CSV file in UTF-8"):
        read(root)


def test_missing_pictures_are_left_out_and_counted(tmp_path: Path) -> None:
    write_folders(tmp_path, FACES)
    whole = read(tmp_path).column("image")
    (tmp_path / "FER2013Train" / "fer0000001.png").unlink()
    manifest = read(tmp_path)
    assert manifest.column("image") == [image for image in whole if not image.endswith("fer0000001.png")]
    (fault,) = [note for note in manifest.notes if isinstance(note, Fault)]
    assert fault.startswith(
        "1 images of the label files are missing and were left out, first FER2013Train/fer0000001"
    )
    for path in tmp_path.rglob("*.png"):
        path.unlink()
    with pytest.raises(ValueError, match=r"all \d+ images of the label files are missing"):
        read(tmp_path)


def test_incomplete_folders_are_refused(tmp_path: Path) -> None:
    write_folders(tmp_path, FACES)
    (tmp_path / "FER2013Test" / "label.csv").unlink()
    with pytest.raises(ValueError, match=r"needs its label\.csv"):
        read(tmp_path)
    (tmp_path / "FER2013Test").rename(tmp_path / "Test")
    with pytest.raises(ValueError, match="FER2013Test is missing"):
        read(tmp_path)
