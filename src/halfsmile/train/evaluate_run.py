"""Evaluating a finished run on its test split: predictions, metrics and the most confident mistakes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch

from halfsmile.data.images import Faces, load_faces
from halfsmile.data.split import LabelBudget
from halfsmile.evaluate.metrics import Metrics, evaluate_predictions
from halfsmile.evaluate.pictures import mistakes_grid, write_png
from halfsmile.evaluate.predictions import write_predictions
from halfsmile.files import atomic_write, read_json, write_json
from halfsmile.models.classifier import Classifier
from halfsmile.models.encoder import build_encoder
from halfsmile.taxonomy import Taxonomy
from halfsmile.train.data import read_data
from halfsmile.train.evaluation import predict_probabilities
from halfsmile.train.run_folder import STAGES, RunFolder

SHOWN_MISTAKES = 18


def evaluate_run(
    folder: RunFolder, *, device: torch.device, data: Path | None = None, test: Faces | None = None
) -> dict[str, Metrics]:
    """Measure every finished classifying stage of a run on the test split and write the results beside it.

    Args:
        folder: The run.
        device: Where to compute.
        data: Where the labeled data set is now; None takes the place that the run was trained from.
        test: Test faces if they are already decoded.

    Returns:
        Metrics by stage name.

    Raises:
        ValueError: If the run has no classifier yet, or the data set is gone or has changed.
    """
    recipe, facts = folder.recipe(), read_json(folder.path / "data.json")
    last = folder.last_stage()
    taxonomy = Taxonomy(facts["data_set"], tuple(facts["taxonomy"]))
    if test is None:
        sets = read_data(recipe, data or Path(facts["path"]), [])
        LabelBudget.load(folder.budget_path).require_same_data(sets.train)
        sets.taxonomy.require_same(taxonomy)
        if sets.test.fingerprint() != facts["test_fingerprint"]:
            raise ValueError("The test split is not the one of this run (fingerprints differ).")
        test = load_faces(sets.test, size=recipe.encoder.image_size, channels=recipe.encoder.channels)
    targets = test.manifest.class_indices()
    found: dict[str, Metrics] = {}
    for stage in STAGES[1:]:
        if not folder.finished(stage):
            continue
        model = Classifier(
            build_encoder(recipe.encoder), taxonomy=taxonomy, standardize=recipe.standardize
        )
        folder.load(stage, model)
        probabilities = predict_probabilities(model.to(device), test.images, device=device, flip=recipe.flip)
        found[stage] = evaluate_predictions(probabilities, targets, taxonomy)
        write_predictions(
            folder.stage(stage) / "predictions.parquet",
            test.manifest.column("image"),
            test.manifest.column("split"),
            targets,
            probabilities,
            taxonomy,
        )
        if stage == last:
            _show_mistakes(folder, test, targets, probabilities, taxonomy)
    with atomic_write(folder.path / "predictions.parquet") as temporary:
        shutil.copyfile(folder.stage(last) / "predictions.parquet", temporary)
    values = {stage: metrics.to_dict() for stage, metrics in found.items()}
    write_json(folder.path / "metrics.json", {**values, "final": values[last]})
    return found


def _show_mistakes(
    folder: RunFolder,
    test: Faces,
    targets: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    probabilities: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    taxonomy: Taxonomy,
) -> None:
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != targets)
    chosen = wrong[np.argsort(-confidence[wrong], kind="stable")][:SHOWN_MISTAKES]
    path = folder.path / "mistakes.png"
    if not len(chosen):
        path.unlink(missing_ok=True)
        return
    names = taxonomy.labels
    grid = mistakes_grid(
        test.images[chosen],
        [names[i] for i in targets[chosen]],
        [names[i] for i in predicted[chosen]],
        confidence[chosen],
    )
    write_png(path, grid)
