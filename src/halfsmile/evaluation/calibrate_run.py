"""Calibrating a run: from what it says to how sure one may be of it, kept as ``calibration.json``.

Temperature, vector scaling, the threshold of certainty and the sets of expressions are all chosen on labeled
faces that trained nothing: the rows held out of the training split, or the split ``valid`` where the recipe
does not test on it. The test split only judges the result. Faces are seen as the exported model sees them:
with their mirror images where the recipe evaluates so and the export is not told otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from halfsmile.evaluation.inference import logits_and_norms, network_logits
from halfsmile.evaluation.judge import NEVER, judge_answers, judge_priors, known_votes, shares_of_runs
from halfsmile.evaluation.trained import RunFaces, averaged_classifier, read_run_faces, trained_classifier
from halfsmile.metrics.calibration import (
    Temperature,
    VectorScaling,
    calibration_errors,
    fit_temperature,
    fit_vector_scaling,
    fit_vote_temperature,
    vote_errors,
)
from halfsmile.metrics.scores import evaluate_predictions
from halfsmile.metrics.selective import ConformalSets, risk_coverage, threshold_for_error
from halfsmile.models.classifier import MirroredClassifier
from halfsmile.models.ensemble import Ensemble
from halfsmile.recipes.serialize import read_recipe
from halfsmile.runs.folder import RunFolder
from halfsmile.runs.stages import CLASSIFYING, StageName
from halfsmile.utils.files import write_json

Floats = npt.NDArray[np.float32]
Targets = npt.NDArray[np.int64]
Scaling = Temperature | VectorScaling
UNLIKE_SHARE = 0.02
"""Share of the calibrating faces that count as unlike those that the model learned from."""

ASSURANCE = 0.9
"""One-sided confidence, for each threshold, with which the error of certain answers meets its target."""


@dataclass(frozen=True)
class Calibration:
    """What was chosen, on which faces, and how it does on the test split.

    Args:
        stage: Stage of the run.
        source: ``held_out``, ``valid``, or None where the run has no labeled faces that trained nothing.
        count: Number of faces.
        temperature: Logits are divided by it; 1 without faces to choose it on.
        target_error: Share of wrong ones that certain answers may have.
        threshold: Confidence, after temperature, from which answers are certain; :data:`NEVER` where the
            target can't be met, None without faces to choose it on.
        sets: Sets of expressions, on probabilities after temperature; None likewise.
        vote_temperature: Logits divided by it give the expected shares of the annotators' votes; None where
            those faces have no votes.
        feature_norm: Norm of the features below which a face is unlike those that it learned from, which
            :data:`UNLIKE_SHARE` of those faces are; None likewise.
        vector: Factor and offset of each class, an alternative to the temperature that is not exported; None
            likewise.
        test: See :func:`judge_answers`.
        curve: Error among the most confident answers on those faces, see
            :meth:`~halfsmile.metrics.selective.RiskCoverage.points`; None likewise.
        mirror: Whether each face was seen with its mirror image.
        zoom: How many times closer both were seen too, after rounding to whole pixels; 1 if they were not.
        stages: See :func:`validation_scores`; none of an average.
        averaged: Folders of other runs whose answers are averaged with those of this one.
    """

    stage: StageName
    source: str | None
    count: int
    temperature: float
    target_error: float
    threshold: float | None
    sets: ConformalSets | None
    vector: VectorScaling | None
    test: dict[str, Any]
    curve: dict[str, list[float]] | None = None
    mirror: bool = False
    zoom: float = 1.0
    stages: Mapping[str, float] = field(default_factory=dict)
    vote_temperature: float | None = None
    feature_norm: float | None = None
    averaged: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, ready for JSON."""
        vector = self.vector and {"weight": self.vector.weight.tolist(), "bias": self.vector.bias.tolist()}
        sets = self.sets and asdict(self.sets)
        return {**asdict(replace(self, vector=None, sets=None)), "sets": sets, "vector": vector}

    def write(self, folder: Path) -> None:
        """Keep it as ``calibration.json`` of a folder; the report reads that of the run."""
        write_json(folder / "calibration.json", {**self.to_dict(), "assurance": ASSURANCE})


def require_open_shares(**shares: float) -> None:
    """Refuse settings that do not lie between 0 and 1.

    Raises:
        ValueError: With name and value of the first.
    """
    for name, value in shares.items():
        if not 0 < value < 1:
            raise ValueError(f"{name} must lie between 0 and 1, found {value}.")


def calibrate_run(
    folder: RunFolder,
    *,
    target_error: float = 0.1,
    set_coverage: float = 0.9,
    device: torch.device | None = None,
    data: Path | None = None,
    faces: RunFaces | None = None,
    mirror: bool = True,
    zoom: float = 1.0,
    stage: StageName | None = None,
    others: Sequence[RunFolder] = (),
) -> Calibration:
    """Choose temperature and thresholds of a run's last stage, or of another one, and judge them.

    Args:
        folder: The run.
        target_error: Share of wrong ones that answers called certain may have. Lower values leave fewer
            certain answers.
        set_coverage: Least probability that a set of expressions holds the true one, on average over faces.
        device: Where to compute; the processor by default.
        data: See :func:`read_run_faces`.
        faces: What that function gave, if it was called before.
        mirror: See :func:`trained_classifier`.
        zoom: Likewise.
        stage: Of the run; the last finished one that classifies if None.
        others: Runs whose answers are averaged with it, see :func:`averaged_classifier`.

    Raises:
        ValueError: If a number is out of range, the run has no classifier, or its data have changed.
    """
    require_open_shares(target_error=target_error, set_coverage=set_coverage)
    stage = stage or folder.last_stage()
    model = averaged_classifier(folder, others, stage, mirror=mirror, zoom=zoom)
    first = model.first if isinstance(model, Ensemble) else model
    faces = faces or read_run_faces(folder, data=data)
    temperature, threshold, sets, vector, count = Temperature(1.0), None, None, None, 0
    points, vote_temperature, feature_norm = None, None, None
    if faces.calibration is not None:
        logits, norms = logits_and_norms(model, faces.calibration.images, device=device, title="calibrating")
        feature_norm = float(np.quantile(norms, UNLIKE_SHARE))
        targets = faces.calibration.manifest.class_indices()
        count = len(targets)
        temperature, vector = fit_temperature(logits, targets), fit_vector_scaling(logits, targets)
        probabilities = temperature(logits)
        curve = risk_coverage(probabilities, targets)
        points = curve.points()
        found = threshold_for_error(curve, target_error, assurance=ASSURANCE)
        threshold = NEVER if found is None else found
        sets = ConformalSets.fit(probabilities, targets, set_coverage)
        votes = known_votes(faces.calibration.manifest)
        vote_temperature = None if votes is None else fit_vote_temperature(logits, votes)
    logits, norms = logits_and_norms(
        model, faces.test.images, device=device, title="judging on the test faces"
    )
    targets = faces.test.manifest.class_indices()
    scalings: dict[str, Scaling | None] = {
        "before": Temperature(1.0),
        "temperature": temperature,
        "vector": vector,
    }
    errors = {
        name: asdict(calibration_errors(scale(logits), targets)) for name, scale in scalings.items() if scale
    }
    judged = judge_answers(temperature(logits), targets, model.taxonomy, threshold=threshold, sets=sets)
    votes = known_votes(faces.test.manifest)
    if vote_temperature is not None and votes is not None:
        judged["votes"] = asdict(vote_errors(vote_temperature(logits), votes))
    if feature_norm is not None:
        judged["unlike"] = float((norms < feature_norm).mean())
    shares = shares_of_runs(folder, stage, others, model.taxonomy.labels)
    judged["priors"] = judge_priors(temperature(logits), targets, model.taxonomy, shares=shares)
    return Calibration(
        stage=stage,
        source=faces.source if count else None,
        count=count,
        temperature=temperature.value,
        target_error=target_error,
        threshold=threshold,
        sets=sets,
        vector=vector,
        test={**judged, "errors": errors, "curve": risk_coverage(temperature(logits), targets).points()},
        curve=points,
        mirror=isinstance(first, MirroredClassifier),
        zoom=first.zoom if isinstance(first, MirroredClassifier) else 1.0,
        stages={} if others else validation_scores(folder, faces, device=device, mirror=mirror, zoom=zoom),
        vote_temperature=None if vote_temperature is None else vote_temperature.value,
        feature_norm=feature_norm,
        averaged=tuple(str(other.path) for other in others),
    )


def validation_scores(
    folder: RunFolder,
    faces: RunFaces,
    *,
    device: torch.device | None = None,
    mirror: bool = True,
    zoom: float = 1.0,
) -> dict[str, float]:
    """The first metric of the run's protocol of every finished stage, on labeled faces that trained nothing.

    Empty where there are no such faces, or there is one stage only.
    """
    stages = [stage for stage in CLASSIFYING if folder.finished(stage)]
    if faces.calibration is None or len(stages) < 2:
        return {}
    metric = read_recipe(folder.recipe_path).resolved_protocol.metric
    targets, found = faces.calibration.manifest.class_indices(), dict[str, float]()
    for stage in stages:
        model = trained_classifier(folder, stage, mirror=mirror, zoom=zoom)
        images, title = faces.calibration.images, f"validating {stage}"
        probabilities = Temperature(1.0)(network_logits(model, images, device=device, title=title))
        scores = evaluate_predictions(probabilities, targets, model.taxonomy)
        found[stage] = float(getattr(scores, metric))
    return found
