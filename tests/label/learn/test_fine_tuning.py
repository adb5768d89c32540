"""The recipe beside the answers: begun, stopped, gone on with, and its model as the newest."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.label.conftest import COUNT, NAMES, Opened, click, say

from halfsmile.data.manifest import Manifest
from halfsmile.data.preprocess import Image, preprocess
from halfsmile.label.learn import recipe
from halfsmile.label.learn.extractors import RecipeFeatures
from halfsmile.label.learn.recipe import Prepared, RecipeError, all_prepared, commands, run_recipe
from halfsmile.label.session import Labeling
from halfsmile.predict.model import ExpressionModel
from halfsmile.taxonomy import FERPLUS
from halfsmile.utils.files import read_json

Drawn = tuple[Path, list[str]]


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program trains: it waits for a file, and its model is the one in the box."""
    monkeypatch.setattr(recipe, "MODULE", "tests.label.learn.fake_trainer")


def labeled(opened: Opened, drawn: Drawn, count: int = 60, **options: Any) -> Labeling:
    """A session with some answers and a head."""
    labeling = opened(classes=list(FERPLUS.labels), share=0.3, **options)
    labeling.learning.wait()
    click(labeling, drawn[1], count)
    assert labeling.learning.wait()
    return labeling


def until(true: Any, seconds: float = 60.0) -> None:
    """Wait for something to come true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def ended(labeling: Labeling) -> dict[str, Any]:
    """What the recipe ended with."""
    until(lambda: labeling.learning.recipe is None, 600)
    assert labeling.learning.recipe_last is not None
    return labeling.learning.recipe_last


def prepared(labeling: Labeling) -> Prepared:
    """The newest recipe."""
    until(lambda: all_prepared(labeling.out))
    return all_prepared(labeling.out)[-1]


def test_commands_are_those_that_a_user_could_type(tmp_path: Path) -> None:
    own = Prepared(tmp_path, "finetune", 3, 100, 120)
    train, export = commands(own)
    assert train[:2] == ["train", "ssfer"]
    assert train[train.index("--data") + 1] == str(tmp_path / "labels.parquet")
    assert train[train.index("--last-stage") + 1] == "finetune"
    assert "--unlabeled" not in train
    assert export == ["export", str(tmp_path / "run")]
    whole, _ = commands(Prepared(tmp_path, "recipe", 3, 100, 120))
    assert "--last-stage" not in whole
    assert whole[whole.index("--unlabeled") + 1] == str(tmp_path / "unlabeled.parquet")


def test_what_goes_wrong_is_one_sentence(tmp_path: Path) -> None:
    told: list[str] = []
    with pytest.raises(RecipeError, match=r"halfsmile train ssfer .*labels.parquet does not exist"):
        run_recipe(
            Prepared(tmp_path, "finetune", 1, 0, 0), lambda says, share: told.append(says), threading.Event()
        )
    assert told == ["beginning"]


def test_its_model_takes_over_and_answers_go_on(opened: Opened, drawn: Drawn, faked: None) -> None:
    labeling = labeled(opened, drawn)
    heads = [point["number"] for point in labeling.learning.curve()["points"]]
    labeling.learning.train("finetune")
    own = prepared(labeling)
    until(lambda: labeling.learning.recipe and labeling.learning.recipe["share"] == 1.0)
    assert labeling.learning.recipe is not None
    assert labeling.learning.recipe["says"] == "fine-tuning, 0.2 min left"
    with pytest.raises(RecipeError, match="trained already"):
        labeling.learning.train("recipe")
    face = labeling.next()[0]  # the page goes on meanwhile
    say(labeling, face["id"], drawn[1][int(face["id"])])
    (own.folder / "go").touch()
    assert ended(labeling)["error"] is None
    assert labeling.learning.wait()

    table = Manifest.load(own.labels_list)
    kept_apart = {labeling.pool.locators[row] for row in labeling.state.random_faces}
    tests = {
        image
        for image, split in zip(table.column("image"), table.column("split"), strict=True)
        if split == "test"
    }
    assert tests <= kept_apart
    assert own.labels == table.column("split").count("train")

    rows = list(range(COUNT))
    model = ExpressionModel.load(own.model)
    crop = model.preprocessing
    faces = np.stack([preprocess(labeling.pool.image(row), crop.size, crop.channels) for row in rows])
    probabilities = model.predict(faces).probabilities
    best = [max(labeling.learning.guess(row) or [], key=lambda one: one["probability"]) for row in rows]
    same = [one["name"] == model.labels[k] for one, k in zip(best, probabilities.argmax(axis=1), strict=True)]
    assert np.mean(same) > 0.98  # features are kept with 11 bits
    points = labeling.learning.curve()["points"]
    assert [point["number"] for point in points if point["what"] == "head"] == heads
    assert points[-1]["what"] == "finetune"
    assert points[-1]["labels"] == own.labels
    right = np.array([best[row]["name"] == labeling.state.label(row) for row in labeling.state.random_faces])
    assert points[-1]["accuracy"] == pytest.approx(right.mean())
    assert labeling.problems() == []

    labeling.close()
    again = opened(classes=list(FERPLUS.labels), share=0.3)
    assert again.learning.wait()
    assert again.learning.curve()["points"] == points
    assert again.learning.told() == labeling.learning.told()
    with pytest.raises(ValueError, match="with 30 more, a head can be learned on top"):
        again.learning.train()
    click(again, drawn[1], 45)
    assert again.learning.wait()
    assert again.learning.learned is not None
    assert not set(again.learning.learned.sampled.tolist()) & set(again.learning.taught.tolist())
    last = again.learning.curve()["points"][-1]
    assert (last["what"], last["labels"] > own.labels) == ("head", True)


def test_classes_renamed_and_merged_meanwhile(opened: Opened, drawn: Drawn, faked: None) -> None:
    labeling = labeled(opened, drawn)
    labeling.learning.train("finetune")
    own = prepared(labeling)
    labeling.change_classes(rename=("neutral", "calm"))
    labeling.change_classes(merge=("surprise", "happiness"))
    (own.folder / "go").touch()
    assert ended(labeling)["error"] is None
    guess = labeling.learning.guess(5)
    assert guess is not None
    names = [one["name"] for one in guess]
    assert sorted(names) == sorted(labeling.state.classes)
    assert sum(one["probability"] for one in guess) == pytest.approx(1, abs=1e-3)


def test_stopped_it_goes_on_with_the_same_labels(opened: Opened, drawn: Drawn, faked: None) -> None:
    labeling = labeled(opened, drawn)
    labeling.learning.train("finetune")
    own = prepared(labeling)
    until((own.run / "begun").exists)
    snapshot = own.labels_list.read_bytes()
    labeling.learning.train("stop")
    assert ended(labeling)["error"] == "The recipe was stopped; asked for again, it goes on."
    labeling.close()
    again = opened(classes=list(FERPLUS.labels), share=0.3)
    assert again.learning.wait()
    assert again.problems() == []  # somebody wanted it
    last = again.learning.recipe_last
    assert last is not None
    assert last["error"] == f"The recipe on {own.labels} labels was stopped; asked for again, it goes on."
    click(again, drawn[1], 2)
    (own.folder / "go").touch()
    again.learning.train("finetune")
    assert ended(again)["error"] is None
    assert [one.folder for one in all_prepared(again.out)] == [own.folder]
    assert own.labels_list.read_bytes() == snapshot
    assert (own.run / "begun").read_text() == "xx"
    assert again.problems() == []


def test_a_worse_model_does_not_take_over(
    opened: Opened, drawn: Drawn, faked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    labeling = labeled(opened, drawn)
    before, features = labeling.learning.told(), labeling.learning.features

    def wrong(self: RecipeFeatures, images: Image) -> Any:
        return np.tile(np.log(np.eye(self.width)[-1] * 0.9 + 0.01), (len(images), 1)).astype(np.float32)

    monkeypatch.setattr(RecipeFeatures, "__call__", wrong)  # contempt, whatever it sees
    labeling.learning.train("finetune")
    own = prepared(labeling)
    (own.folder / "go").touch()
    error = ended(labeling)["error"]
    assert error.startswith(f"The recipe on {own.labels} labels is right for 0 % of the faces kept apart")
    assert "it does not take over" in error
    assert labeling.learning.told() == before
    assert labeling.learning.features is features
    assert all(point["what"] == "head" for point in labeling.learning.curve()["points"])
    labeling.close()
    again = opened(classes=list(FERPLUS.labels), share=0.3)
    assert again.learning.wait()
    assert again.problems() == []
    again.learning.train("finetune")
    until(lambda: len(all_prepared(again.out)) == 2)  # anew
    again.learning.train("stop")
    ended(again)


def test_killed_it_is_told_at_the_next_start(opened: Opened, drawn: Drawn, faked: None) -> None:
    labeling = labeled(opened, drawn)
    own = labeling.learning._prepare("finetune")  # begun, and nobody could write down its end
    labeling.close()
    again = opened(classes=list(FERPLUS.labels), share=0.3)
    assert again.learning.wait()
    told = f"The recipe on {own.labels} labels was interrupted; asked for again, it goes on."
    assert again.problems() == [told]


def test_with_many_more_labels_it_begins_anew(opened: Opened, drawn: Drawn, faked: None) -> None:
    labeling = labeled(opened, drawn, 40)
    labeling.learning.train("finetune")
    own = prepared(labeling)
    labeling.learning.train("stop")
    ended(labeling)
    click(labeling, drawn[1], 20)
    labeling.learning.train("finetune")
    until(lambda: len(all_prepared(labeling.out)) == 2)
    newer = prepared(labeling)
    assert newer.labels > 1.1 * own.labels
    labeling.learning.train("stop")
    ended(labeling)


def test_the_whole_recipe_never_sees_what_is_kept_apart(opened: Opened, drawn: Drawn, faked: None) -> None:
    labeling = labeled(opened, drawn)
    labeling.learning.train("recipe")
    own = prepared(labeling)
    unlabeled = set(Manifest.load(own.unlabeled_list).column("image"))
    train = {
        image
        for image, split in zip(
            Manifest.load(own.labels_list).column("image"),
            Manifest.load(own.labels_list).column("split"),
            strict=True,
        )
        if split == "train"
    }
    reserve = {labeling.pool.locators[row] for row in labeling.asking.reserve}
    assert unlabeled
    assert not unlabeled & (reserve | train)
    labeling.learning.train("stop")
    ended(labeling)


def test_what_fails_is_told_and_answers_go_on(
    opened: Opened, drawn: Drawn, faked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    labeling = labeled(opened, drawn)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "save", full)
        labeling.learning.train("finetune")
        assert "No space left on device" in ended(labeling)["error"]
    labeling.learning.train("finetune")
    (prepared(labeling).folder / "fail").touch()
    assert ended(labeling)["error"].endswith("error: Something is wrong.")
    assert any("Something is wrong." in problem for problem in labeling.problems())
    assert labeling.learning.learned is not None
    assert labeling.learning.curve()["points"][-1]["what"] == "head"
    say(labeling, labeling.next()[0]["id"], "neutral")


def test_it_needs_labels(opened: Opened) -> None:
    labeling = opened()
    labeling.learning.wait()
    with pytest.raises(ValueError, match="A model needs labels of two classes at least"):
        labeling.learning.train("finetune")
    labeling.learning.train("stop")  # nothing to stop


def test_a_real_training(opened: Opened, drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="needs halfsmile[train]")
    small = (
        "finetune.epochs=1",
        "encoder.width=16",
        "encoder.heads=2",
        "encoder.depth=1",
        "encoder.stem=4,8",
    )
    start = ("--labels", "all", "--preset", "tiny", "--set", "pretrain=none", *small)
    monkeypatch.setattr(recipe, "START", start)
    monkeypatch.setattr(recipe, "commands", lambda own: commands(own)[:1])  # exporting takes ten seconds
    labeling = labeled(opened, drawn)
    say(labeling, int(labeling.asking.open_rows()[0]), "fear")  # a class of one face
    labeling.learning.train("finetune")
    own = prepared(labeling)
    assert ended(labeling)["error"] == f"{own.run} has no exported model."
    said = Manifest.load(own.labels_list)
    assert said.taxonomy is not None
    assert set(said.taxonomy.labels) == {*NAMES, "fear"}  # the other four have no label to learn from
    told = read_json(own.run / "metrics.json")
    assert str(said.column("split").count("test")) in json.dumps(told)
    assert (own.run / "finetune" / "model.safetensors").is_file()
