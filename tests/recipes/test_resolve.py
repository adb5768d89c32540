"""From what a person asks for to one resolved recipe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from halfsmile.data.protocols.protocol import PROTOCOLS
from halfsmile.data.readers import class_folders
from halfsmile.data.split import LabelBudget
from halfsmile.data.synthetic import generate_sequence, write_sequences
from halfsmile.models.vit_config import VitConfig
from halfsmile.recipes import default_model, ssfer
from halfsmile.recipes.resolve import resolve


@pytest.fixture
def faces(generated_data: Path) -> Path:
    return generated_data / "labeled"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clips")
    write_sequences(
        (generate_sequence("fear", person=person, frames=8, size=24) for person in range(3)), root
    )
    return root


def test_a_method_is_made_for_the_data(faces: Path, clips: Path) -> None:
    made = replace(ssfer(data_set="faces"), protocol=PROTOCOLS["faces"])
    assert resolve("ssfer", data=faces, settings=["finetune.least_steps=0", "tune.least_steps=0"]) == made
    assert resolve("abaw6", data=faces).temporal is None
    over_time = resolve("abaw6", data=clips)
    assert over_time.temporal is not None
    assert over_time.protocol == PROTOCOLS["sequences"]


def test_a_recipe_is_taken_as_it_is(faces: Path) -> None:
    own = replace(ssfer("tiny"), labels="25%", seed=3)
    assert resolve(own, data=faces) == replace(own, protocol=PROTOCOLS["faces"])
    assert resolve(own, data=faces, seed=0).seed == 0
    assert resolve(own, data=faces, labels="all").labels == "all"
    assert resolve(own, data=faces, preset="tiny").preset == "tiny"
    with pytest.raises(ValueError, match="ssfer is of the preset tiny, and paper was asked for"):
        resolve(own, data=faces, preset="paper")


def test_settings_come_last(faces: Path) -> None:
    found = resolve("ssfer", data=faces, labels="5%", seed=2, settings=["labels=40", "finetune.epochs=3"])
    assert (found.labels, found.seed, found.finetune.epochs) == ("40", 2, 3)


def test_a_recipe_with_a_protocol_is_for_its_data_set(faces: Path) -> None:
    with pytest.raises(ValueError, match="is for FERPlus; the data are recognized as faces of one's own"):
        resolve("default-model", data=faces)
    kept = resolve(default_model(), data=faces, data_set=None)
    assert kept.protocol == replace(PROTOCOLS["ferplus"], test_splits=("test",))


def test_the_rule_of_a_recipe_stays_where_none_is_asked_for(tmp_path: Path) -> None:
    own = replace(PROTOCOLS["ferplus"], label_rule="majority", test_splits=("test",))
    recipe = replace(ssfer(), protocol=own)
    assert resolve(recipe, data=tmp_path).protocol == own
    asked = resolve(recipe, data=tmp_path, label_rule="argmax8").protocol
    assert asked == replace(own, label_rule="argmax8")
    seven = replace(ssfer(), protocol=replace(PROTOCOLS["affectnet"], num_classes=7))
    assert resolve(seven, data=tmp_path).resolved_protocol.num_classes == 7


def test_a_given_budget_says_amount_and_group(faces: Path) -> None:
    budget = LabelBudget.draw(class_folders.read(faces).split("train"), "3", seed=5)
    assert resolve("ssfer", data=faces, budget=budget).labels == "3"
    with pytest.raises(ValueError, match="--labels and --budget both say"):
        resolve("ssfer", data=faces, budget=budget, labels="10%")


def test_weights_take_the_place_of_stage_one(faces: Path, clips: Path) -> None:
    assert resolve("ssfer", data=faces, init="farl.pth").pretrain is None
    found = resolve("ssfer", data=faces, preset="paper", init="farl.pth", init_network="farl")
    assert isinstance(found.encoder, VitConfig)
    assert (found.encoder.pre_norm, found.encoder.activation, found.pretrain) == (True, "quick_gelu", None)
    with pytest.raises(ValueError, match="preset paper"):
        resolve("ssfer", data=faces, init="farl.pth", init_network="farl")
    with pytest.raises(ValueError, match="there is no --init"):
        resolve("ssfer", data=faces, preset="paper", init_network="mae")
    settled, scratch = (resolve("temporal", data=clips, init=init) for init in ("RUN", None))
    assert settled.finetune.optim.learning_rate < scratch.finetune.optim.learning_rate


def test_what_can_not_be_is_told_before_the_data_are_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Unknown method 'sfer'.* Did you mean ssfer"):
        resolve("sfer", data=tmp_path / "nowhere")
    with pytest.raises(ValueError, match="nowhere does not exist"):
        resolve("ssfer", data=tmp_path / "nowhere")


def test_a_method_by_name_also_learns_from_very_few_labels(generated_data: Path) -> None:
    data = generated_data / "labeled"
    assert resolve("ssfer", data=data, init="face").finetune.passes(85) == pytest.approx(400 * 64 / 85)
    assert resolve("ssfer", data=data, init="face").finetune.passes(2770) == 24
    assert resolve("ssfer", data=data, settings=["finetune.epochs=3"]).finetune.passes(85) == 3
    assert resolve(ssfer(), data=data).finetune.passes(85) == ssfer().finetune.epochs
