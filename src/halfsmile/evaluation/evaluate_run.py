"""Evaluating a finished run on its test split: predictions, metrics and the most confident mistakes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from halfsmile.data.images import DecodedFaces, hash_images, load_faces
from halfsmile.data.sets import DataSets, read_data
from halfsmile.data.split import LabelBudget
from halfsmile.evaluation.inference import predict_probabilities
from halfsmile.evaluation.temporal import frames_to_test, predict_videos, scored_faces
from halfsmile.evaluation.trained import load_classifier
from halfsmile.metrics.scores import Metrics, evaluate_predictions
from halfsmile.recipes.config import Recipe
from halfsmile.recipes.serialize import read_recipe
from halfsmile.runs.folder import RunFolder
from halfsmile.runs.predictions import write_predictions
from halfsmile.runs.stages import CLASSIFYING
from halfsmile.taxonomy import Taxonomy
from halfsmile.utils.files import atomic_write, write_json
from halfsmile.utils.pictures import mistakes_grid, write_png

SHOWN_MISTAKES = 18


def evaluate_run(
    folder: RunFolder, *, device: torch.device, data: Path | None = None, test: DecodedFaces | None = None
) -> dict[str, Metrics]:
    """Measure every finished stage that predicts on the test split and write the results beside the run.

    A Stage IV is also measured as what it is, over time, next to the classifier that it reads from and the
    best smoothing of that: ``sequences`` in ``metrics.json``, and ``temporal/frames.parquet``.

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
    recipe, facts = read_recipe(folder.recipe_path), folder.data()
    last = folder.last_stage()
    taxonomy = Taxonomy(facts["data_set"], tuple(facts["taxonomy"]))
    with_time = folder.finished("temporal")
    frames = None
    if test is None or with_time:
        sets = _own_data(folder, recipe, taxonomy, data)
        cache, encoder = folder.path / "cache", recipe.encoder
        if with_time and sets.videos is not None:
            frames = frames_to_test(recipe, sets.videos, cache=cache)
            test, readable, rows = scored_faces(frames)
        else:
            test = load_faces(sets.test, size=encoder.image_size, channels=encoder.channels, cache=cache)
    targets = test.manifest.class_indices()
    hashes = hash_images(test.manifest.root, test.manifest.column("image"))
    found: dict[str, Metrics] = {}
    values: dict[str, Any] = {}

    def keep(stage: str, probabilities: npt.NDArray[np.float32]) -> None:
        found[stage] = evaluate_predictions(probabilities, targets, taxonomy)
        values[stage] = found[stage].to_dict()
        write_predictions(
            folder.stage(stage) / "predictions.parquet",
            test.manifest.column("image"),
            test.manifest.column("split"),
            targets,
            probabilities,
            taxonomy,
            hashes,
        )

    for stage in CLASSIFYING:
        if not folder.finished(stage):
            continue
        model = load_classifier(folder, stage)
        shown = test.images if frames is None else frames.faces.images
        probabilities = predict_probabilities(
            model.to(device), shown, device=device, flip=recipe.flip, title=f"evaluating {stage}"
        )
        keep(stage, probabilities if frames is None else probabilities[readable])
    if frames is not None:
        videos, values["sequences"] = predict_videos(
            folder, model, frames, probabilities, taxonomy, device=device
        )
        last, probabilities = "temporal", videos[rows]
        keep(last, probabilities)
    _show_mistakes(folder, test, targets, probabilities, taxonomy)
    with atomic_write(folder.path / "predictions.parquet") as temporary:
        shutil.copyfile(folder.stage(last) / "predictions.parquet", temporary)
    write_json(folder.path / "metrics.json", {**values, "final": values[last]})
    return found


def _own_data(folder: RunFolder, recipe: Recipe, taxonomy: Taxonomy, data: Path | None) -> DataSets:
    """The data of a run, where they are now; other data are refused with a word on how to measure on them."""
    facts = folder.data()
    try:
        sets = read_data(recipe.resolved_protocol, data or Path(facts["path"]), seed=recipe.seed)
        LabelBudget.load(folder.budget_path).require_same_data(sets.train)
        sets.taxonomy.require_same(taxonomy)
        if sets.test.fingerprint() != facts["test_fingerprint"]:
            raise ValueError("The test split is not the one of this run (fingerprints differ).")
    except ValueError as error:
        if data is None or not data.exists():
            raise
        raise ValueError(
            f"{error}\nA run is measured on its own test split, and --data says where its data are now. To "
            f"measure its model on other data, export it, then score the file: `halfsmile export "
            f"{folder.path}`, then `halfsmile evaluate {folder.path / 'export/model.onnx'} --data {data}`."
        ) from error
    return sets


def _show_mistakes(
    folder: RunFolder,
    test: DecodedFaces,
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
