"""Labels of lists and stores get other names, and classes go, as asked and with nothing lost silently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from halfsmile.data.exchange.label_names import read_named, with_label_names
from halfsmile.data.manifest import LeftOut, Manifest
from halfsmile.data.split import LabelBudget
from halfsmile.data.store.write import StoredFace, StoreWriter
from halfsmile.data.synthetic.folders import encode_png
from halfsmile.data.synthetic.stills import generate
from halfsmile.taxonomy import Taxonomy, from_labels

MOODS = Taxonomy("custom", ("calm", "glad", "other"))


def faces(root: Path, labels: list[str | None], **more: Any) -> Manifest:
    rows = [{"image": f"{i}.png", "label": label, **more} for i, label in enumerate(labels)]
    return Manifest.from_rows(rows, root, MOODS)


def test_a_class_without_a_face_goes(tmp_path: Path) -> None:
    faces(tmp_path, ["calm", "glad", None]).save(tmp_path / "l.parquet")
    bare = read_named(tmp_path / "l.parquet")
    with pytest.raises(ValueError, match="--label-names other=none"):
        LabelBudget.draw(bare, "1", seed=0)
    found = read_named(tmp_path / "l.parquet", labels={"other": None})
    assert found.taxonomy == from_labels(("calm", "glad"))
    assert found.table.select(["image", "label"]) == bare.table.select(["image", "label"])
    assert found.notes == bare.notes
    LabelBudget.draw(found, "1", seed=0)


def test_rows_of_a_dropped_class_are_counted(tmp_path: Path) -> None:
    found = with_label_names(faces(tmp_path, ["calm", "other", "glad", "other", None]), {"other": None})
    assert found.column("image") == ["0.png", "2.png", "4.png"]
    assert found.notes == ("2 rows were dropped because of their label, as asked: 2 of other.",)
    assert isinstance(found.notes[0], LeftOut)


def test_names_and_votes_move_together(tmp_path: Path) -> None:
    votes = [0.25, 0.25, 0.5]
    found = with_label_names(
        faces(tmp_path, ["calm", "other"], votes=votes), {"other": "glad", "calm": "smile"}
    )
    assert found.taxonomy == from_labels(("smile", "glad"))
    assert found.column("label") == ["smile", "glad"]
    assert found.column("votes") == [[0.25, 0.75]] * 2
    assert with_label_names(found, {}) is found


def test_labels_of_a_store(tmp_path: Path) -> None:
    image = encode_png(generate(1, size=32, seed=1, people=1).images[0])
    with StoreWriter(tmp_path / "store", taxonomy=MOODS) as writer:
        writer.add("s", [StoredFace(image, 32, 32, label=label) for label in ("calm", "glad")])
    found = read_named(tmp_path / "store", labels={"other": None, "glad": "happy"})
    assert found.taxonomy == from_labels(("calm", "happy"))
    assert found.column("label") == ["calm", "happy"]


def test_what_is_no_label_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no label is called joy; labels are calm, glad, other"):
        with_label_names(faces(tmp_path, ["calm"]), {"joy": None})
    with pytest.raises(ValueError, match="at least two"):
        with_label_names(faces(tmp_path, ["calm"]), {"glad": None, "other": None})
