"""Exporting a run: calibrate, write files, pass them through the gate, time them, publish all or nothing."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from halfsmile.data.images import DecodedFaces, load_faces
from halfsmile.evaluation.calibrate_run import Calibration, calibrate_run, require_open_shares
from halfsmile.evaluation.inference import network_logits
from halfsmile.evaluation.judge import shares_of_runs
from halfsmile.evaluation.trained import RunFaces, averaged_classifier, read_run_faces
from halfsmile.export.card import short_card
from halfsmile.export.gate import ExportedModel, Parity, require
from halfsmile.export.latency import measure
from halfsmile.export.onnx import export_onnx
from halfsmile.export.openvino import OpenVinoModel, convert_openvino, require_openvino
from halfsmile.export.publish import publish, require_place, unfinished
from halfsmile.export.quantize import quantize_onnx
from halfsmile.export.result import INT8, LIMITS, ONNX, OPENVINO, TEMPORAL, Export, files_of
from halfsmile.export.temporal import export_temporal, require_temporal, temporal_facts
from halfsmile.metrics.calibration import Temperature
from halfsmile.models.ensemble import Answering
from halfsmile.models.temporal.file import load_network
from halfsmile.predict.model import ExpressionModel
from halfsmile.predict.model_facts import ModelFacts, Preprocessing
from halfsmile.predict.temporal_model import TemporalModel
from halfsmile.recipes.serialize import read_recipe
from halfsmile.report.report import write_report
from halfsmile.runs.folder import RunFolder
from halfsmile.runs.stages import CLASSIFYING, StageName
from halfsmile.utils.console import make_console

GATE_FACES = 512
"""Training faces that the gate compares on where a run has no labeled faces that trained nothing."""

RANGE_FACES = 256
"""Training faces that ranges for 8 bits are measured on."""


def export_run(
    run: Path,
    *,
    out: Path | None = None,
    int8: bool = False,
    openvino: bool = False,
    target_error: float = 0.1,
    set_coverage: float = 0.9,
    name: str | None = None,
    data: Path | None = None,
    mirror: bool = True,
    zoom: float = 1.0,
    stage: StageName | None = None,
    others: Sequence[Path] = (),
    seconds: float = 1.0,
    progress: bool = True,
) -> Export:
    """Export a stage of a run, the last one if no other is named.

    All files appear in ``out``, or none does and what an earlier export left there stays as it was; files
    that no export wrote are neither replaced nor removed. The run's ``calibration.json`` and report describe
    what is in ``RUN/export``; an export to elsewhere leaves them alone.

    Args:
        run: The run folder.
        out: Where the files go; ``RUN/export`` by default.
        int8: Also write an 8-bit file.
        openvino: Also write OpenVINO's files.
        target_error: Share of wrong ones that answers called certain may have.
        set_coverage: Least share of faces whose set of expressions shall hold the true one.
        name: What the model calls itself; the recipe's name by default.
        data: Where the labeled data set is now; None takes the place that the run was trained from.
        mirror: Average the probabilities of a face and its mirror image, if the run's evaluation does.
            Without it the files are twice as fast and answer a little worse.
        zoom: Above 1, view both so many times closer too, see
            :class:`~halfsmile.models.classifier.MirroredClassifier`. Takes twice as long.
        stage: A finished stage that classifies; the last one if None. A network over frames is exported along
            where it reads the features of this stage.
        others: Run folders whose answers are averaged with this one's, in one file, see
            :class:`~halfsmile.models.ensemble.Ensemble`. It is no run's own export, so ``out`` must be given.
        seconds: Time for each row of the latency table.
        progress: Say on standard error what is going on.

    Raises:
        ValueError: If a package is missing, ``out`` holds other files of these names, the run or its data do
            not fit, or a file does not pass the gate (:class:`~halfsmile.export.gate.GateError`).
        OSError: If the folder can't be written.
    """
    _require_packages()
    if openvino:
        require_openvino()
    folder = RunFolder.existing(run)
    out = folder.path / "export" if out is None else Path(out)
    averaged = [RunFolder.existing(other) for other in others]
    own_place = out.resolve() == (folder.path / "export").resolve()
    stage = _classifying(folder, stage)
    wanted = {ONNX: True, INT8: int8, OPENVINO: openvino, TEMPORAL: folder.finished("temporal")}
    names = files_of(name for name, is_wanted in wanted.items() if is_wanted)
    if out.resolve() == folder.path.resolve():
        raise ValueError(
            f"--out {out} is the run's own folder. Leave --out away to export into {folder.path / 'export'}, "
            "where `halfsmile predict --model RUN` looks first, or give another folder."
        )
    require_place(out, names)
    require_open_shares(target_error=target_error, set_coverage=set_coverage)
    if averaged and own_place:
        raise ValueError(
            f"The average of {folder.path} and other runs is not the export of {folder.path} alone: give a "
            "folder of its own, --out FOLDER."
        )
    model, run_data = averaged_classifier(folder, averaged, stage, mirror=mirror, zoom=zoom), folder.data()
    if TEMPORAL in names:
        _require_features(folder, stage)

    faces = read_run_faces(folder, data=data)
    calibration = calibrate_run(
        folder,
        target_error=target_error,
        set_coverage=set_coverage,
        faces=faces,
        mirror=mirror,
        zoom=zoom,
        stage=stage,
        others=averaged,
    )
    facts = model_facts(folder, model, calibration, name=name)

    console = make_console(stderr=True, quiet=not progress)

    def say(what: str) -> None:
        console.print(f"export: {what} …", soft_wrap=True)

    with unfinished(out) as scratch:
        models: dict[str, ExportedModel] = {}
        say(f"writing {ONNX}, the network of stage {stage}")
        export_onnx(model, facts, scratch / ONNX)
        models[ONNX] = ExpressionModel.load(scratch / ONNX, threads=1)
        if int8:
            say(f"writing {INT8}")
            quantize_onnx(scratch / ONNX, scratch / INT8, facts, _labeled(folder, faces, RANGE_FACES).images)
            models[INT8] = ExpressionModel.load(scratch / INT8, threads=1)
        if openvino:
            say(f"writing {OPENVINO}")
            convert_openvino(scratch / ONNX, (scratch / OPENVINO).parent, facts)
            models[OPENVINO] = OpenVinoModel(scratch / OPENVINO, threads=1)
        checked = faces.calibration or _labeled(folder, faces, GATE_FACES)
        say(f"comparing with the trained network on {len(checked):,} faces")
        comparisons = check(models, model, facts, checked)
        say("measuring times")
        latency = measure(
            {file: exported.predict for file, exported in models.items()}, checked.images, seconds=seconds
        )
        if TEMPORAL in names:
            say(f"writing {TEMPORAL}")
            comparisons[TEMPORAL] = _temporal(folder, facts, scratch / TEMPORAL, models[ONNX], checked)
        sizes = {file: _size(scratch / file) for file in comparisons}
        done = Export(out, facts, calibration, comparisons, sizes, latency)
        done.write_reports(scratch, run_data)
        publish(scratch, out, names)
    return replace(done, report_problem=_tell_run(folder, calibration)) if own_place else done


def model_facts(
    folder: RunFolder,
    model: Answering,
    calibration: Calibration,
    *,
    name: str | None = None,
) -> ModelFacts:
    """What the files of a run say of themselves.

    Args:
        folder: The run.
        model: Its network.
        calibration: Its temperature and threshold.
        name: What the model calls itself; the recipe's name by default.
    """
    recipe, config = read_recipe(folder.recipe_path), model.encoder.config
    what = f"Recipe {recipe.name} ({recipe.preset}), stage {calibration.stage}, label budget {recipe.labels}"
    if calibration.averaged:
        what += f", averaged with {' and '.join(Path(path).resolve().name for path in calibration.averaged)}"
    return ModelFacts(
        name=name or recipe.name,
        labels=model.taxonomy.labels,
        taxonomy=model.taxonomy.name,
        preprocessing=Preprocessing(size=config.image_size, channels=config.channels),
        temperature=calibration.temperature,
        threshold=calibration.threshold,
        target_error=None if calibration.threshold is None else calibration.target_error,
        recipe_sha256=_sha256(folder.recipe_path),
        set_coverage=None if calibration.sets is None else calibration.sets.coverage,
        set_floor=None if calibration.sets is None else calibration.sets.floor,
        vote_temperature=calibration.vote_temperature,
        feature_norm=calibration.feature_norm,
        prior=shares_of_runs(
            folder,
            calibration.stage,
            [RunFolder(Path(path)) for path in calibration.averaged],
            model.taxonomy.labels,
        ),
        weights_sha256=_of_weights(folder, calibration),
        card=short_card(model.taxonomy.labels, folder.data(), calibration.test["metrics"], what),
    )


def check(
    models: Mapping[str, ExportedModel],
    network: Answering,
    facts: ModelFacts,
    faces: DecodedFaces,
) -> dict[str, Parity]:
    """Pass files through the gate.

    Args:
        models: The loaded files, by name.
        network: The trained network.
        facts: Its temperature.
        faces: Labeled faces.

    Raises:
        GateError: If one does not pass.
    """
    reference = Temperature(facts.temperature)(network_logits(network, faces.images))
    found = {}
    for file, exported in models.items():
        found[file] = require(
            file,
            exported,
            images=faces.images,
            reference=reference,
            labels=network.taxonomy.labels,
            targets=faces.manifest.class_indices(),
            limits=LIMITS[file],
        )
    return found


def _temporal(
    folder: RunFolder, facts: ModelFacts, path: Path, model: ExportedModel, faces: DecodedFaces
) -> Parity:
    """Export the network over frames of a run, for the features of its exported model."""
    network, taxonomy = load_network(folder.stage("temporal"))
    described = temporal_facts(network, taxonomy, facts.recipe_sha256, facts.weights_sha256)
    export_temporal(network, described, path)
    exported, features = TemporalModel(path, threads=1), model.predict(faces.images).features
    return require_temporal(path.name, exported, network, taxonomy, features)


def _classifying(folder: RunFolder, stage: StageName | None) -> StageName:
    """The stage to export."""
    last = folder.last_stage()
    if stage is None:
        return last
    finished = [name for name in CLASSIFYING if folder.finished(name)]
    if stage not in finished:
        raise ValueError(
            f"{folder.path} has no finished stage {stage} that names expressions; it has "
            f"{', '.join(finished)}."
        )
    return stage


def _require_features(folder: RunFolder, stage: StageName) -> None:
    """Refuse a network over frames that reads the features of another stage than the exported one."""
    source = folder.result("temporal").get("features_of")
    if source == stage:
        return
    if stage != folder.last_stage():
        raise ValueError(
            f"Stage temporal of {folder.path} reads the features of stage {source}, not of {stage}: export "
            f"both with --stage {source}."
        )
    raise ValueError(
        f"Stage temporal of {folder.path} reads the features of stage {source}, and {stage} was trained "
        "since. Train it again in a new run folder."
    )


def _labeled(folder: RunFolder, faces: RunFaces, count: int) -> DecodedFaces:
    """Some of the labeled training faces, drawn at random but always the same."""
    encoder = read_recipe(folder.recipe_path).encoder
    rows = np.random.default_rng(0).permutation(len(faces.train))[:count]
    return load_faces(faces.train.take(np.sort(rows)), size=encoder.image_size, channels=encoder.channels)


def _tell_run(folder: RunFolder, calibration: Calibration) -> str | None:
    """Let the run's calibration.json and report describe what it exported; what was wrong if they can't."""
    try:
        calibration.write(folder.path)
        if (folder.path / "report.html").is_file():
            write_report(folder.path)  # shows the threshold
    except (ValueError, OSError) as error:
        return str(error)
    return None


def _of_weights(folder: RunFolder, calibration: Calibration) -> str:
    """SHA-256 of the weights; where several networks are averaged, of all their digests in order."""
    own = _sha256(folder.weights_path(calibration.stage))
    others = [RunFolder(Path(path)) for path in calibration.averaged]
    digests = [own, *(_sha256(other.weights_path(other.last_stage())) for other in others)]
    return own if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _size(path: Path) -> int:
    """Bytes of a file, for OpenVINO with the weights beside it."""
    weights = path.with_suffix(".bin")
    return path.stat().st_size + (weights.stat().st_size if weights.exists() else 0)


def _require_packages() -> None:
    missing = [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(f"{' and '.join(missing)} not installed: pip install 'halfsmile[train,export]'")
