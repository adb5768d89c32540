"""Folders named after labels, with and without splits."""

from __future__ import annotations

import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsmile.data.manifest import Fault, LeftOut, UnreadLabelsError
from halfsmile.data.readers.class_folders import read
from halfsmile.data.readers.folders.meaning import understand
from halfsmile.data.readers.registry import read_any
from halfsmile.data.readers.words import NUMBERINGS, split_of
from halfsmile.taxonomy import FERPLUS, RAFDB, Taxonomy


def write(root: Path, *names: str) -> Path:
    """Empty files: the reader goes by names and leaves pixels to whoever loads them."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_folder_names_become_a_sorted_taxonomy(tmp_path: Path) -> None:
    manifest = read(write(tmp_path, "smile/b.png", "calm/a.png", "smile/sub/c.jpg"))
    assert manifest.taxonomy == Taxonomy("custom", ("calm", "smile"))
    assert manifest.column("image") == ["calm/a.png", "smile/b.png", "smile/sub/c.jpg"]
    assert manifest.column("label") == ["calm", "smile", "smile"]
    assert manifest.column("split") == [None] * 3


def test_names_of_a_known_taxonomy_take_its_order(tmp_path: Path) -> None:
    manifest = read(write(tmp_path, *(f"{label.capitalize()}/a.png" for label in RAFDB.labels)))
    assert manifest.taxonomy == RAFDB
    assert manifest.counts() == dict.fromkeys(RAFDB.labels, 1)


@pytest.mark.parametrize("valid", ["valid", "val", "validation"])
def test_split_folders(tmp_path: Path, valid: str) -> None:
    root = write(tmp_path, "train/calm/a.png", "train/smile/b.png", f"{valid}/calm/c.png", "test/smile/d.png")
    manifest = read(root)
    assert dict(zip(manifest.column("image"), manifest.column("split"), strict=True)) == {
        "train/calm/a.png": "train",
        "train/smile/b.png": "train",
        f"{valid}/calm/c.png": "valid",
        "test/smile/d.png": "test",
    }
    assert manifest.split("valid").column("label") == ["calm"]


def test_archives(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("train/calm/a.png", "test/smile/b.png"):
            archive.writestr(name, b"")
    manifest = read(tmp_path / "a.zip")
    assert manifest.column("label") == ["smile", "calm"]
    assert manifest.column("split") == ["test", "train"]


@pytest.mark.parametrize("outer", ["", "faces/", "my/faces/"])
@pytest.mark.parametrize("splits", [True, False])
def test_folders_that_wrap_everything_in_an_archive_are_passed_over(
    tmp_path: Path, outer: str, splits: bool
) -> None:
    names = ["train/calm/a.png", "train/smile/b.png"] if splits else ["calm/a.png", "smile/b.png"]
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(outer + name))
    manifest = read(tmp_path / "a.tar")
    assert manifest.column("label") == ["calm", "smile"]
    assert manifest.column("split") == (["train"] * 2 if splits else [None] * 2)
    assert manifest.column("image") == [outer + name for name in names]


def test_a_given_taxonomy_decides_order_and_absent_labels_are_noted(tmp_path: Path) -> None:
    manifest = read(write(tmp_path, "anger/a.png", "Fear/b.png"), FERPLUS)
    assert manifest.taxonomy == FERPLUS
    assert manifest.column("label") == ["fear", "anger"]
    assert manifest.class_indices().tolist() == [FERPLUS.index("fear"), FERPLUS.index("anger")]
    assert any("without an image: neutral, happiness" in note for note in manifest.notes)


def test_folders_that_the_taxonomy_lacks_are_refused_with_both_lists(tmp_path: Path) -> None:
    root = write(tmp_path, "anger/a.png", "contempt/b.png", "happy/c.png")
    with pytest.raises(
        ValueError, match=r"\['anger', 'contempt', 'happy'\].*\['surprise'.*\['contempt', 'happy'\]"
    ):
        read(root, RAFDB)


def test_images_beside_the_folders_are_noted(tmp_path: Path) -> None:
    manifest = read(write(tmp_path, "a/1.png", "b/2.png", "stray.png", "list.csv"))
    assert manifest.column("label") == ["a", "b", None]
    assert len(manifest.notes) == 2
    assert any("1 images lie outside" in note for note in manifest.notes if isinstance(note, LeftOut))


def test_no_labels_or_one_label_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="none in a folder"):
        read(write(tmp_path / "flat", "a.png"))
    with pytest.raises(ValueError, match="at least two"):
        read(write(tmp_path / "one", "smile/a.png"))


@pytest.mark.parametrize(
    "splits", [("Train", "Test"), ("TRAINING", "PrivateTest"), ("train_set", "test_set")]
)
@pytest.mark.parametrize("is_outside", [True, False])
def test_splits_by_usual_names_above_or_below_the_labels(
    tmp_path: Path, splits: tuple[str, str], is_outside: bool
) -> None:
    pairs = [(split, label) for split in splits for label in ("happy", "Sad")]
    names = ["/".join(pair if is_outside else pair[::-1]) + "/a.png" for pair in pairs]
    manifest = read(write(tmp_path, *names))
    found = dict(
        zip(
            manifest.column("image"),
            zip(manifest.column("split"), manifest.column("label"), strict=True),
            strict=True,
        )
    )
    assert found == {
        name: ("train" if split == splits[0] else "test", label)
        for name, (split, label) in zip(names, pairs, strict=True)
    }
    assert not manifest.notes


def test_a_label_is_the_same_in_any_case(tmp_path: Path) -> None:
    manifest = read(
        write(tmp_path, "train/Happy/a.png", "train/sad/b.png", "test/happy/c.png", "test/SAD/d.png")
    )
    assert manifest.taxonomy is not None
    assert [label.casefold() for label in manifest.taxonomy.labels] == ["happy", "sad"]
    assert set(manifest.column("label")) == set(manifest.taxonomy.labels)


def test_the_word_in_a_name_is_the_label(tmp_path: Path) -> None:
    manifest = read(write(tmp_path, "0_neutral/a.png", "1-Happy/b.png", "2. fear/c.png"))
    assert sorted(manifest.column("label")) == ["fear", "happy", "neutral"]
    assert any("0_neutral as neutral" in note for note in manifest.notes)


def test_people_above_the_labels_are_passed_over(tmp_path: Path) -> None:
    manifest = read_any(
        write(tmp_path, *(f"{who}/{what}/1.png" for who in ("S01", "S02") for what in ("happy", "sad")))
    )
    assert manifest.column("label") == ["happy", "sad", "happy", "sad"]


def test_folders_beside_those_of_splits_have_no_label(tmp_path: Path) -> None:
    names = [f"{split}/{label}/1.png" for split in ("train", "test") for label in ("anger", "fear")]
    root = write(tmp_path, *names, "unlabeled/2.png", "extra/3.png", "extra/fear/4.png")
    manifest = read(root)
    rows = {
        image: (label, split)
        for image, label, split in zip(
            manifest.column("image"), manifest.column("label"), manifest.column("split"), strict=True
        )
    }
    assert rows["unlabeled/2.png"] == (None, "train")
    assert rows["extra/3.png"] == (None, None)
    assert rows["extra/fear/4.png"] == ("fear", None)
    assert manifest.counts() == {"anger": 2, "fear": 3}
    labeled, bare = [note for note in manifest.notes if isinstance(note, LeftOut)]
    assert "1 labeled images lie outside the folders of the splits, in extra" in labeled
    assert "--splits extra=test" in labeled
    assert "1 images lie outside" in bare
    assert "extra" in bare


def test_our_own_data_set_is_read_back(tmp_path: Path) -> None:
    root = write(tmp_path, "labeled/train/calm/1.png", "labeled/train/cross/2.png", "labeled/test/calm/3.png")
    (root / "unlabeled.zip").write_bytes(b"")
    manifest = read_any(root)
    assert manifest.column("split") == ["test", "train", "train"]
    assert any("unlabeled.zip lie beside" in note for note in manifest.notes)


def test_rafdb_in_numbered_folders(tmp_path: Path) -> None:
    names = [
        f"DATASET/{split}/{n}/{split}_{n:05d}_aligned.jpg" for split in ("train", "test") for n in range(1, 8)
    ]
    manifest = read_any(write(tmp_path, *names))
    assert manifest.taxonomy == RAFDB
    assert manifest.column("label")[:7] == list(RAFDB.labels)
    assert set(manifest.column("split")) == {"train", "test"}
    assert any("numbered as RAF-DB's" in note for note in manifest.notes)
    few = read_any(
        write(tmp_path / "few", "train/4/train_00001_aligned.jpg", "test/5/test_00001_aligned.jpg")
    )
    assert few.taxonomy == RAFDB
    write(tmp_path, "DATASET/train/1/other.jpg")
    with pytest.raises(UnreadLabelsError, match="rafdb: 1=surprise"):
        read_any(tmp_path)
    assert read_any(tmp_path, labels=NUMBERINGS["rafdb"]).counts()["surprise"] == 3


def test_a_published_order_may_have_more_numbers_than_there_are_folders(tmp_path: Path) -> None:
    write(tmp_path, "0/a.png", "1/b.png", "9/c.png")
    manifest = read_any(tmp_path, labels=NUMBERINGS["affectnet8"])
    assert manifest.column("label") == ["neutral", "happiness"]


def test_splits_by_any_name_are_read_where_they_are_said(tmp_path: Path) -> None:
    write(tmp_path, "A/happy/1.png", "A/sad/2.png", "B/happy/3.png", "B/sad/4.png", "C/sad/5.png")
    assert read_any(tmp_path).column("split") == [None] * 5
    manifest = read_any(tmp_path, splits={"A": "train", "B": "test", "C": None})
    assert manifest.column("split") == ["train", "train", "test", "test", None]
    assert manifest.column("label")[:4] == ["happy", "sad", "happy", "sad"]
    with pytest.raises(ValueError, match="no folder is called D; there are A, B, C"):
        read_any(tmp_path, splits={"D": "train"})


names_of_folders = st.sampled_from(
    ["train", "Test", "val", "happy", "Sad", "0", "1", "labeled", "unlabeled", "a", "b", "0_fear", "S1"]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(names_of_folders, max_size=4).map(tuple), max_size=12))
def test_any_folders_are_understood_and_labels_are_among_the_names(folders: list[tuple[str, ...]]) -> None:
    for any_names in (True, False):
        meaning = understand(folders, any_names=any_names)
        assert set(meaning.labels) == set(meaning.splits) == set(folders)
        assert set(meaning.labels.values()) - {None} == set(meaning.names)
        assert len({name.casefold() for name in meaning.names}) == len(meaning.names)
        for parts, split in meaning.splits.items():
            assert split is None or split in {split_of(part) for part in parts}


def test_pictures_as_phones_make_them_are_rows_with_a_label(tmp_path: Path) -> None:
    write(tmp_path, "happy/1.jpg", "happy/IMG_2.HEIC", "sad/1.png", "sad/2.avif", "sad/notes.doc")
    manifest = read_any(tmp_path)
    assert list(zip(manifest.column("image"), manifest.column("label"), strict=True)) == [
        ("happy/1.jpg", "happy"),
        ("happy/IMG_2.HEIC", "happy"),
        ("sad/1.png", "sad"),
        ("sad/2.avif", "sad"),
    ]
    assert [note for note in manifest.notes if "(1 .doc), first sad/notes.doc" in note]


@pytest.mark.parametrize("above", ["", "train/"])
def test_empty_folders_of_classes_are_a_fault(tmp_path: Path, above: str) -> None:
    write(
        tmp_path, f"{above}happy/1.jpg", f"{above}sad/deep/1.jpg", "test/sad/1.jpg" if above else "sad/2.jpg"
    )
    (tmp_path / f"{above}fear" / "deeper").mkdir(parents=True)
    (tmp_path / f"{above}.cache").mkdir()
    (tmp_path / f"{above}happy" / "rest").mkdir()
    faults = [note for note in read_any(tmp_path).notes if isinstance(note, Fault)]
    assert faults == [f"1 folders beside those of the labels hold no picture: {above}fear."]


def test_folders_without_anything_empty_have_no_fault(tmp_path: Path) -> None:
    write(tmp_path, "train/happy/1.jpg", "train/sad/1.jpg", "test/sad/1.jpg", "test/happy/2.jpg")
    assert read_any(tmp_path).notes == ()


def test_folders_around_those_of_the_labels_are_named(tmp_path: Path) -> None:
    write(tmp_path, "P1/happy/1.png", "P1/sad/2.png", "P2/happy/3.png")
    (note,) = read_any(tmp_path).notes
    assert note.startswith("The folders P1, P2 around those of the labels were passed over")
    assert "--from-names '{person}/{label}/*'" in note
    assert "--splits P1=train P2=test" in note
    assert not read_any(write(tmp_path / "b", "x/train/happy/1.png", "x/test/sad/2.png")).notes


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("TrainSet", "TestSet"),
        ("train_v2", "test_v2"),
        ("train-aug", "test"),
        ("Train", "Tests"),
        ("my training faces", "my test faces"),
        ("data/train_2020", "data/validation_2020"),
    ],
)
def test_splits_with_other_words_beside(tmp_path: Path, train: str, test: str) -> None:
    names = [f"{split}/{label}/1.png" for split in (train, test) for label in ("happy", "sad")]
    manifest = read_any(write(tmp_path, *names))
    assert Counter(manifest.column("split")).most_common() in (
        [("train", 2), ("test", 2)],
        [("test", 2), ("train", 2)],
        [("train", 2), ("valid", 2)],
    )
    assert not any(isinstance(note, LeftOut) for note in manifest.notes)


@pytest.mark.parametrize("names", [("test", "test_old"), ("anna", "bert"), ("train_a", "train_b")])
def test_folders_that_may_be_splits_are_not_guessed(tmp_path: Path, names: tuple[str, str]) -> None:
    folders = [f"{name}/{label}/1.png" for name in names for label in ("happy", "sad")]
    manifest = read_any(write(tmp_path, *folders))
    assert any("--splits " in note for note in manifest.notes)
    if names[0].startswith("train"):
        (fault,) = (note for note in manifest.notes if isinstance(note, Fault))
        assert "--splits train_a=train train_b=train" in fault


def test_labels_outside_the_splits_are_kept_and_told(tmp_path: Path) -> None:
    names = [f"{split}/{label}/1.png" for split in ("train", "holdout") for label in ("happy", "sad")]
    manifest = read_any(write(tmp_path / "a", *names))
    assert Counter(manifest.column("split")) == {"train": 2, None: 2}
    assert manifest.column("label").count(None) == 0
    assert any("2 labeled images lie outside" in n and "--splits holdout=test" in n for n in manifest.notes)
    root = write(tmp_path / "b", *(f"{a}/{b}/1.png" for a in ("happy", "sad") for b in ("train", "test")))
    write(root, "Neutral/2.png")
    manifest = read_any(root)
    assert (
        dict(zip(manifest.column("image"), manifest.column("label"), strict=True))["Neutral/2.png"]
        == "Neutral"
    )


def test_an_expression_within_another_is_a_fault(tmp_path: Path) -> None:
    manifest = read_any(write(tmp_path, "happy/1.png", "sad/2.png", "happy/sad/3.png", "happy/happy/4.png"))
    (fault,) = (note for note in manifest.notes if isinstance(note, Fault))
    assert "1 images lie in folders of two expressions" in fault
    assert "happy/sad/3.png as happy" in fault


@pytest.mark.parametrize(
    ("labels", "mend"),
    [
        (("happy", "happiness", "sad"), "--label-names happy=happiness"),
        (("fear", "scared", "sad", "afraid"), "--label-names afraid=fear scared=fear"),
        (("hapiness", "happiness", "sad"), "--label-names hapiness=happiness"),
        (("freude", "joy", "sad"), "--label-names joy=freude"),
        (("happy", "sad", "calm", "nosmile"), None),
        (("happy", "not happy"), None),
    ],
)
def test_two_words_for_one_expression_are_a_fault(
    tmp_path: Path, labels: tuple[str, ...], mend: str | None
) -> None:
    root = write(tmp_path, *(f"{label}/1.png" for label in labels))
    faults = [note for note in read_any(root).notes if isinstance(note, Fault)]
    assert [mend is not None and mend in fault for fault in faults] == ([True] if mend else [])
    if mend:
        renames = dict(pair.split("=") for pair in mend.split()[1:])
        assert len(read_any(root, labels=renames).taxonomy or ()) == len(labels) - len(renames)


def test_a_single_expression_is_told(tmp_path: Path) -> None:
    for names in (("happy/1.png", "happy/2.png"), ("train/happy/1.png", "test/happy/2.png")):
        root = write(tmp_path / str(len(names[0])), *names)
        with pytest.raises(UnreadLabelsError, match="after happy, a single expression"):
            read_any(root)
