"""From a run folder to published files: all of them or none."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch
from rich.console import Console
from scipy.special import softmax

from halfsmile.api import Run
from halfsmile.cli.main import main
from halfsmile.data.split import LabelBudget
from halfsmile.evaluation.evaluate_run import evaluate_run
from halfsmile.evaluation.inference import network_logits
from halfsmile.evaluation.trained import load_classifier, read_run_faces, trained_classifier
from halfsmile.export import export_run as module
from halfsmile.export.export_run import export_run
from halfsmile.export.gate import GateError
from halfsmile.export.onnx import export_onnx
from halfsmile.metrics.calibration import Temperature
from halfsmile.models.temporal.convolution import make_network
from halfsmile.models.temporal.encoder import TemporalConfig
from halfsmile.models.temporal.file import save_network
from halfsmile.models.weights import save_weights
from halfsmile.predict.model import ExpressionModel
from halfsmile.predict.temporal_model import TemporalModel
from halfsmile.runs.folder import RunFolder
from halfsmile.utils.percent import percent_number


@pytest.fixture
def run(trained: RunFolder, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained.path, tmp_path / "run"))


@pytest.fixture(scope="module")
def whole(trained: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run exported once with everything that is installed here."""
    path = tmp_path_factory.mktemp("whole") / "run"
    shutil.copytree(trained.path, path)
    console = Console(record=True, width=80)
    export_run(path, int8=True, seconds=0.01).show(console)
    (path / "shown.txt").write_text(console.export_text(), encoding="utf-8")
    return path


def test_the_published_model_names_the_test_faces_as_the_network_does(whole: Path) -> None:
    folder = RunFolder(whole)
    test = read_run_faces(folder).test
    calibration = json.loads((whole / "calibration.json").read_text())
    logits = network_logits(trained_classifier(folder), test.images)
    model = ExpressionModel.load(whole)
    found = model.predict(test.images).probabilities
    assert np.allclose(found, Temperature(calibration["temperature"])(logits), atol=1e-5)
    accuracy = (found.argmax(axis=1) == test.manifest.class_indices()).mean()
    assert accuracy == pytest.approx(calibration["test"]["metrics"]["accuracy"])
    assert model.labels == test.manifest.taxonomy.labels  # type: ignore[union-attr]
    assert model.threshold == calibration["threshold"]
    assert model.facts.target_error == 0.1
    assert model.facts.recipe_sha256 == hashlib.sha256((whole / "recipe.json").read_bytes()).hexdigest()
    assert (model.preprocessing.size, model.preprocessing.channels) == (32, 1)


def test_the_published_model_is_as_good_as_evaluation_says(whole: Path) -> None:
    folder = RunFolder(whole)
    calibration = json.loads((whole / "calibration.json").read_text())
    metrics = evaluate_run(folder, device=torch.device("cpu"))[folder.last_stage()]
    assert calibration["test"]["metrics"]["accuracy"] == metrics.accuracy
    assert calibration["test"]["metrics"]["per_class"] == metrics.per_class


def test_without_a_mirror_faces_are_seen_once(whole: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    export_run(run, mirror=False, seconds=0.0)
    images = read_run_faces(RunFolder(run)).test.images
    mirrored = np.ascontiguousarray(images[:, :, ::-1])
    both, once = ExpressionModel.load(whole), ExpressionModel.load(run)
    assert np.allclose(both.predict(images).logits, both.predict(mirrored).logits, atol=1e-4)
    assert not np.allclose(once.predict(images).logits, once.predict(mirrored).logits, atol=0.1)
    assert np.allclose(once.predict(images).features, both.predict(images).features, atol=1e-4)
    mean = (softmax(once.predict(images).logits, axis=1) + softmax(once.predict(mirrored).logits, axis=1)) / 2
    assert np.allclose(softmax(both.predict(images).logits, axis=1), mean, atol=1e-5)


def test_a_closer_look_is_in_the_files_and_their_card(whole: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    export_run(run, zoom=1.34, seconds=0.0)
    folder = RunFolder(run)
    images = read_run_faces(folder).test.images
    network = trained_classifier(folder, zoom=1.34)
    expected = network_logits(network, images)
    assert not np.allclose(expected, network_logits(trained_classifier(folder), images), atol=0.1)
    assert np.allclose(ExpressionModel.load(run).predict(images).logits, expected, atol=1e-4)
    assert "mirror image, both also 1.33 times closer" in (run / "export/card.md").read_text()
    assert json.loads((run / "calibration.json").read_text())["zoom"] == 32 / 24
    with pytest.raises(ValueError, match="this one has a single view"):
        export_run(run, zoom=1.34, mirror=False, seconds=0.0)


def test_several_runs_answer_as_one(whole: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(whole, tmp_path / "other"))
    folder, second = RunFolder(whole), RunFolder(other)
    weights = second.trained_weights(second.last_stage())
    changed = load_classifier(second, second.last_stage())
    torch.manual_seed(3)
    torch.nn.init.normal_(changed.head.weight, std=0.3)
    save_weights(weights, changed)
    before = (whole / "calibration.json").read_bytes()
    done = export_run(whole, out=tmp_path / "both", others=[other], seconds=0.0)
    images = read_run_faces(folder).test.images
    both = ExpressionModel.load(done.folder / "model.onnx").predict(images)
    alone = [softmax(network_logits(trained_classifier(one), images), axis=1) for one in (folder, second)]
    assert not np.allclose(alone[0], alone[1], atol=0.1)
    assert np.allclose(softmax(both.logits, axis=1), (alone[0] + alone[1]) / 2, atol=1e-4)
    assert "averaged with other" in (done.folder / "card.md").read_text(encoding="utf-8")
    kept = json.loads((done.folder / "calibration.json").read_text())
    assert kept["averaged"] == [str(other)]
    assert kept["test"]["metrics"]["accuracy"] == pytest.approx(
        (both.probabilities.argmax(axis=1) == read_run_faces(folder).test.manifest.class_indices()).mean()
    )
    assert done.facts.weights_sha256 != ExpressionModel.load(whole).facts.weights_sha256
    assert kept["stages"] == {}
    assert both.probabilities == pytest.approx(
        softmax(both.logits / done.facts.temperature, axis=1), abs=1e-5
    )
    assert (whole / "calibration.json").read_bytes() == before


def test_an_average_needs_a_place_of_its_own_and_the_same_labels(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is not the export of .* alone: give a folder of its own, --out"):
        export_run(whole, others=[whole])
    other = Path(shutil.copytree(whole, tmp_path / "other"))
    budget = LabelBudget.load(RunFolder(other).budget_path)
    roles = tuple("labeled" if role == "held_out" else role for role in budget.roles)
    replace(budget, roles=roles).save(RunFolder(other).budget_path)
    with pytest.raises(ValueError, match=r"learned from \d+ labels that are not in the budget .* --budget"):
        export_run(whole, out=tmp_path / "both", others=[other])
    with pytest.raises(ValueError, match="is not a run folder"):
        export_run(whole, out=tmp_path / "both", others=[tmp_path])
    with pytest.raises(ValueError, match="is named twice"):
        export_run(whole, out=tmp_path / "both", others=[whole / ".." / whole.name])
    assert not (tmp_path / "both").exists()


def test_what_is_published(whole: Path) -> None:
    names = sorted(str(path.relative_to(whole / "export")) for path in (whole / "export").rglob("*"))
    assert names == [
        "calibration.json",
        "card.md",
        "gate.json",
        "latency.json",
        "model-int8.onnx",
        "model.onnx",
    ]
    gate = json.loads((whole / "export/gate.json").read_text())
    assert gate["faces"] == "held_out"
    assert gate["batches"] == [1, 2, 7, 30]  # of 40 faces
    assert set(gate["files"]) == {"model.onnx", "model-int8.onnx"}
    for found in gate["files"].values():
        assert found["difference"] <= found["limits"]["difference"]
        assert found["agreement"] >= found["limits"]["agreement"]
    latency = json.loads((whole / "export/latency.json").read_text())
    assert [(row["name"], row["batch"]) for row in latency["files"]] == [
        ("model.onnx", 1),
        ("model-int8.onnx", 1),
        ("model.onnx", 32),
        ("model-int8.onnx", 32),
    ]
    assert latency["files"][0]["bytes"] == (whole / "export/model.onnx").stat().st_size
    assert latency["threads"] == 1


def test_the_card_tells_the_numbers_and_the_limits_of_use(whole: Path) -> None:
    text = (whole / "export/card.md").read_text(encoding="utf-8")
    calibration = json.loads((whole / "calibration.json").read_text())
    metrics = calibration["test"]["metrics"]
    assert f"Accuracy {percent_number(metrics['accuracy'], 2)}%" in text
    for label, scores in metrics["per_class"].items():
        precision, recall = (percent_number(scores[name]) for name in ("precision", "recall"))
        assert f"| {label} | {precision}% | {recall}% |" in text
    assert f"{calibration['count']} faces that trained nothing (held_out, which are few)" in text
    assert "what a person feels" in text
    shown = (whole / "shown.txt").read_text(encoding="utf-8")
    assert f"\nModel: {whole / 'export/model.onnx'}\n" in shown
    assert f"\nWritten: {whole / 'export/model-int8.onnx'}\n" in shown
    assert "…" not in shown.partition("one thread")[2]


def test_another_export_takes_the_place_of_the_first(whole: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    (run / "export/notes.txt").write_text("mine")
    export_run(run, name="mine", target_error=0.9, set_coverage=0.7, seconds=0.0)
    names = sorted(path.name for path in (run / "export").iterdir())
    assert names == ["calibration.json", "card.md", "gate.json", "latency.json", "model.onnx", "notes.txt"]
    model = ExpressionModel.load(run)
    assert (model.name, model.facts.target_error) == ("mine", 0.9)
    sets = json.loads((run / "calibration.json").read_text())["sets"]
    assert (model.facts.set_coverage, model.facts.set_floor) == (0.7, sets["floor"])


def test_files_that_no_export_wrote_are_refused_before_any_work(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    (out / "card.md").write_text("mine")
    monkeypatch.setattr(module, "read_run_faces", None)
    with pytest.raises(ValueError, match=r"card\.md, which no export wrote"):
        export_run(run, out=out)
    assert [path.read_text() for path in out.iterdir()] == ["mine"]


def test_an_export_to_elsewhere_leaves_what_the_run_says_of_its_own_alone(
    whole: Path, tmp_path: Path
) -> None:
    run, out = Path(shutil.copytree(whole, tmp_path / "run")), tmp_path / "out"
    (run / "report.html").write_text("of RUN/export")
    kept = [run / "calibration.json", run / "report.html", *(run / "export").iterdir()]
    before = [path.read_bytes() for path in kept]
    done = export_run(run, out=out, mirror=False, target_error=0.3, seconds=0.0)
    assert done.report_problem is None
    assert [path.read_bytes() for path in kept] == before
    calibration = json.loads((out / "calibration.json").read_text())
    assert (calibration["target_error"], calibration["mirror"]) == (0.3, False)
    assert ExpressionModel.load(out).temperature == calibration["temperature"]


def test_the_folder_of_the_run_is_no_place(run: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(run)
    for out in (run, tmp_path / "link"):
        with pytest.raises(ValueError, match="the run's own folder"):
            export_run(run, out=out)
    assert not (run / "model.onnx").exists()


def test_a_report_that_can_not_be_written_does_not_undo_an_export(whole: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    (run / "report.html").write_text("before")
    (run / "predictions.parquet").unlink(missing_ok=True)
    console = Console(record=True, width=300)
    export_run(run, name="mine", target_error=0.3, seconds=0.0).show(console)
    assert "the report was not rewritten: The run in" in console.export_text()
    assert ExpressionModel.load(run).name == "mine"
    assert json.loads((run / "calibration.json").read_text())["target_error"] == 0.3
    assert (run / "report.html").read_text() == "before"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"set_coverage": 0.0}, "set_coverage must lie between 0 and 1"),
        ({"target_error": 1.5}, "target_error must lie between 0 and 1"),
        ({"zoom": 3.0}, "from 1 to 2"),
        ({"zoom": 1.01}, "cuts no pixel off faces of 32 px"),
        ({"zoom": 1.3, "mirror": False}, "this one has a single view"),
        ({"out": Path(__file__)}, "is a file"),
    ],
)
def test_bad_options_are_refused_before_faces_are_read(
    run: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], message: str
) -> None:
    monkeypatch.setattr(module, "read_run_faces", None)
    with pytest.raises(ValueError, match=message):
        export_run(run, **changes)
    assert not (run / "export").exists()


def test_a_spoiled_file_is_not_published(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    kept = [*(run / "export").iterdir(), run / "calibration.json"]
    before = {path: path.read_bytes() for path in kept}

    def spoil(model: Any, facts: Any, path: Path) -> None:
        other = copy.deepcopy(model)
        other.encoder.mean.fill_(0.485)
        export_onnx(other, facts, path)

    monkeypatch.setattr(module, "export_onnx", spoil)
    with pytest.raises(GateError, match=r"model\.onnx does not answer.*Nothing was published"):
        export_run(run, mirror=False, target_error=0.3)
    assert {path: path.read_bytes() for path in [*(run / "export").iterdir(), kept[-1]]} == before


def test_a_run_without_faces_to_calibrate_on_is_exported_as_it_is(run: Path) -> None:
    """All labels trained, and there is no split ``valid``."""
    import pyarrow.parquet as pq

    table = pq.read_table(run / "labels.parquet")
    roles = ["unlabeled" if role == "held_out" else role for role in table["role"].to_pylist()]
    changed = table.set_column(1, "role", [roles]).replace_schema_metadata(table.schema.metadata)
    pq.write_table(changed, run / "labels.parquet")
    done = export_run(run, seconds=0.0)
    model = ExpressionModel.load(run)
    assert (model.temperature, model.threshold, model.facts.target_error) == (1.0, None, None)
    assert (model.facts.set_coverage, model.facts.set_floor) == (None, None)
    assert done.comparisons["model.onnx"].count == 80
    assert "Not calibrated" in (run / "export/card.md").read_text(encoding="utf-8")
    assert json.loads((run / "export/gate.json").read_text())["faces"] == "labeled"


def test_the_network_over_frames_is_exported_too(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_network(TemporalConfig(width=8, heads=2, depth=1, delay=1), features=24, classes=8)
    taxonomy = trained_classifier(RunFolder(run)).taxonomy
    save_network(run / "temporal", model, taxonomy)
    (run / "temporal/result.json").write_text('{"features_of": "finetune"}')
    done = export_run(run, seconds=0.0)
    assert done.comparisons["temporal.onnx"].count == 40
    exported = TemporalModel(run / "export/temporal.onnx")
    classifier = ExpressionModel.load(run)
    exported.require_features_of(classifier)
    weights = hashlib.sha256((run / "finetune/model.safetensors").read_bytes()).hexdigest()
    assert exported.facts.weights_sha256 == classifier.facts.weights_sha256 == weights
    assert "| temporal.onnx |" in (run / "export/card.md").read_text(encoding="utf-8")
    (run / "temporal/result.json").write_text('{"features_of": "semi"}')
    monkeypatch.setattr(module, "read_run_faces", None)  # before faces are read
    with pytest.raises(ValueError, match="finetune was trained since"):
        export_run(run, seconds=0.0)


def test_missing_packages_are_named_before_any_work(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ValueError, match=r"halfsmile\[openvino\]"):
        export_run(run, openvino=True)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"onnx and onnxscript .*halfsmile\[train,export\]"):
        export_run(run)
    assert not (run / "export").exists()
    assert not (run / "calibration.json").exists()


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a run folder"):
        export_run(tmp_path)


@pytest.fixture
def two_stages(run: Path) -> Path:
    """The run with a good head, and with a stage ``tune`` whose network says the opposite."""
    shutil.copytree(run / "finetune", run / "tune")
    folder = RunFolder(run)
    model = load_classifier(folder, "finetune").eval()
    faces = read_run_faces(folder)
    parts = [part for part in (faces.calibration, faces.test) if part is not None]
    images = np.concatenate([part.images for part in parts])
    classes = np.concatenate([part.manifest.class_indices() for part in parts])
    with torch.no_grad():
        features = model.features(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255)
        centers = torch.stack([features[classes == k].mean(dim=0) for k in range(len(model.taxonomy))])
        model.head.weight.copy_(centers)  # the nearest center of the faces themselves
        model.head.bias.copy_(-centers.square().sum(dim=1) / 2)
        save_weights(folder.weights_path("finetune"), model)
        model.head.weight.mul_(-1)
        model.head.bias.mul_(-1)
    save_weights(folder.weights_path("tune"), model)
    result = json.loads((run / "tune/result.json").read_text())
    (run / "tune/result.json").write_text(json.dumps({**result, "stage": "tune"}))
    return run


def test_an_earlier_stage_that_was_better_is_told_and_can_be_exported(two_stages: Path) -> None:
    run = two_stages
    console = Console(record=True, width=200)
    last = export_run(run, seconds=0.01)
    last.show(console)
    assert last.calibration.stage == "tune"
    assert set(last.calibration.stages) == {"finetune", "tune"}
    assert "Stage finetune was better than tune on the" in console.export_text()
    first = export_run(run, stage="finetune", seconds=0.01)
    console = Console(record=True, width=200)
    first.show(console)
    assert "was better" not in console.export_text()
    assert first.calibration.stage == "finetune"
    assert first.calibration.test["metrics"]["accuracy"] > last.calibration.test["metrics"]["accuracy"]
    assert json.loads((run / "calibration.json").read_text())["stages"] == dict(first.calibration.stages)
    with pytest.raises(
        ValueError, match="no finished stage semi that names expressions; it has finetune, tune"
    ):
        export_run(run, stage="semi", seconds=0.01)


def test_the_command_passes_the_runs_that_are_averaged(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}

    def noted(run: Path, **options: Any) -> NoReturn:
        given.update(options, run=run)
        raise ValueError("enough")

    monkeypatch.setattr("halfsmile.export.export_run.export_run", noted)
    command = ["export", str(whole), "--average", "a", "b", "--out", str(tmp_path / "both")]
    with pytest.raises(SystemExit):
        main(command)
    assert (given["run"], given["others"], given["out"]) == (whole, (Path("a"), Path("b")), tmp_path / "both")
    with pytest.raises(ValueError, match="enough"):
        Run(whole).export(average=["a"], out=tmp_path / "both")
    assert given["others"] == [Path("a")]
