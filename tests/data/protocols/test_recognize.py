"""Protocols are recognized from the true layouts."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.data.layouts import write_rafdb

from halfsmile.data.protocols.protocol import PROTOCOLS
from halfsmile.data.protocols.read import read_stills, read_videos
from halfsmile.data.protocols.recognize import protocol_of
from halfsmile.data.readers.registry import read_any
from halfsmile.data.store.write import StoredFace, StoreWriter
from halfsmile.data.synthetic import generate_sequence, write_sequences
from halfsmile.taxonomy import AFFECTNET8, FERPLUS, RAFDB, Taxonomy, from_labels


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
