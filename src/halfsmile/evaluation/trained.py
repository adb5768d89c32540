"""What a run leaves for use after training: its classifiers, rebuilt, and the faces to judge them on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from halfsmile.data.images import DecodedFaces, load_faces
from halfsmile.data.manifest import Manifest
from halfsmile.data.sets import read_data
from halfsmile.data.split import LabelBudget
from halfsmile.methods.logit_adjustment import blank_shift, prior_shift, shift
from halfsmile.models.classifier import Classifier, MirroredClassifier
from halfsmile.models.encoder import build_encoder
from halfsmile.models.ensemble import Answering, Ensemble
from halfsmile.models.weights import load_weights
from halfsmile.recipes.config import Recipe
from halfsmile.recipes.serialize import read_recipe
from halfsmile.runs.folder import RunFolder
from halfsmile.runs.stages import StageName
from halfsmile.taxonomy import Taxonomy


def build_classifier(
    recipe: Recipe, taxonomy: Taxonomy, *, drop_path: float | None = None, dropout: float = 0.0
) -> Classifier:
    """The classifier of a recipe, its weights drawn from torch's global generator.

    Args:
        recipe: Its network.
        taxonomy: Classes.
        drop_path: Stochastic-depth rate in place of the network's.
        dropout: Rate before the head.
    """
    encoder = build_encoder(recipe.encoder, drop_path=drop_path)
    return Classifier(encoder, taxonomy=taxonomy, standardize=recipe.standardize, dropout=dropout)


def load_classifier(folder: RunFolder, stage: StageName) -> Classifier:
    """The classifier that a finished stage of a run left, with the shifts of its recipe.

    Raises:
        ValueError: If the stage is not finished, or its weights are damaged or of another shape.
    """
    recipe = read_recipe(folder.recipe_path)
    model = build_classifier(recipe, folder.taxonomy())
    load_weights(folder.trained_weights(stage), model)
    if recipe.blank_shift:
        shift(model, blank_shift(model, recipe.blank_shift))
    if recipe.prior_shift:
        counts = torch.tensor(list(folder.data()["labeled"].values()), dtype=torch.float32)
        shift(model, prior_shift(counts / counts.sum(), recipe.prior_shift))
    return model


def trained_classifier(
    folder: RunFolder, stage: StageName | None = None, *, mirror: bool = True, zoom: float = 1.0
) -> Classifier | MirroredClassifier:
    """The network of a finished stage of a run, in evaluation mode.

    Args:
        folder: The run.
        stage: One that classifies; the last finished one if None.
        mirror: Let it view mirror images too, if the run's evaluation does.
        zoom: Above 1, let it view both so many times closer too.

    Raises:
        ValueError: If there is none yet, its weights are damaged, or the zoom is out of range or for nothing.
    """
    recipe = read_recipe(folder.recipe_path)
    if zoom != 1 and not (mirror and recipe.flip):
        raise ValueError(
            f"The zoom {zoom:g} is for models that view mirror images too; this one has a single view."
        )
    model = load_classifier(folder, stage or folder.last_stage())
    return (MirroredClassifier(model, zoom=zoom) if mirror and recipe.flip else model).eval()


def averaged_classifier(
    folder: RunFolder,
    others: Sequence[RunFolder],
    stage: StageName | None = None,
    *,
    mirror: bool = True,
    zoom: float = 1.0,
) -> Answering:
    """The network of a stage, or the mean of it and of the last classifiers of other runs.

    Args:
        folder: The run.
        others: Runs whose answers are averaged with it; none leaves it alone.
        stage: Of the first run; see :func:`trained_classifier`.
        mirror: Likewise, of all.
        zoom: Likewise, of the first run.

    Raises:
        ValueError: As of :func:`trained_classifier`, and if a run is named twice, another has other classes
            or channels, or learned from a label that is not in the budget of the first one: that may be of a
            face which calibrates it.
    """
    first = trained_classifier(folder, stage, mirror=mirror, zoom=zoom)
    if not others:
        return first
    paths = [run.path.resolve() for run in (folder, *others)]
    if twice := next((path for path in paths if paths.count(path) > 1), None):
        raise ValueError(
            f"The run {twice} is named twice, and would count twice in the average; name it once."
        )
    for other in others:
        _require_labels(folder, other)
    return Ensemble([first, *(trained_classifier(other, mirror=mirror) for other in others)]).eval()


def _require_labels(folder: RunFolder, other: RunFolder) -> None:
    """Refuse to average with a run that learned from labels which the first one may not use."""
    ours, theirs = (LabelBudget.load(run.budget_path) for run in (folder, other))
    known = {image for image, role in zip(ours.images, ours.roles, strict=True) if role == "labeled"}
    roles = zip(theirs.images, theirs.roles, strict=True)
    outside = sum(role == "labeled" and image not in known for image, role in roles)
    if outside:
        raise ValueError(
            f"{other.path} learned from {outside:,} labels that are not in the budget of {folder.path} "
            f"({theirs.amount}, seed {theirs.seed}; {ours.amount}, seed {ours.seed}), and the average may be "
            "calibrated on their faces. Average runs of one budget: the same --labels and --seed, or "
            f"--budget {folder.budget_path}"
        )
    if other.data().get("pseudo_labels") and not folder.data().get("pseudo_labels"):
        raise ValueError(
            f"{other.path} learned from pseudo-labels, too, and nobody knows from which labels those come. "
            "Average runs that were trained without --pseudo-labels."
        )


@dataclass(frozen=True)
class RunFaces:
    """Faces of a run that are needed after training.

    Args:
        calibration: Labeled faces that trained nothing; None where the run has none.
        source: Where they are from: ``held_out`` or ``valid``.
        test: Test faces.
        train: Rows that were trained on with their labels, not decoded yet.
    """

    calibration: DecodedFaces | None
    source: str
    test: DecodedFaces
    train: Manifest


def read_run_faces(folder: RunFolder, *, data: Path | None = None) -> RunFaces:
    """Read what a run can be calibrated and judged on.

    Args:
        folder: The run.
        data: Where the labeled data set is now; None takes the place that the run was trained from.

    Raises:
        ValueError: If the data set is gone or has changed.
    """
    recipe, facts = read_recipe(folder.recipe_path), folder.data()
    protocol = recipe.resolved_protocol
    splits = protocol.test_splits
    wider = replace(protocol, test_splits=(*splits, *({"valid"} - set(splits))))
    sets = read_data(wider, data or Path(facts["path"]), seed=recipe.seed)
    budget = LabelBudget.load(folder.budget_path)
    budget.require_same_data(sets.train)
    sets.taxonomy.require_same(folder.taxonomy())
    test = sets.test.split(*splits)
    if test.fingerprint() != facts["test_fingerprint"]:
        raise ValueError("The test split is not the one of this run (fingerprints differ).")

    source, rows = "held_out", budget.rows(sets.train, "held_out")
    if not len(rows) and "valid" not in splits:
        source, rows = "valid", sets.test.split("valid")
    size, channels = recipe.encoder.image_size, recipe.encoder.channels

    def load(manifest: Manifest) -> DecodedFaces:
        return load_faces(manifest, size=size, channels=channels, cache=folder.path / "cache")

    return RunFaces(load(rows) if len(rows) else None, source, load(test), budget.rows(sets.train, "labeled"))
