"""Stages of a run with balanced batches, unlabeled faces from other sources and methods that remember."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from tests.training.stopping import stopped_at
from torch import Tensor, nn

from halfsmile.data.manifest import Manifest
from halfsmile.data.readers import folder as folder_reader
from halfsmile.evaluation.evaluate_run import evaluate_run
from halfsmile.evaluation.trained import load_classifier
from halfsmile.methods.facemix import Mixing
from halfsmile.methods.freematch import FreeMatch
from halfsmile.methods.noisy_student import NoisyStudent
from halfsmile.methods.task import Task
from halfsmile.models import weights
from halfsmile.models.resnet import ResNet, ResNetConfig
from halfsmile.models.weight_files import FACE_FILE
from halfsmile.recipes import with_semi
from halfsmile.recipes.changes.tuning import last_tuning
from halfsmile.recipes.config import Recipe, Unlabeled
from halfsmile.recipes.resolve import resolve
from halfsmile.runs.folder import RunFolder
from halfsmile.runs.records import read_records
from halfsmile.runs.stages import LAST_STAGE, StageName
from halfsmile.taxonomy import FERPLUS
from halfsmile.training import stages, trainer
from halfsmile.training.batches import soft_targets
from halfsmile.training.distributed import Processes
from halfsmile.training.naming import NAMES
from halfsmile.training.run import train_run

HERE = Processes(0, 1, torch.device("cpu"))
RESNET = ResNetConfig(image_size=32, widths=(8, 12, 16), depths=(1, 1, 1))


def run(recipe: Recipe, data: Path, out: Path, *, last_stage: StageName = LAST_STAGE) -> RunFolder:
    labeled, unlabeled = data / "labeled", data / "unlabeled.zip"
    return train_run(recipe, data=labeled, unlabeled=[unlabeled], out=out, where=HERE, last_stage=last_stage)


def require_bits_of_unbroken(
    recipe: Recipe, unbroken: RunFolder, data: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same run again, stopped in Stage III and taken up, ends in the same weights."""

    with stopped_at(4, monkeypatch):
        run(recipe, data, out)
    broken = run(recipe, data, out)
    first, second = (load_file(f.stage("semi") / "model.safetensors") for f in (unbroken, broken))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture
def recipe(tiny_recipe: Recipe) -> Recipe:
    assert tiny_recipe.semi is not None
    semi = replace(tiny_recipe.semi, method=FreeMatch(momentum=0.9), labeled_batch=16)
    finetune = replace(tiny_recipe.finetune, sampling="sqrt")
    return replace(tiny_recipe, pretrain=None, finetune=finetune, semi=semi)


def state(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def test_every_stage_begins_with_the_one_before_and_keeps_its_average(
    tiny_recipe: Recipe, generated_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: dict[str, dict[str, Tensor]] = {}
    averages: dict[str, dict[str, Tensor]] = {}

    def shake(task: Task, batches: object, config: object, folder: Path, **options: object) -> None:
        """In place of training, move all weights at random, and so the average away from the model."""
        begun[folder.name] = state(task.model)
        with torch.no_grad():
            for parameter in task.parameters():
                parameter.add_(torch.rand_like(parameter))
        if task.teacher is not None:
            averages[folder.name] = state(task.teacher)

    monkeypatch.setattr(trainer, "train", shake)
    folder = run(
        replace(tiny_recipe, tune=last_tuning(tiny_recipe.finetune)), generated_data, tmp_path / "run"
    )
    kept = {stage: load_file(folder.stage(stage) / "model.safetensors") for stage in begun}
    assert list(kept) == ["pretrain", "finetune", "semi", "tune"]
    encoder = [name for name in begun["finetune"] if name in kept["pretrain"]]
    assert len(encoder) > 10
    for name in encoder:
        assert torch.equal(begun["finetune"][name], kept["pretrain"][name])
    assert list(averages) == ["finetune", "semi", "tune"]
    for stage, average in averages.items():
        assert all(torch.equal(average[name], value) for name, value in kept[stage].items())
    for stage, before in (("semi", "finetune"), ("tune", "semi")):
        assert all(torch.equal(begun[stage][name], value) for name, value in kept[before].items())


def test_every_number_of_the_recipe_reaches_its_task(
    tiny_recipe: Recipe, generated_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks: dict[str, Any] = {}
    draws: dict[str, Any] = {}
    loops: dict[str, Any] = {}
    shares: list[float] = []

    def note(task: Task, batches: object, config: object, folder: Path, **options: object) -> None:
        tasks[folder.name], draws[folder.name], loops[folder.name] = task, batches, config

    def note_share(manifest: Manifest, share: float) -> Tensor:
        shares.append(share)
        return soft_targets(manifest, share)

    monkeypatch.setattr(trainer, "train", note)
    monkeypatch.setattr(trainer, "soft_targets", note_share)
    assert tiny_recipe.pretrain is not None
    assert tiny_recipe.semi is not None
    pretrain = replace(tiny_recipe.pretrain, mask_ratio=0.5, normalize_target=False, accumulate=4)
    finetune = replace(
        tiny_recipe.finetune,
        alpha=0.3,
        smoothing=0.2,
        ema_decay=0.7,
        vote_share=0.25,
        drop_path=0.1,
        dropout=0.4,
        sampling="balanced",
        mixing="mixup",
        accumulate=2,
    )
    semi = replace(
        tiny_recipe.semi,
        weight=3.5,
        regmixup=0.5,
        regmixup_alpha=4.0,
        smoothing=0.15,
        ema_decay=0.8,
        vote_share=0.75,
        drop_path=0.2,
        dropout=0.3,
        sampling="balanced",
        labeled_batch=16,
        accumulate=8,
    )
    recipe = replace(tiny_recipe, pretrain=pretrain, finetune=finetune, semi=semi)
    run(recipe, generated_data, tmp_path / "run")

    first, second, third = (tasks[stage] for stage in ("pretrain", "finetune", "semi"))
    assert (first.mask_ratio, first.augment, first.model.normalize_target) == (0.5, pretrain.augment, False)
    for task, config, names in (
        (second, finetune, ("augment", "mixing", "alpha", "smoothing", "ema_decay")),
        (third, semi, ("weak", "strong", "weight", "smoothing", "ema_decay", "regmixup", "regmixup_alpha")),
    ):
        assert {name: getattr(task, name) for name in names} == {n: getattr(config, n) for n in names}
        assert task.model.dropout.p == config.dropout
        assert task.model.encoder.blocks[-1].drop_path.rate == pytest.approx(config.drop_path)
    assert shares == [0.25, 0.75]
    for stage in ("finetune", "semi"):
        assert torch.bincount(draws[stage](0).targets.argmax(dim=1)).tolist() == [2] * 8
    for stage, part, size in (("pretrain", pretrain, 32), ("finetune", finetune, 16), ("semi", semi, 16)):
        loop = loops[stage]
        assert (loop.optim, loop.accumulate, loop.batch_size) == (part.optim, part.accumulate, size)
    seen = loops["pretrain"].epoch_steps * 32
    assert (
        seen == 160 + 64 - 24
    )  # the training faces and those from other sources, but none that are held out


def test_a_method_hears_the_shares_of_the_labels_however_they_are_drawn(
    recipe: Recipe, generated_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks: dict[str, Any] = {}

    def note(task: Task, batches: object, config: object, folder: Path, **options: object) -> None:
        tasks[folder.name] = task

    monkeypatch.setattr(trainer, "train", note)
    counts = dict(zip(FERPLUS.labels, (9, 3, 2, 2, 1, 1, 1, 1), strict=True))
    monkeypatch.setattr(Manifest, "counts", lambda self: counts)
    run(with_semi(recipe, method="soft-targets", sampling="balanced"), generated_data, tmp_path / "run")
    assert tasks["semi"].shares.tolist() == pytest.approx([count / 20 for count in counts.values()])


@pytest.mark.parametrize(("unlabeled", "faces"), [("own", 96), ("extra", 64), ("all", 160)])
def test_stage_three_goes_through_the_faces_it_is_told_to(
    recipe: Recipe, generated_data: Path, tmp_path: Path, unlabeled: Unlabeled, faces: int
) -> None:
    chosen = with_semi(recipe, sampling="balanced", unlabeled=unlabeled)
    folder = run(chosen, generated_data, tmp_path / "run")
    result = json.loads((folder.stage("semi") / "result.json").read_text())
    assert result["images"] == faces
    shares = result["class_frequencies"]
    assert list(shares) == list(json.loads((folder.path / "data.json").read_text())["taxonomy"])
    assert list(shares.values()) == pytest.approx([1 / 8] * 8)

    lines = read_records(folder.stage("semi") / "metrics.jsonl").lines
    watched = [line for line in lines if "held_out/acceptance" in line]
    trained = [line for line in lines if "loss" in line]
    assert len(watched) >= 4
    assert any("precision" in line for line in watched)
    for line in trained:
        accepted = sum(value for name, value in line.items() if name.startswith("accepted/"))
        named = sum(value for name, value in line.items() if name.startswith("named/"))
        assert named == pytest.approx(1.0)
        assert accepted == pytest.approx(line["acceptance"], abs=1e-6)


def test_a_stopped_stage_three_ends_in_the_bits_of_an_unbroken_one(
    recipe: Recipe, generated_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = with_semi(recipe, sampling="balanced", unlabeled="all")
    unbroken = run(chosen, generated_data, tmp_path / "unbroken")

    require_bits_of_unbroken(chosen, unbroken, generated_data, tmp_path / "broken", monkeypatch)


def test_the_student_of_feedback_is_fine_tuned_on_labels_and_that_is_what_is_evaluated(
    recipe: Recipe, generated_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = with_semi(recipe, method="feedback", sampling="balanced")
    assert chosen.tune is not None
    chosen = replace(chosen, tune=replace(chosen.tune, epochs=1))
    unbroken = run(chosen, generated_data, tmp_path / "unbroken")
    assert unbroken.last_stage() == "tune"
    result = json.loads((unbroken.stage("tune") / "result.json").read_text())
    assert list(result["class_frequencies"].values()) == pytest.approx([1 / 8] * 8, abs=0.05)
    before, after = (load_file(unbroken.stage(s) / "model.safetensors") for s in ("semi", "tune"))
    assert before.keys() == after.keys()
    assert not torch.equal(before["head.weight"], after["head.weight"])
    assert (before["head.weight"] - after["head.weight"]).norm() < before["head.weight"].norm()
    assert list(evaluate_run(unbroken, device=torch.device("cpu"))) == ["finetune", "semi", "tune"]

    stopped = run(chosen, generated_data, tmp_path / "stopped", last_stage="semi")
    assert stopped.last_stage() == "semi"
    stopped = run(chosen, generated_data, tmp_path / "stopped")
    found = load_file(stopped.stage("tune") / "model.safetensors")
    assert all(torch.equal(found[name], after[name]) for name in after)


def test_without_stage_three_the_last_fine_tuning_goes_on_from_stage_two(
    recipe: Recipe, generated_data: Path, tmp_path: Path
) -> None:
    still = replace(recipe.finetune, epochs=1, optim=replace(recipe.finetune.optim, learning_rate=0.0))
    still = replace(still, optim=replace(still.optim, final_learning_rate=0.0))
    chosen = replace(recipe, semi=None, tune=last_tuning(still))
    folder = run(chosen, generated_data, tmp_path / "run")
    before, after = (load_file(folder.stage(s) / "model.safetensors") for s in ("finetune", "tune"))
    torch.testing.assert_close(after["head.weight"], before["head.weight"])
    assert list(evaluate_run(folder, device=torch.device("cpu"))) == ["finetune", "tune"]


@pytest.mark.parametrize("mixing", ["facemix", "none"])
def test_stage_two_begins_with_small_faces(
    recipe: Recipe, mixing: Mixing, generated_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finetune = replace(recipe.finetune, mixing=mixing, small_side=16, small_share=0.5)
    chosen = replace(recipe, encoder=RESNET, finetune=finetune, semi=None)
    sides = []
    normalize = ResNet.normalize

    def noting(self: ResNet, images: torch.Tensor) -> torch.Tensor:
        if self.training:
            sides.append(images.shape[-1])
        return normalize(self, images)

    monkeypatch.setattr(ResNet, "normalize", noting)
    folder = run(chosen, generated_data, tmp_path / "run")
    steps = json.loads((folder.stage("finetune") / "result.json").read_text())["steps"]
    half = round(0.5 * steps)
    assert steps > 4
    assert sides == [16] * half + [32] * (steps - half)


def test_missing_faces_from_other_sources_are_refused_before_anything_is_trained(
    recipe: Recipe, generated_data: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="none are given"):
        train_run(
            with_semi(recipe, unlabeled="extra"),
            data=generated_data / "labeled",
            unlabeled=[],
            out=tmp_path / "run",
            where=HERE,
        )
    assert not (tmp_path / "run/finetune").exists()


@pytest.mark.parametrize("stage", ["finetune", "tune"])
@pytest.mark.parametrize(("processes", "accumulate"), [(16, 1), (1, 16), (4, 4)])
def test_mixing_is_refused_where_a_process_sees_one_face_at_a_time(
    recipe: Recipe, stage: StageName, processes: int, accumulate: int
) -> None:
    mixing = replace(recipe.finetune, mixing="facemix", batch_size=16, accumulate=accumulate)
    chosen = replace(recipe, finetune=mixing, tune=last_tuning(mixing))
    with pytest.raises(ValueError, match=rf"Stage {stage} .* batch of 16 on {processes} processes.* fewer"):
        stages.require_partners(chosen, stage, processes)
    stages.require_partners(chosen, "semi", processes)
    alone = replace(mixing, mixing="none")
    stages.require_partners(replace(chosen, finetune=alone, tune=last_tuning(alone)), stage, processes)
    stages.require_partners(replace(chosen, tune=None), "tune", processes)
    two = replace(mixing, batch_size=32)
    stages.require_partners(replace(chosen, finetune=two, tune=last_tuning(two)), stage, processes)


def test_a_class_with_one_labeled_face_trains(recipe: Recipe, generated_data: Path, tmp_path: Path) -> None:
    one = replace(with_semi(recipe, sampling="balanced"), labels="1")
    folder = run(one, generated_data, tmp_path / "run")
    assert folder.finished("semi")
    assert set(json.loads((folder.path / "data.json").read_text())["labeled"].values()) == {1}


def test_a_full_disk_does_not_finish_a_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(tensors: dict[str, Any], path: Path) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    folder, model = RunFolder(tmp_path), nn.Linear(4, 3)
    with monkeypatch.context() as patch:
        patch.setattr(weights, "save_file", full)
        with pytest.raises(OSError, match=r"Can't write .*model\.safetensors.*No space left on device"):
            trainer.finish_stage(folder, "semi", model, {"steps": 3})
    assert not folder.finished("semi")
    trainer.finish_stage(folder, "semi", model, {"steps": 3})
    assert folder.result("semi") == {"stage": "semi", "steps": 3}
    assert torch.equal(load_file(folder.trained_weights("semi"))["weight"], model.weight)


@pytest.mark.parametrize("start", ["fresh", "finetuned"])
def test_a_noisy_student_learns_what_stage_two_said_and_a_stopped_one_ends_in_the_same_bits(
    recipe: Recipe,
    generated_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    start: Literal["fresh", "finetuned"],
) -> None:
    chosen = with_semi(recipe, method=NoisyStudent(start=start), unlabeled="all")
    unbroken = run(chosen, generated_data, tmp_path / "unbroken")
    said = pq.read_table(unbroken.stage("semi") / NAMES)
    assert len(said) == 160
    assert np.allclose(np.array(said["probabilities"].to_pylist()).sum(axis=1), 1, atol=1e-5)

    require_bits_of_unbroken(chosen, unbroken, generated_data, tmp_path / "broken", monkeypatch)
    assert list(evaluate_run(unbroken, device=torch.device("cpu"))) == ["finetune", "semi"]


def test_all_stages_from_the_face_network(generated_data: Path, tmp_path: Path) -> None:
    recipe = resolve(
        "ssfer",
        data=generated_data / "labeled",
        preset="tiny",
        init="face",
        settings=["finetune.epochs=1", "semi.epochs=1", "labels=25%"],
    )
    folder = run(recipe, generated_data, tmp_path / "run")
    start, after = load_file(FACE_FILE), load_file(folder.stage("semi") / "model.safetensors")
    stem = "encoder.patch_embed.weight"
    moved = (after[stem] - start[stem].float()).norm() / start[stem].float().norm()
    assert 0 < moved < 0.02  # the first layer learns slowest
    assert list(evaluate_run(folder, device=torch.device("cpu"))) == ["finetune", "semi", "tune"]


def test_pseudo_labeled_faces_train_every_stage_that_takes_labels(
    tiny_recipe: Recipe, generated_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their targets are the model's probabilities; the others keep theirs."""
    sides = folder_reader.read(generated_data / "unlabeled.zip")
    labels = ("happiness", "anger")
    rows = [
        {
            "image": name,
            "label": labels[i % 2],
            "votes": [0.75 if label == labels[i % 2] else 0.25 / 7 for label in FERPLUS.labels],
        }
        for i, name in enumerate(sides.column("image"))
    ]
    Manifest.from_rows(rows, sides.root, FERPLUS).save(tmp_path / "named.parquet")
    seen: dict[str, tuple[float, float]] = {}

    def spy(task: Task, batches: Any, config: Any, folder: Path, **options: object) -> None:
        found = [batches(step) for step in range(math.ceil(config.epoch_steps))]
        targets = [batch.targets for batch in found if batch.targets is not None]
        soft = torch.cat(targets).amax(dim=1).sub(0.75).abs().lt(1e-6) if targets else torch.zeros(1)
        seen[folder.name] = (config.epoch_steps * config.batch_size, float(soft.float().mean()))

    monkeypatch.setattr(trainer, "train", spy)
    recipe = replace(tiny_recipe, labels="50%", held_out=0.0, tune=last_tuning(tiny_recipe.finetune))
    folder = train_run(
        recipe,
        data=generated_data / "labeled",
        unlabeled=[],
        pseudo_labels=[tmp_path / "named.parquet"],
        out=tmp_path / "run",
        where=HERE,
    )
    facts = json.loads((folder.path / "data.json").read_text())
    labeled = sum(facts["labeled"].values())
    assert sum(facts["pseudo_labeled"].values()) == 64
    assert seen["pretrain"][0] == labeled + facts["unlabeled"] + 64
    assert seen["finetune"][0] == seen["tune"][0] == labeled + 64
    assert seen["semi"][0] == facts["unlabeled"]
    for stage in ("finetune", "semi", "tune"):
        assert seen[stage][1] == pytest.approx(64 / (labeled + 64), abs=0.15)
    assert seen["pretrain"][1] == 0


def test_the_classifier_of_a_run_has_the_shifts_of_its_recipe(
    recipe: Recipe, generated_data: Path, tmp_path: Path
) -> None:
    chosen = replace(recipe, semi=None, encoder=RESNET, prior_shift=0.5, blank_shift=1.0)
    folder = run(chosen, generated_data, tmp_path / "run")
    shifted = load_classifier(folder, "finetune")
    kept = load_file(folder.stage("finetune") / "model.safetensors")["head.bias"]
    counts = torch.tensor(list(folder.data()["labeled"].values())).float()
    prior = -0.5 * (counts / counts.sum()).log()
    moved = shifted.head.bias.detach() - kept - (prior - prior.mean())
    with torch.no_grad():
        shifted.head.bias.copy_(kept)
        said = shifted.eval()(torch.full((1, 1, 32, 32), 0.5))[0]
    torch.testing.assert_close(moved, said.mean() - said, atol=1e-5, rtol=0)
