"""Videos from files to the report: Stages II and IV on generated sequences with all their oddities."""

from __future__ import annotations

import csv
import json
import shutil
import signal
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from halfsmile.data.protocols.protocol import PROTOCOLS
from halfsmile.data.readers.affwild2 import HEADER
from halfsmile.data.readers.sequences import divide_people
from halfsmile.data.sets import read_data
from halfsmile.data.split import LabelBudget
from halfsmile.data.synthetic import SyntheticSequence, generate_sequence, write_sequences
from halfsmile.evaluation.compare import compare
from halfsmile.evaluation.evaluate_run import evaluate_run
from halfsmile.evaluation.trained import trained_classifier
from halfsmile.models.temporal.encoder import TemporalConfig
from halfsmile.models.vit_config import VitConfig
from halfsmile.recipes import abaw6, ssfer
from halfsmile.recipes import temporal as temporal_recipe
from halfsmile.recipes.config import Recipe
from halfsmile.report.report import write_report
from halfsmile.runs.folder import RunFolder
from halfsmile.runs.frame_predictions import METHODS, read_frame_predictions
from halfsmile.runs.predictions import read_predictions
from halfsmile.sequences.smoothing import Smoothing
from halfsmile.training.data import load_roles
from halfsmile.training.distributed import Processes
from halfsmile.training.run import train_run
from halfsmile.training.temporal import features as training
from halfsmile.utils.errors import StopRequestedError

HERE = Processes(0, 1, torch.device("cpu"))
PEOPLE = 10
RARE = 3
"""Person who alone shows fear."""


def tiny(**changes: Any) -> Recipe:
    """Stages II and IV on networks that train in seconds."""
    recipe = temporal_recipe()
    assert recipe.temporal is not None
    encoder = VitConfig(
        image_size=16,
        patch_size=8,
        channels=1,
        width=16,
        depth=1,
        heads=2,
        mean=(0.5,),
        std=(0.25,),
    )
    network = TemporalConfig(width=16, depth=1, heads=2, window=12)
    temporal = replace(recipe.temporal, network=network, steps=30, batch_size=4, hop=6)
    finetune = replace(recipe.finetune, epochs=2, batch_size=32)
    return replace(
        recipe,
        encoder=encoder,
        standardize=True,
        finetune=finetune,
        temporal=temporal,
        **{"protocol": PROTOCOLS["sequences"], **changes},
    )


def clips() -> Iterable[SyntheticSequence]:
    for person in range(PEOPLE):
        for take, expression in enumerate(("happiness", "surprise")):
            shown = "fear" if person == RARE and take else expression
            yield generate_sequence(
                shown, person=person, frames=12, size=24, take=take, difficulty=0.2, spoiled=0.2
            )


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sequences of ten people, with for each of them a video of one frame, one without labels, one lost."""
    root = tmp_path_factory.mktemp("sequences") / "tree"
    write_sequences(clips(), root)
    with (root / "frames.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for person in sorted({row["person"] for row in rows}):
        own = [row for row in rows if row["person"] == person]
        rows += copied(root, own[:1], f"{person}-one")
        rows += [{**row, "label": "transition"} for row in copied(root, own[:4], f"{person}-silent")]
        rows += copied(root, own[:3], f"{person}-lost")
        shutil.rmtree(root / f"{person}-lost")
        (root / own[5]["file"]).write_bytes(b"")
    order = np.random.default_rng(0).permutation(len(rows))
    with (root / "frames.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows[i] for i in order)
    return root


def copied(root: Path, rows: list[dict[str, str]], name: str) -> list[dict[str, str]]:
    made = []
    for row in rows:
        path = f"{name}/{Path(row['file']).name}"
        (root / name).mkdir(exist_ok=True)
        shutil.copyfile(root / row["file"], root / path)
        made.append({**row, "sequence": name, "file": path})
    return made


def run(recipe: Recipe, data: Path, out: Path) -> RunFolder:
    return train_run(recipe, data=data, unlabeled=[], out=out, where=HERE)


def people_tested(recipe: Recipe) -> list[str]:
    people = [f"{person:05d}" for person in range(PEOPLE)]
    return divide_people(people, (recipe.resolved_protocol.test_people or 0,), seed=recipe.seed)[0]


def seed_that(is_tested: bool) -> int:
    """A seed by which the person who alone shows fear is tested, or trains."""
    return next(s for s in range(99) if (f"{RARE:05d}" in people_tested(tiny(seed=s))) is is_tested)


@pytest.fixture(scope="module")
def finished(
    tree: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Recipe, RunFolder, dict[str, Any]]:
    recipe = tiny(seed=seed_that(False))
    folder = run(recipe, tree, tmp_path_factory.mktemp("run") / "run")
    return recipe, folder, evaluate_run(folder, device=HERE.device)


Finished = tuple[Recipe, RunFolder, dict[str, Any]]


def test_both_stages_are_measured_on_the_same_frames(finished: Finished) -> None:
    _, folder, metrics = finished
    assert list(metrics) == ["finetune", "temporal"]
    first, last = (read_predictions(folder.stage(s) / "predictions.parquet") for s in metrics)
    assert first.images == last.images
    assert (folder.path / "predictions.parquet").read_bytes() == (
        folder.stage("temporal") / "predictions.parquet"
    ).read_bytes()
    values = json.loads((folder.path / "metrics.json").read_text())
    assert values["final"]["accuracy"] == values["temporal"]["accuracy"]
    assert values["sequences"]["temporal"]["accuracy"] == pytest.approx(metrics["temporal"].accuracy)
    assert values["sequences"]["per_frame"]["macro_f1"] == pytest.approx(metrics["finetune"].macro_f1)
    assert trained_classifier(folder) is not None
    assert folder.last_stage() == "finetune"


def test_every_frame_of_every_test_video_is_there_in_order(finished: Finished, tree: Path) -> None:
    recipe, folder, _ = finished
    found = read_frame_predictions(folder.stage("temporal") / "frames.parquet")
    people = set(people_tested(recipe))
    with (tree / "frames.csv").open(newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file) if row["person"] in people}
    assert sorted(found.images) == sorted(rows)
    assert set(found.people) == people
    assert [bool(x) for x in found.spoiled] == [bool(rows[image]["corruption"]) for image in found.images]
    assert all((np.diff(found.times[track]) > 0).all() for track in found.tracks())
    by_name = {found.videos[track.start]: track for track in found.tracks()}
    for person in people:
        lost, one, silent = (by_name[f"{person}-{kind}"] for kind in ("lost", "one", "silent"))
        assert not found.faces[lost].any()
        assert np.isnan(found.probabilities["per_frame"][lost]).all()
        assert np.isfinite(found.probabilities["temporal"][lost]).all()
        assert one.stop - one.start == 1
        assert (found.targets[silent] == -1).all()
        assert found.faces[silent].all()
    assert int((~found.faces).sum()) == 4 * len(people)
    for method in METHODS:
        sums = found.probabilities[method][found.faces].sum(axis=1)
        np.testing.assert_allclose(sums, 1, atol=1e-5)


def test_smoothing_is_that_of_the_single_frames(finished: Finished) -> None:
    _, folder, _ = finished
    found = read_frame_predictions(folder.stage("temporal") / "frames.parquet")
    chosen = Smoothing(**json.loads((folder.stage("temporal") / "result.json").read_text())["smoothing"])
    for rows in found.tracks():
        smoothed = chosen.apply(found.probabilities["per_frame"][rows], found.times[rows])
        np.testing.assert_allclose(found.probabilities["smoothed"][rows], smoothed, atol=1e-5)


def test_the_oddities_are_counted(finished: Finished) -> None:
    _, folder, _ = finished
    facts = json.loads((folder.path / "data.json").read_text())
    notes = "\n".join(facts["notes"])
    assert "Divided by person: 7 to train on, 3 to test on." in notes
    assert "have no picture" in notes
    assert "were sorted by time" in notes
    assert "videos have no labeled frame" in notes
    assert sum(reason != "" for _, reason in facts["bad_images"]) >= 4 * 7


def test_nobody_trains_two_stages_or_is_tested_after_training(finished: Finished) -> None:
    _, folder, _ = finished
    roles = pq.read_table(folder.budget_path).to_pydict()
    facts = json.loads((folder.path / "data.json").read_text())
    given = sum(facts["labeled"].values()) + sum(facts["temporal"].values())
    assert facts["labeled"]["fear"] > 0
    assert facts["temporal"]["fear"] == 0
    assert 0 < given <= roles["role"].count("labeled")
    images = set(read_predictions(folder.path / "predictions.parquet").images)
    assert images.isdisjoint(roles["image"])


def test_the_report_shows_timelines(finished: Finished) -> None:
    _, folder, _ = finished
    text = write_report(folder.path).read_text(encoding="utf-8")
    part = text[text.index('<section id="videos"') :]
    part = part[: part.index("</section>")]
    assert part.count("<svg") == 6
    assert part.count(">Truth</text>") == part.count(">Temporal Encoder</text>") == 6
    assert "Smoothed (" in part
    assert "nan" not in part.casefold()


def test_a_stopped_stage_four_ends_in_the_bits_of_an_unbroken_one(
    finished: Finished, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, unbroken, _ = finished
    shutil.copytree(unbroken.path, tmp_path / "run", ignore=shutil.ignore_patterns("temporal"))
    make = training.window_batches

    def stopping(*parts: Any) -> Any:
        draw = make(*parts)

        def batch(step: int) -> Any:
            if step == 11:
                signal.raise_signal(signal.SIGINT)
            return draw(step)

        return batch

    with monkeypatch.context() as patch:
        patch.setattr(training, "window_batches", stopping)
        with pytest.raises(StopRequestedError):
            run(recipe, tree, tmp_path / "run")
    broken = RunFolder.existing(tmp_path / "run")
    assert not broken.finished("temporal")
    assert list(evaluate_run(broken, device=HERE.device)) == ["finetune"]
    run(recipe, tree, tmp_path / "run")
    first, second = (
        load_file(folder.stage("temporal") / "temporal.safetensors") for folder in (unbroken, broken)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    evaluate_run(broken, device=HERE.device)
    assert (broken.stage("temporal") / "frames.parquet").read_bytes() == (
        unbroken.stage("temporal") / "frames.parquet"
    ).read_bytes()


def test_a_class_that_only_test_people_show_is_refused(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\['fear'\] without a label"):
        run(tiny(seed=seed_that(True)), tree, tmp_path / "run")


def test_stage_four_gets_all_frames_of_its_videos_and_no_label_outside_the_budget(
    tree: Path, tmp_path: Path
) -> None:
    recipe = replace(tiny(seed=seed_that(False), labels="60%"), semi=ssfer("tiny").semi)
    sets = read_data(recipe.resolved_protocol, tree, seed=recipe.seed)
    budget = LabelBudget.draw(sets.train, "60%", seed=0, held_out=0.1, group=recipe.resolved_protocol.group)
    faces = load_roles(recipe, sets, budget, cache=tmp_path)
    assert faces.frames is not None
    assert recipe.temporal is not None
    images = np.array(faces.frames.rows.manifest.column("image"))
    people = set(faces.frames.rows.manifest.column("person"))
    assert len(images) == sum(person in people for person in sets.train.column("person"))
    roles = dict(zip(budget.images, budget.roles, strict=True))
    assert {roles[image] for image in images[faces.frames.labels >= 0]} == {"labeled"}
    assert people.isdisjoint(faces.labeled.manifest.column("person"))
    assert faces.unlabeled is not None
    assert people.isdisjoint(faces.unlabeled.manifest.column("person"))

    shared = replace(recipe, temporal=replace(recipe.temporal, own_share=0.0))
    both = load_roles(shared, sets, budget, cache=tmp_path)
    assert both.frames is not None
    assert set(both.labeled.manifest.column("person")) == set(both.frames.rows.manifest.column("person"))
    one_by_one = LabelBudget.draw(sets.train, "60%", seed=0, held_out=0.1)
    roles = dict(zip(one_by_one.images, one_by_one.roles, strict=True))
    single = load_roles(recipe, sets, one_by_one, cache=tmp_path).frames
    assert single is not None
    assert {roles[i] for i in np.array(single.rows.manifest.column("image"))[single.labels >= 0]} == {
        "labeled"
    }
    assert "held_out" in {roles[i] for i in single.rows.manifest.column("image")}


def test_runs_of_several_seeds_are_compared_on_the_people_of_each(
    finished: Finished, tree: Path, tmp_path: Path
) -> None:
    recipe, folder, _ = finished
    seeds = [
        recipe.seed,
        next(s for s in range(recipe.seed + 1, 99) if f"{RARE:05d}" not in people_tested(tiny(seed=s))),
    ]
    runs = [folder.path]
    plain = replace(recipe, temporal=None)
    for name, asked in (
        ("b-1", replace(recipe, seed=seeds[1])),
        ("a-0", plain),
        ("a-1", replace(plain, seed=seeds[1])),
    ):
        found = run(asked, tree, tmp_path / name)
        evaluate_run(found, device=HERE.device)
        runs.append(found.path)
    result = compare([*runs[2:], *runs[:2]], resamples=50)
    assert result.by_seed
    first, second = result.groups
    assert first.seeds == second.seeds == tuple(sorted(seeds))
    assert second.settings == {"temporal": "yes"}
    assert second.against_first is not None
    sizes = [len(read_predictions(path / "predictions.parquet")) for path in runs[:2]]
    assert result.num_images == sum(sizes)
    gains = [a - b for a, b in zip(second.scores["accuracy"], first.scores["accuracy"], strict=True)]
    weighted = sum(gain * size for gain, size in zip(gains, sizes, strict=True)) / sum(sizes)
    assert second.against_first.difference == pytest.approx(weighted)


def write_affwild2(root: Path) -> None:
    """Six recordings of noise with the layout of Aff-Wild2; every class is in each of them."""
    rng = np.random.default_rng(0)
    for number in range(8):
        classes = [-1, *np.repeat(np.arange(8), 3).tolist()]
        split = "Validation_Set" if number > 5 else "Train_Set"
        annotation = root / "EXPR_Recognition_Challenge" / split / f"video{number}.txt"
        annotation.parent.mkdir(parents=True, exist_ok=True)
        annotation.write_text("\n".join([HEADER, *map(str, classes)]) + "\n")
        folder = root / "cropped_aligned" / f"video{number}"
        folder.mkdir(parents=True)
        for frame in [f for f in range(1, len(classes) + 1) if f % 5]:
            cv2.imwrite(str(folder / f"{frame:05d}.jpg"), rng.integers(0, 256, (16, 16), dtype=np.uint8))
    (root / "faces").mkdir()
    for number in range(16):
        cv2.imwrite(str(root / f"faces/{number}.png"), rng.integers(0, 256, (16, 16), dtype=np.uint8))


def test_the_whole_abaw6_method_runs_on_the_layout_of_affwild2(tmp_path: Path) -> None:
    write_affwild2(tmp_path / "affwild2")
    small, recipe = tiny(), abaw6(data_set="affwild2")
    assert recipe.semi is not None
    assert recipe.tune is not None
    assert recipe.temporal is not None
    assert small.temporal is not None
    recipe = replace(
        recipe,
        encoder=small.encoder,
        standardize=True,
        pretrain=None,
        finetune=replace(recipe.finetune, epochs=1, batch_size=16),
        semi=replace(recipe.semi, epochs=1, labeled_batch=8, unlabeled_batch=8),
        tune=replace(recipe.tune, batch_size=16),
        temporal=replace(recipe.temporal, steps=4, batch_size=2, hop=5, network=small.temporal.network),
    )
    folder = train_run(
        recipe,
        data=tmp_path / "affwild2",
        unlabeled=[tmp_path / "affwild2/faces"],
        out=tmp_path / "run",
        where=HERE,
    )
    assert list(evaluate_run(folder, device=HERE.device)) == ["finetune", "semi", "tune", "temporal"]
    found = read_frame_predictions(folder.stage("temporal") / "frames.parquet")
    assert set(found.videos) == {"video6", "video7"}
    assert found.times[:5].tolist() == pytest.approx(np.array([2, 3, 4, 6, 7]) / 30)
    facts = json.loads((folder.path / "data.json").read_text())
    assert sum(facts["labeled"].values()) + sum(facts["temporal"].values()) == 6 * 19
    assert write_report(folder.path).exists()
