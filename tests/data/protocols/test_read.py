"""Data sets are read as their protocol has them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.data.layouts import write_affectnet, write_ferplus, write_rafdb

from halfsmile.data.protocols.protocol import PROTOCOLS
from halfsmile.data.protocols.read import read_labeled, read_stills, read_videos
from halfsmile.data.protocols.recognize import protocol_of
from halfsmile.data.synthetic import generate_sequence, write_data_set, write_sequences
from halfsmile.taxonomy import FERPLUS


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


def test_folders_of_any_names_are_no_labels_until_said(tmp_path: Path) -> None:
    for name in ("S001/1.png", "S001/2.png", "S002/3.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    protocol = protocol_of(tmp_path)
    with pytest.raises(ValueError, match=r"has 3 faces and no label.*S001, S002 are classes, --layout class"):
        read_labeled(protocol, tmp_path)
