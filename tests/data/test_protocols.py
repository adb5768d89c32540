"""Protocols: recognized from the true layouts, kept apart where numbers would mean different things."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest
from tests.data.layouts import write_affectnet, write_ferplus, write_rafdb

from halfsmile.data.protocols import (
    PROTOCOLS,
    TITLES,
    VIDEOS,
    DataSet,
    Protocol,
    protocol_of,
    published,
    read_labeled,
    read_stills,
    read_videos,
)
from halfsmile.data.readers.registry import LAYOUTS, read_any
from halfsmile.data.store.write import StoredFace, StoreWriter
from halfsmile.data.synthetic import generate_sequence, write_data_set, write_sequences
from halfsmile.taxonomy import AFFECTNET8, FERPLUS, RAFDB, Taxonomy, from_labels


def test_every_data_set_has_a_protocol_a_title_and_a_reader() -> None:
    assert set(PROTOCOLS) == set(TITLES) == set(get_args(DataSet))
    assert set(get_args(DataSet)) - {"faces"} <= set(LAYOUTS)
    assert all(protocol.data_set == name for name, protocol in PROTOCOLS.items())
    assert set(VIDEOS) == {name for name, protocol in PROTOCOLS.items() if protocol.group}


def test_the_papers_twelve_numbers() -> None:
    seven = replace(PROTOCOLS["affectnet"], num_classes=7)
    table = {
        PROTOCOLS["rafdb"]: {"5%": 80.96, "10%": 85.07, "25%": 88.23},
        PROTOCOLS["ferplus"]: {"5%": 81.77, "10%": 83.95, "25%": 85.82},
        seven: {"1%": 59.08, "5%": 64.02, "10%": 65.37},
        PROTOCOLS["affectnet"]: {"1%": 53.85, "5%": 60.17, "10%": 61.65},
    }
    for protocol, values in table.items():
        for labels, value in values.items():
            (number,) = published(protocol, labels)
            assert (number.method, number.value) == ("SSFER", value)


def test_a_number_of_another_protocol_is_not_compared() -> None:
    usual = PROTOCOLS["ferplus"]
    assert published(usual, "10%")
    assert published(usual, "11%") == ()
    for other in (
        replace(usual, label_rule="majority"),
        replace(usual, test_splits=("test",)),
        replace(PROTOCOLS["affectnet"], num_classes=None),
    ):
        assert published(other, "10%") == ()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"data_set": "rafdb", "label_rule": "argmax"}, "A label rule is for FERPlus; this is RAF-DB"),
        (
            {"data_set": "ferplus", "label_rule": "mean"},
            "Unknown label rule 'mean'; known are argmax, argmax8",
        ),
        ({"data_set": "rafdb", "num_classes": 7}, "can be chosen for AffectNet; this is RAF-DB"),
        ({"data_set": "affectnet", "num_classes": 6}, "AffectNet has 7 or 8 classes; found 6"),
        ({"data_set": "imagenet"}, "Unknown data set 'imagenet'; known are ferplus, rafdb"),
    ],
)
def test_choices_that_do_not_fit_are_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Protocol(**settings)  # type: ignore[arg-type]


def test_a_protocol_is_said_in_one_line() -> None:
    assert PROTOCOLS["ferplus"].describe() == (
        "FERPlus · label rule argmax · tested on PublicTest + PrivateTest · by accuracy"
    )
    assert (
        "7 classes · tested on the validation set"
        in replace(PROTOCOLS["affectnet"], num_classes=7).describe()
    )
    assert (
        "30 % of the people, drawn by the seed · labels drawn by person" in PROTOCOLS["sequences"].describe()
    )
    assert "tested on valid · labels drawn by video · by macro F1" in PROTOCOLS["affwild2"].describe()


def test_data_sets_are_recognized_and_read_by_their_protocol(tmp_path: Path) -> None:
    write_ferplus(tmp_path / "fer")
    write_rafdb(tmp_path / "raf")
    write_affectnet(tmp_path / "affect")
    write_data_set(tmp_path / "own", train=16, test=8, unlabeled=4, size=24, seed=0, people=4)
    found = {name: protocol_of(tmp_path / name) for name in ("fer", "raf", "affect")}
    assert found == {
        "fer": PROTOCOLS["ferplus"],
        "raf": PROTOCOLS["rafdb"],
        "affect": PROTOCOLS["affectnet"],
    }
    own = protocol_of(tmp_path / "own/labeled")
    assert own == PROTOCOLS["faces"]
    assert read_stills(found["fer"], tmp_path / "fer").taxonomy == FERPLUS
    assert len(read_stills(found["raf"], tmp_path / "raf").taxonomy or ()) == 7
    assert len(read_stills(found["affect"], tmp_path / "affect").taxonomy or ()) == 8
    seven = protocol_of(tmp_path / "affect", num_classes=7)
    read = read_stills(seven, tmp_path / "affect")
    assert "contempt" not in (read.taxonomy.labels if read.taxonomy else ("contempt",))
    assert any("contempt" in note for note in read.notes)
    assert len(read_stills(own, tmp_path / "own/labeled")) == 24


def test_what_is_recognized_wrongly_can_be_said(tmp_path: Path) -> None:
    write_rafdb(tmp_path / "raf")
    assert protocol_of(tmp_path / "raf", data_set="faces") == PROTOCOLS["faces"]
    with pytest.raises(ValueError, match="does not exist"):
        protocol_of(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="A label rule is for FERPlus"):
        protocol_of(tmp_path / "raf", label_rule="argmax")


def test_rafdb_in_numbered_folders_has_its_own_protocol(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for number in range(1, 8):
            place = tmp_path / "DATASET" / split / str(number)
            place.mkdir(parents=True)
            (place / f"{split}_{number:05d}_aligned.jpg").touch()
    protocol = protocol_of(tmp_path)
    assert protocol == PROTOCOLS["rafdb"]
    assert read_stills(protocol, tmp_path).counts() == dict.fromkeys(RAFDB.labels, 2)
    drawn = read_any(tmp_path).with_split("train")
    drawn.save(tmp_path / "own.parquet")
    assert protocol_of(tmp_path / "own.parquet") == PROTOCOLS["faces"]
    (tmp_path / "DATASET/train/1/more.jpg").touch()
    assert protocol_of(tmp_path) == PROTOCOLS["faces"]


def test_affectnet_in_folders_is_tested_on_its_validation_set(tmp_path: Path) -> None:
    for split in ("train", "val"):
        for label in AFFECTNET8.labels:
            (tmp_path / split / label).mkdir(parents=True)
            (tmp_path / split / label / "1.jpg").touch()
    assert protocol_of(tmp_path) == PROTOCOLS["faces"]
    said = protocol_of(tmp_path, data_set="affectnet")
    assert set(read_stills(said, tmp_path).column("split")) == {"train", "test"}
    with pytest.raises(ValueError, match=r"has the classes .* and RAF-DB, basic has .*--label-names"):
        read_stills(PROTOCOLS["rafdb"], tmp_path)


def test_a_table_beside_photographs_is_read_where_it_has_labels(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        assert cv2.imwrite(str(tmp_path / name), np.full((8, 8), 90, np.uint8))
    (tmp_path / "labels.csv").write_text("file,label\na.png,calm\nb.png,cross\n")
    assert read_labeled(protocol_of(tmp_path), tmp_path).column("label") == ["calm", "cross"]
    for label in ("calm", "cross"):
        (tmp_path / label).mkdir()
        (tmp_path / f"{label[0]}.png").write_bytes((tmp_path / "a.png").read_bytes())
        (tmp_path / f"{label[0]}.png").rename(tmp_path / label / "1.png")
    (tmp_path / "labels.csv").write_text("note,day\nfine,monday\n")
    found = read_labeled(protocol_of(tmp_path), tmp_path)
    assert sorted(filter(None, found.column("label"))) == ["calm", "cross"]
    assert found.column("image") == ["a.png", "b.png", "calm/1.png", "cross/1.png"]


def test_a_table_that_can_not_be_read_is_told_where_there_are_no_folders(tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "a.png"), np.full((8, 8), 90, np.uint8))
    (tmp_path / "labels.csv").write_text("file,label\na.png,0\n")
    with pytest.raises(ValueError, match="are numbers"):
        read_labeled(protocol_of(tmp_path), tmp_path)


def store(path: Path, taxonomy: Taxonomy, *, votes: bool) -> Path:
    picture = bytes(cv2.imencode(".png", np.full((8, 8), 90, dtype=np.uint8))[1])
    with StoreWriter(path, taxonomy=taxonomy) as writer:
        for i, split in enumerate(("train", "train", "valid", "test")):
            share = np.eye(len(taxonomy))[i % 2].tolist() if votes else None
            face = StoredFace(
                picture, width=8, height=8, label=taxonomy.labels[i % 2], split=split, votes=share
            )
            writer.add(f"{i}", [face])
    return path


def test_a_store_is_ferplus_by_its_classes_and_votes(tmp_path: Path) -> None:
    assert protocol_of(store(tmp_path / "a", FERPLUS, votes=True)) == PROTOCOLS["ferplus"]
    assert protocol_of(store(tmp_path / "b", FERPLUS, votes=False)) == PROTOCOLS["faces"]
    others = store(tmp_path / "c", from_labels(("happiness", "anger")), votes=True)
    assert protocol_of(others) == PROTOCOLS["faces"]
    with pytest.raises(ValueError, match=r"classes happiness, anger; one that was prepared from FERPlus"):
        read_stills(protocol_of(others, data_set="ferplus"), others)
    with pytest.raises(ValueError, match=r"2 classes, and 8 were asked for"):
        read_stills(PROTOCOLS["affectnet"], others)


def test_test_people_are_drawn_by_the_seed(tmp_path: Path) -> None:
    clips = (generate_sequence("fear", person=person, frames=8, size=24) for person in range(6))
    write_sequences(clips, tmp_path)
    protocol = protocol_of(tmp_path)
    assert protocol == PROTOCOLS["sequences"]
    splits = []
    for seed in (0, 0, 1):
        rows = read_videos(protocol, tmp_path, seed=seed).manifest
        by_split = {split: set(rows.split(split).column("person")) for split in ("train", "test")}
        assert not by_split["train"] & by_split["test"]
        assert (len(by_split["train"]), len(by_split["test"])) == (4, 2)
        splits.append(by_split)
    assert splits[0] == splits[1] != splits[2]
    with pytest.raises(ValueError, match="which share of the people"):
        read_videos(replace(protocol, test_people=None), tmp_path, seed=0)
    with pytest.raises(ValueError, match="expected pictures without time"):
        read_stills(protocol, tmp_path)


def test_a_folder_that_only_wraps_the_data_is_read_as_it_is_recognized(tmp_path: Path) -> None:
    clips = (generate_sequence("fear", person=person, frames=8, size=24) for person in range(4))
    write_sequences(clips, tmp_path / "clips/inner")
    write_rafdb(tmp_path / "raf/inner", train=1)
    videos = protocol_of(tmp_path / "clips")
    assert videos == PROTOCOLS["sequences"]
    assert len(read_videos(videos, tmp_path / "clips", seed=0)) == 32
    stills = protocol_of(tmp_path / "raf")
    assert stills == PROTOCOLS["rafdb"]
    assert len(read_stills(stills, tmp_path / "raf")) == 14


def test_folders_of_any_names_are_no_labels_until_said(tmp_path: Path) -> None:
    for name in ("S001/1.png", "S001/2.png", "S002/3.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    protocol = protocol_of(tmp_path)
    with pytest.raises(ValueError, match=r"has 3 faces and no label.*S001, S002 are classes, --layout class"):
        read_labeled(protocol, tmp_path)
