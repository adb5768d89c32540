"""Which rows are scored, and what their labels are for the model: said, and never guessed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.data.layouts import write_affectnet, write_ferplus, write_rafdb

from halfsmile.data.protocols.protocol import PROTOCOLS
from halfsmile.data.protocols.recognize import protocol_of
from halfsmile.data.store.write import StoredFace, StoreWriter
from halfsmile.data.synthetic import generate_sequence, write_sequences
from halfsmile.evaluation.labeled_rows import LabeledRows, labeled_rows
from halfsmile.taxonomy import FERPLUS

MODEL = ("neutral", "happiness", "sadness")
PIXELS = np.full((8, 8, 3), 90, np.uint8)


def faces(root: Path, **counts: int) -> Path:
    """Class folders with so many pictures each; ``test_happy`` is the folder ``test/happy``."""
    for name, count in counts.items():
        folder = root / name.replace("_", "/")
        folder.mkdir(parents=True)
        for i in range(count):
            assert cv2.imwrite(str(folder / f"{i}.png"), PIXELS)
    return root


def rows(path: Path, labels: tuple[str, ...] = MODEL, **options: object) -> LabeledRows:
    return labeled_rows(path, labels, protocol_of(path), **options)  # type: ignore[arg-type]


def test_the_test_split_is_taken_where_there_are_splits(tmp_path: Path) -> None:
    data = faces(tmp_path, train_neutral=3, test_neutral=2, train_happiness=1, test_happiness=1)
    found = rows(data)
    assert found.splits == ("test",)
    assert found.manifest.column("label") == [MODEL[i] for i in found.targets]
    assert len(found) == 3
    assert "3 labeled rows" in found.describe()
    assert found.describe().endswith("split test")
    assert "tested on test" in found.protocol.describe()


def test_all_rows_are_taken_where_there_are_none(tmp_path: Path) -> None:
    found = rows(faces(tmp_path, neutral=2, happiness=1))
    assert found.splits == ()
    assert sorted(found.targets.tolist()) == [0, 0, 1]
    assert "all of them, as the data have no splits" in found.describe()
    assert "tested on all labeled rows" in found.protocol.describe()


def test_splits_can_be_chosen(tmp_path: Path) -> None:
    data = faces(tmp_path, train_neutral=3, test_neutral=2, train_happiness=1, test_happiness=1)
    assert len(rows(data, split="train")) == 4
    assert len(rows(data, split=("train", "test"))) == len(rows(data, split="all")) == 7
    with pytest.raises(ValueError, match="no labeled row of the split valid") as caught:
        rows(data, split="valid")
    assert "train 4, test 3. Choose with --split train test or --split all" in str(caught.value)
    with pytest.raises(ValueError, match="Unknown split 'dev'; choose of train, valid, test, or all"):
        rows(data, split="dev")
    with pytest.raises(ValueError, match="stands alone; found all, test"):
        rows(data, split=("all", "test"))


def test_labels_are_mapped_by_name_in_any_order_and_case(tmp_path: Path) -> None:
    data = faces(tmp_path, Sadness=1, NEUTRAL=2)
    assert sorted(rows(data, ("happiness", "sadness", "neutral")).targets.tolist()) == [1, 2, 2]
    two = ("Sadness", "sadness", "neutral")  # an exact name goes before one in another case
    assert sorted(rows(data, two).targets.tolist()) == [0, 2, 2]


def test_a_label_that_the_model_lacks_is_told_with_what_to_type(tmp_path: Path) -> None:
    data = faces(tmp_path, neutral=1, happy=1, bored=1, sad=1)
    with pytest.raises(ValueError, match="does not have the labels bored, happy of the data") as caught:
        rows(data, rename={"sad": "sadness"})
    for text in (
        "data:  bored, happy, neutral, sad\n",
        "model: neutral, happiness, sadness\n",
        "--rename sad=sadness bored=none happy=happiness (none leaves their rows out)",
    ):
        assert text in str(caught.value)
    found = rows(data, rename={"sad": "sadness", "bored": None, "happy": "happiness"})
    assert sorted(found.targets.tolist()) == [0, 1, 2]
    assert found.dropped == 1
    assert "bored as none (left out), happy as happiness, sad as sadness" in found.describe()
    assert "1 row left out by that" in found.describe()


def test_renames_that_fit_neither_side_are_refused(tmp_path: Path) -> None:
    data = faces(tmp_path, neutral=1, happy=1)
    with pytest.raises(ValueError, match="no label 'hapy' to rename; they have happy, neutral"):
        rows(data, rename={"hapy": "happiness"})
    with pytest.raises(ValueError, match="model has no label 'joy'; it has neutral, happiness, sadness"):
        rows(data, rename={"happy": "joy"})
    with pytest.raises(ValueError, match="Every row was left out"):
        rows(data, rename={"happy": None, "neutral": None})


def test_a_label_without_rows_needs_no_place_in_the_model(tmp_path: Path) -> None:
    data = faces(
        tmp_path, train_neutral=1, test_neutral=1, train_happiness=1, test_happiness=1, train_bored=1
    )
    assert len(rows(data)) == 2


def test_data_without_labels_are_refused(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("image\na.png\n")
    with pytest.raises(ValueError, match="has 1 faces and no label"):
        rows(tmp_path / "list.csv")


def test_rows_without_a_label_are_counted(tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text("image,label\na.png,neutral\nb.png,\nc.png,sadness\n")
    found = rows(table)
    assert (len(found), found.unlabeled) == (2, 1)
    assert "1 row without a label left out" in found.describe()


def test_published_data_sets_bring_their_splits_and_their_crops(tmp_path: Path) -> None:
    write_ferplus(tmp_path / "fer", train=1)
    write_rafdb(tmp_path / "raf", train=1)
    write_affectnet(tmp_path / "affect", train=1)
    found = {name: rows(tmp_path / name, FERPLUS.labels) for name in ("fer", "raf", "affect")}
    assert {name: len(part) for name, part in found.items()} == {"fer": 16, "raf": 7, "affect": 8}
    assert all(part.are_crops for part in found.values())
    assert found["fer"].splits == ("valid", "test")
    private = rows(tmp_path / "fer", FERPLUS.labels, split="test")
    assert private.protocol == replace(PROTOCOLS["ferplus"], test_splits=("test",))
    assert "tested on PrivateTest" in private.protocol.describe()


def test_photographs_with_boxes_are_no_crops_and_stores_are(tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text("image,label,x0,y0,x1,y1\na.png,neutral,1,1,5,5\nb.png,sadness,1,1,5,5\n")
    assert not rows(table).are_crops
    picture = bytes(cv2.imencode(".png", PIXELS)[1])
    with StoreWriter(tmp_path / "store", taxonomy=FERPLUS) as writer:
        for label in ("neutral", "sadness"):
            writer.add(label, [StoredFace(picture, width=8, height=8, label=label, box=[1, 1, 5, 5])])
    assert rows(tmp_path / "store").are_crops
    rows(tmp_path / "store").manifest.save(tmp_path / "some.parquet")
    assert rows(tmp_path / "some.parquet").are_crops


def test_frames_of_videos_are_rows_like_others(tmp_path: Path) -> None:
    write_sequences((generate_sequence("fear", person=i, frames=8, size=24) for i in range(2)), tmp_path)
    found = rows(tmp_path, FERPLUS.labels)
    assert found.protocol.is_video
    assert found.splits == ()
    assert found.unlabeled > 0  # between neutral and apex nothing is labeled
    assert len(found) + found.unlabeled == 16
