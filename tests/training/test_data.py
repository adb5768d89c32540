"""What reaches training: the right pictures, targets that are distributions, no label outside the budget."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from halfsmile.data.decode import read_bytes
from halfsmile.data.images import DecodedFaces, load_faces
from halfsmile.data.manifest import Manifest
from halfsmile.data.protocols.protocol import PROTOCOLS
from halfsmile.data.readers import class_folders
from halfsmile.data.samplers import BalancedSampler
from halfsmile.data.sets import read_data
from halfsmile.data.split import LabelBudget
from halfsmile.data.store.write import StoredFace, StoreWriter
from halfsmile.data.synthetic import write_data_set
from halfsmile.models.vit_config import VitConfig
from halfsmile.recipes import ssfer, with_semi
from halfsmile.recipes.config import Recipe, Unlabeled
from halfsmile.taxonomy import FERPLUS, Taxonomy
from halfsmile.training.batches import (
    groups,
    labeled_batches,
    soft_targets,
)
from halfsmile.training.data import (
    TrainingFaces,
    describe,
    load_roles,
    require_same_faces,
    unlabeled_faces,
)
from halfsmile.utils.files import write_json

MOODS = Taxonomy("moods", ("calm", "glad"))
RECIPE = replace(
    ssfer(data_set="faces"),
    protocol=PROTOCOLS["faces"],
    labels="25%",
    held_out=0.5,
    encoder=VitConfig(
        image_size=8, patch_size=4, channels=1, width=8, depth=1, heads=2, mean=(0.5,), std=(0.25,)
    ),
)


def write_faces(folder: Path, values: list[int]) -> None:
    folder.mkdir(parents=True)
    for value in values:
        cv2.imwrite(str(folder / f"{value:03d}.png"), np.full((8, 8), value, np.uint8))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Labeled class folders, and unlabeled faces beside them."""
    root = tmp_path / "faces"
    write_faces(root / "labeled/train/calm", list(range(1, 9)))
    write_faces(root / "labeled/train/glad", list(range(101, 113)))
    write_faces(root / "labeled/test/calm", [50, 51])
    write_faces(root / "labeled/test/glad", [150])
    write_faces(root / "others", [200, 201, 202])
    return root


def load(recipe: Recipe, data: Path, cache: Path) -> tuple[Any, Any]:
    sets = read_data(recipe.resolved_protocol, data / "labeled", [data / "others"])
    budget = LabelBudget.draw(sets.train, recipe.labels, seed=recipe.seed, held_out=recipe.held_out)
    return sets, load_roles(recipe, sets, budget, cache=cache)


def gray_values(faces: DecodedFaces | None) -> list[int]:
    assert faces is not None
    return sorted(int(value) for value in faces.images[:, 0, 0, 0])


def test_roles_have_the_right_faces_and_only_the_budget_has_labels(data: Path, tmp_path: Path) -> None:
    sets, faces = load(RECIPE, data, tmp_path)
    assert faces.labeled.manifest.counts() == {"calm": 2, "glad": 3}
    assert faces.held_out.manifest.counts() == {"calm": 3, "glad": 4}
    assert (faces.unlabeled.manifest.class_indices() == -1).all()
    (others,) = faces.extra.values()
    assert gray_values(others) == [200, 201, 202]
    assert (others.manifest.class_indices() == -1).all()
    train = gray_values(faces.labeled) + gray_values(faces.unlabeled) + gray_values(faces.held_out)
    assert sorted(train) == [*range(1, 9), *range(101, 113)]
    assert gray_values(faces.test) == [50, 51, 150]
    for part in (faces.labeled, faces.held_out, faces.test):
        values = part.images[:, 0, 0, 0]
        assert np.array_equal(part.manifest.class_indices(), values > 100)
    assert faces.taxonomy == sets.taxonomy
    assert not any(part.bad for part in faces.parts)


def test_test_rows_without_a_label_are_left_out_and_counted(tmp_path: Path) -> None:
    write_faces(tmp_path / "set", list(range(8)))
    splits = ["train"] * 4 + ["test"] * 4
    labels = ["calm", "glad"] * 3 + ["glad", ""]
    rows = [
        f"{i:03d}.png,{label},{split}" for i, (label, split) in enumerate(zip(labels, splits, strict=True))
    ]
    (tmp_path / "set/faces.csv").write_text("\n".join(["image,label,split", *rows]))
    sets = read_data(RECIPE.resolved_protocol, tmp_path / "set/faces.csv")
    assert sets.test.counts() == {"calm": 1, "glad": 2}
    assert len(sets.test) == 3
    assert "1 test rows have no label and were left out." in sets.train.notes


def test_the_description_counts_every_face_once(data: Path, tmp_path: Path) -> None:
    (data / "others/200.png").write_bytes(b"")
    sets, faces = load(RECIPE, data, tmp_path)
    facts = describe(RECIPE, sets, faces, data=data / "labeled")
    assert json.loads(json.dumps(facts)) == facts
    assert facts["taxonomy"] == ["calm", "glad"]
    assert (facts["labeled"], facts["held_out"]) == ({"calm": 2, "glad": 3}, {"calm": 3, "glad": 4})
    assert (facts["unlabeled"], facts["test"]) == (8, {"calm": 2, "glad": 1})
    assert list(facts["pretrain_images"].values()) == [13, 2]
    ((locator, reason),) = facts["bad_images"]
    assert locator == "200.png"
    assert reason
    assert facts["fingerprint"] == sets.train.fingerprint() != facts["test_fingerprint"]


def with_pseudo_labels(data: Path, root: Path) -> tuple[Any, TrainingFaces]:
    """Faces that a model labeled, among them a test face, a held-out or labeled one, and two new ones."""
    write_faces(root / "named", [50, 1, 2, 3, 4, 5, 6, 7, 8, 30, 130])
    rows = [
        {"image": f"{value:03d}.png", "label": "glad" if value > 100 else "calm", "votes": [0.75, 0.25]}
        for value in (50, 1, 2, 3, 4, 5, 6, 7, 8, 30, 130)
    ]
    Manifest.from_rows(rows, root / "named", MOODS).save(root / "list.parquet")
    sets = read_data(RECIPE.resolved_protocol, data / "labeled", pseudo_labels=[root / "list.parquet"])
    budget = LabelBudget.draw(sets.train, RECIPE.labels, seed=RECIPE.seed, held_out=RECIPE.held_out)
    return sets, load_roles(RECIPE, sets, budget, cache=root)


def test_pseudo_labeled_faces_train_and_nothing_else(data: Path, tmp_path: Path) -> None:
    """Those that are test, held-out or labeled faces are left out with a line."""
    _, without = load(RECIPE, data, tmp_path)
    sets, faces = with_pseudo_labels(data, tmp_path)
    (pseudo,) = faces.pseudo.values()
    unlabeled = [value for value in gray_values(faces.unlabeled) if value < 100]
    assert gray_values(pseudo) == sorted([*unlabeled, 30, 130])
    assert [gray_values(part) for part in faces.supervised.values()] == [
        gray_values(without.labeled),
        gray_values(pseudo),
    ]
    for part in ("labeled", "held_out", "test", "unlabeled"):
        assert gray_values(getattr(faces, part)) == gray_values(getattr(without, part))
    assert faces.pseudo_counts() == {"calm": len(unlabeled) + 1, "glad": 1}
    facts = describe(RECIPE, sets, faces, data=data / "labeled")
    assert json.loads(json.dumps(facts)) == facts
    assert facts["pseudo_labeled"] == faces.pseudo_counts()
    (table,) = facts["pseudo_labels"]
    assert (table["path"], table["faces"]) == (str(tmp_path / "list.parquet"), len(pseudo))
    assert list(facts["pretrain_images"].values()) == [13, len(pseudo)]
    notes = [note for note in facts["notes"] if "left out" in note]
    assert [note.split(" have the ")[1] for note in notes] == [
        "pixels of test faces and were left out.",
        "pixels of held-out faces and were left out.",
        "pixels of labeled faces and were left out.",
    ]
    assert [int(note.split()[0]) for note in notes] == [1, 3, 2]


def test_a_run_goes_on_with_the_pseudo_labels_it_began_with(data: Path, tmp_path: Path) -> None:
    sets, faces = with_pseudo_labels(data, tmp_path)
    facts = describe(RECIPE, sets, faces, data=data / "labeled")
    write_json(tmp_path / "data.json", facts)
    require_same_faces(tmp_path / "data.json", facts)
    (table,) = facts["pseudo_labels"]
    with pytest.raises(ValueError, match="a table given by --pseudo-labels has changed since"):
        require_same_faces(tmp_path / "data.json", {**facts, "pseudo_labels": [{**table, "sha256": "0"}]})
    sets, faces = load(RECIPE, data, tmp_path / "none")
    with pytest.raises(ValueError, match=r"differs in pseudo_labeled .*--pseudo-labels to go on"):
        require_same_faces(tmp_path / "data.json", describe(RECIPE, sets, faces, data=data / "labeled"))


def test_rows_without_a_split_are_counted(data: Path, tmp_path: Path) -> None:
    labeled = class_folders.read(data / "labeled")
    rows = labeled.table.to_pylist()
    for row in rows[-3:]:
        row["split"] = None
    Manifest.from_rows(rows, labeled.root, labeled.taxonomy).save(tmp_path / "some.parquet")
    sets = read_data(RECIPE.resolved_protocol, tmp_path / "some.parquet")
    assert "3 of 23 rows are without a split and take no part." in sets.train.notes
    Manifest.from_rows([{**row, "split": None} for row in rows], labeled.root, labeled.taxonomy).save(
        tmp_path / "none.parquet"
    )
    with pytest.raises(
        ValueError, match=r"0 test rows \(test\), and 23 rows without a split.*(.|\n)*--pseudo-labels .*none"
    ):
        read_data(RECIPE.resolved_protocol, tmp_path / "none.parquet")


def test_a_class_without_a_readable_labeled_face_is_named(data: Path, tmp_path: Path) -> None:
    for path in (data / "labeled/train/glad").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"No labeled face of \['glad'\] could be read"):
        load(RECIPE, data, tmp_path)


def test_unlabeled_faces_that_are_test_faces_are_refused(data: Path, tmp_path: Path) -> None:
    """Copies are found by their pixels: other names, another file format."""
    cv2.imwrite(str(data / "others/innocent.bmp"), np.full((8, 8), 150, np.uint8))
    cv2.imwrite(str(data / "others/x51.png"), np.full((8, 8), 51, np.uint8))
    with pytest.raises(
        ValueError,
        match=r"2 of 5 unlabeled faces in .*others are test images, first innocent\.bmp .*glad/150",
    ):
        load(RECIPE, data, tmp_path)
    assert not list(tmp_path.glob("*.parquet"))


def test_unlabeled_faces_that_are_held_out_are_left_out(data: Path, tmp_path: Path) -> None:
    """Held-out faces train nothing, also where another source has copies of them."""
    _, faces = load(RECIPE, data, tmp_path)
    held_out = gray_values(faces.held_out)[0]
    cv2.imwrite(str(data / "others/copy.bmp"), np.full((8, 8), held_out, np.uint8))
    sets, faces = load(RECIPE, data, tmp_path)
    (extra,) = faces.extra.values()
    assert gray_values(extra) == [200, 201, 202]
    (note,) = faces.left_out
    assert note.startswith("1 faces of ")
    assert note.endswith("have the pixels of held-out faces and were left out.")
    facts = describe(RECIPE, sets, faces, data=data / "labeled")
    assert note in facts["notes"]
    assert list(facts["pretrain_images"].values())[1:] == [3]
    for path in (data / "others").glob("*.png"):
        path.unlink()
    with pytest.raises(ValueError, match=r"No unlabeled face of .*others is left\. 1 faces of "):
        load(RECIPE, data, tmp_path)


def test_training_faces_that_are_test_faces_are_noted(data: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(data / "labeled/train/calm/copy.png"), np.full((8, 8), 50, np.uint8))
    recipe = replace(RECIPE, held_out=0.0)
    sets, faces = load(recipe, data, tmp_path)
    notes = [note for note in describe(recipe, sets, faces, data=data)["notes"] if "pixels of test" in note]
    assert len(notes) == 1
    assert notes[0].startswith("1 training faces have the pixels of test faces, first train/calm/copy.png")


def test_a_class_with_one_labeled_face_is_enough(data: Path, tmp_path: Path) -> None:
    for path in sorted((data / "labeled/train/calm").iterdir())[1:]:
        path.unlink()
    _, faces = load(RECIPE, data, tmp_path)
    assert faces.labeled.manifest.counts() == {"calm": 1, "glad": 3}
    classes = faces.labeled.manifest.class_indices()
    sampler = BalancedSampler(classes, groups(faces.labeled.manifest), batch_size=8, seed=0)
    batch = labeled_batches([faces.labeled], soft_targets(faces.labeled.manifest, 0.0), sampler)(3)
    assert batch.targets is not None
    assert batch.targets.sum(dim=0).tolist() == [4.0, 4.0]


@pytest.mark.parametrize(("choice", "counts"), [("own", [8]), ("extra", [3]), ("all", [8, 3])])
def test_stage_three_takes_the_unlabeled_faces_it_asks_for(
    data: Path, tmp_path: Path, choice: Unlabeled, counts: list[int]
) -> None:
    _, faces = load(RECIPE, data, tmp_path)
    assert [
        len(part) for part in unlabeled_faces(with_semi(RECIPE, unlabeled=choice), "semi", faces)
    ] == counts


def test_unlabeled_faces_that_are_not_there_are_named(data: Path, tmp_path: Path) -> None:
    _, faces = load(RECIPE, data, tmp_path)
    without = replace(faces, unlabeled=None, extra={})
    for lacking in (replace(faces, unlabeled=None), replace(faces, extra={})):
        assert len(unlabeled_faces(with_semi(RECIPE, unlabeled="all"), "semi", lacking)) == 1
    for choice in ("own", "all"):
        with pytest.raises(ValueError, match="the label budget covers all"):
            unlabeled_faces(with_semi(RECIPE, unlabeled=choice), "semi", without)
    with pytest.raises(ValueError, match=r"from other sources \(unlabeled: extra\), and none are given"):
        unlabeled_faces(with_semi(RECIPE, unlabeled="extra"), "semi", without)


LABELS_ALONE = replace(RECIPE, pretrain=None, semi=None, tune=None)


@pytest.mark.parametrize(
    ("recipe", "own", "extra"),
    [
        (LABELS_ALONE, 8, 3),
        (RECIPE, 0, 0),
        (replace(with_semi(RECIPE, unlabeled="own"), pretrain=None), 0, 3),
        (replace(with_semi(RECIPE, unlabeled="extra"), pretrain=None), 8, 0),
        (replace(with_semi(RECIPE, unlabeled="all"), pretrain=None), 0, 0),
    ],
)
def test_faces_that_no_stage_learns_from_are_not_read(
    data: Path, tmp_path: Path, recipe: Recipe, own: int, extra: int
) -> None:
    """Those that are read are all, in the numbers of a recipe that uses them."""
    sets, faces = load(recipe, data, tmp_path)
    assert faces.unused.own == own
    assert sum(faces.unused.extra.values()) == extra
    assert len(faces.unlabeled or ()) == 8 - own
    assert sum(map(len, faces.extra.values())) == 3 - extra
    facts = describe(recipe, sets, faces, data=data / "labeled")
    assert facts["unlabeled"] == 8 - own
    assert sum(facts["pretrain_images"].values()) == 5 + 8 - own + 3 - extra
    said = faces.unused.describe(recipe)
    assert (said is None) == (own + extra == 0)
    if said:
        assert ("8 more training faces" in said, "3 unlabeled faces of" in said) == (own > 0, extra > 0)


def test_damage_to_a_face_that_no_stage_learns_from_changes_nothing(data: Path, tmp_path: Path) -> None:
    sets, faces = load(LABELS_ALONE, data, tmp_path)
    facts = describe(LABELS_ALONE, sets, faces, data=data / "labeled")
    used = {part.manifest.column("image")[row] for part in faces.parts for row in range(len(part))}
    bare = next(name for name in sets.train.column("image") if name not in used)
    (data / "labeled" / bare).write_bytes(b"no picture")
    again = describe(LABELS_ALONE, *load(LABELS_ALONE, data, tmp_path), data=data / "labeled")
    assert again == facts
    write_json(tmp_path / "data.json", facts)
    require_same_faces(tmp_path / "data.json", again)


def test_runs_that_counted_what_they_did_not_learn_from_go_on(data: Path, tmp_path: Path) -> None:
    sets, faces = load(LABELS_ALONE, data, tmp_path)
    facts = describe(LABELS_ALONE, sets, faces, data=data / "labeled")
    older = {name: value for name, value in facts.items() if name != "unused"}
    older |= {"unlabeled": 8, "pretrain_images": {"data": 13, "others": 3}}
    write_json(tmp_path / "data.json", older)
    require_same_faces(tmp_path / "data.json", facts)
    with pytest.raises(ValueError, match="differs in labeled"):
        require_same_faces(tmp_path / "data.json", {**facts, "labeled": {"calm": 1, "glad": 3}})


def test_a_path_that_is_not_there_is_named(data: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere does not exist"):
        read_data(RECIPE.resolved_protocol, data / "nowhere")
    with pytest.raises(ValueError, match=r"nowhere\.zip does not exist"):
        read_data(RECIPE.resolved_protocol, data / "labeled", [data / "nowhere.zip"])


def test_faces_some_folders_deep_are_found(data: Path, tmp_path: Path) -> None:
    for source, name in (("calm", "sadness"), ("glad", "happiness")):
        for split in ("train", "test"):
            (data / "labeled" / split / source).rename(data / "labeled" / split / name)
    (tmp_path / "deep").mkdir()
    (data / "labeled").rename(tmp_path / "deep" / "inner")
    sets = read_data(RECIPE.resolved_protocol, tmp_path / "deep")
    assert (len(sets.train), len(sets.test)) == (20, 3)


def test_both_splits_are_needed(data: Path) -> None:
    for path in (data / "labeled/test").rglob("*.png"):
        path.unlink()
    with pytest.raises(ValueError, match=r"20 training and 0 test rows \(test\)"):
        read_data(RECIPE.resolved_protocol, data / "labeled")


def test_a_run_goes_on_with_the_faces_it_began_with(data: Path, tmp_path: Path) -> None:
    sets, faces = load(RECIPE, data, tmp_path)
    facts = describe(RECIPE, sets, faces, data=data / "labeled")
    path = tmp_path / "data.json"
    require_same_faces(path, facts)
    write_json(path, facts)
    require_same_faces(path, facts)
    moved = {**facts, "path": "/elsewhere", "pretrain_images": {"/elsewhere": 13, "/others": 3}}
    require_same_faces(path, moved)
    with pytest.raises(
        ValueError,
        match=r"differs in pretrain_images .*Give the same --data, --unlabeled and --pseudo-labels",
    ):
        require_same_faces(path, {**facts, "pretrain_images": {"/elsewhere": 13}})
    with pytest.raises(ValueError, match=r"differs in unlabeled \(8 / 7\)"):
        require_same_faces(path, {**facts, "unlabeled": 7})


def test_as_many_other_unlabeled_faces_are_other_faces(data: Path, tmp_path: Path) -> None:
    sets, faces = load(RECIPE, data, tmp_path)
    path = tmp_path / "data.json"
    facts = describe(RECIPE, sets, faces, data=data / "labeled")
    write_json(path, facts)
    cv2.imwrite(str(data / "others/203.png"), np.full((8, 8), 203, np.uint8))
    (data / "others/202.png").unlink()
    sets, faces = load(RECIPE, data, tmp_path)
    with pytest.raises(ValueError, match=r"other unlabeled faces, though as many: .*--unlabeled"):
        require_same_faces(path, describe(RECIPE, sets, faces, data=data / "labeled"))
    older = {name: value for name, value in facts.items() if name != "unlabeled_fingerprints"}
    write_json(path, older)
    require_same_faces(path, facts)


def test_training_from_a_store_sees_the_same_faces_as_from_files(tmp_path: Path) -> None:
    write_data_set(tmp_path / "files", train=40, test=16, unlabeled=12, size=32, seed=0)
    labeled = class_folders.read(tmp_path / "files" / "labeled")
    with StoreWriter(tmp_path / "store", taxonomy=labeled.taxonomy) as writer:
        for row, name in enumerate(labeled.column("image")):
            face = StoredFace(
                read_bytes(labeled.root, name),
                width=32,
                height=32,
                label=labeled.column("label")[row],
                split=labeled.column("split")[row],
            )
            writer.add(f"{row:03d}", [face])
    recipe = RECIPE
    one = read_data(
        recipe.resolved_protocol, tmp_path / "files" / "labeled", [tmp_path / "files" / "unlabeled.zip"]
    )
    two = read_data(recipe.resolved_protocol, tmp_path / "store", [tmp_path / "store"])
    assert two.taxonomy.labels == one.taxonomy.labels
    for split in ("train", "test"):
        files, stored = getattr(one, split), getattr(two, split)
        assert stored.column("label") == files.column("label")
        first, second = (load_faces(m, size=8, channels=1, progress=False) for m in (files, stored))
        np.testing.assert_array_equal(first.images, second.images)
    assert len(one.extra[str(tmp_path / "files" / "unlabeled.zip")]) == 12
    assert len(two.extra[str(tmp_path / "store")]) == 56


def test_ferplus_may_come_from_a_store_and_nothing_else_may(tmp_path: Path) -> None:
    picture = bytes(cv2.imencode(".png", np.full((8, 8), 90, dtype=np.uint8))[1])
    for name, taxonomy in (("ferplus", FERPLUS), ("others", Taxonomy("others", ("happiness", "anger")))):
        with StoreWriter(tmp_path / name, taxonomy=taxonomy) as writer:
            for i, split in enumerate(("train", "train", "valid", "test")):
                face = StoredFace(picture, width=8, height=8, label=taxonomy.labels[i % 2], split=split)
                writer.add(f"{i}", [face])
    recipe = replace(ssfer(), protocol=PROTOCOLS["ferplus"])
    sets = read_data(recipe.resolved_protocol, tmp_path / "ferplus")
    assert (len(sets.train), len(sets.test), sets.taxonomy.labels) == (2, 2, FERPLUS.labels)
    with pytest.raises(ValueError, match=r"classes happiness, anger; .* prepared from FERPlus"):
        read_data(recipe.resolved_protocol, tmp_path / "others")
