"""Scoring a ready model on labeled data of one's own, with a detector or as faces are cut; no torch.

Every score is over the faces that were found; those that were not are counted, listed, and shown beside the
scores as wrong answers. Answers for classes that the data do not have count as wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from halfsmile.data.protocols.protocol import DataSet
from halfsmile.data.protocols.recognize import protocol_of
from halfsmile.data.readers.registry import read_any
from halfsmile.evaluation.face_answers import FaceAnswers, answer_faces
from halfsmile.evaluation.labeled_rows import LabeledRows, labeled_rows
from halfsmile.evaluation.model_evaluation import (
    STATISTICS,
    CertainAnswers,
    ModelEvaluation,
    ShownMistakes,
)
from halfsmile.faces.detect import Detector, DetectorName, detector_title
from halfsmile.faces.detect import detector as detector_named
from halfsmile.metrics.bootstrap import bootstrap_interval
from halfsmile.metrics.scores import evaluate_predictions, macro_f1_of_truth
from halfsmile.predict.model import ExpressionModel
from halfsmile.runs.predictions import Predictions
from halfsmile.taxonomy import from_labels

RESAMPLES = 1000
SEED = 0


def evaluate_model(
    model: str | Path | ExpressionModel | None = None,
    *,
    data: str | Path,
    split: str | Sequence[str] | None = None,
    rename: Mapping[str, str | None] | None = None,
    aligned: bool | None = None,
    detector: DetectorName | Detector | None = None,
    data_set: DataSet | None = None,
    label_rule: str | None = None,
    num_classes: int | None = None,
    layout: str | None = None,
    reading: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> ModelEvaluation:
    """Measure a model.

    Args:
        model: An exported ONNX file or a run folder with one; None for the model in the box.
        data: Labeled pictures in any layout that ``halfsmile data check`` recognizes.
        split: ``train``, ``valid``, ``test``, several of them, or ``all``; by default the test splits of the
            data set's protocol, or all labeled rows of data without splits.
        rename: Label of the data to label of the model, or to None to leave its rows out.
        aligned: Take pictures as they are, each as one face. None does so where the layout tells that they
            are faces which were cut out already, unless a detector is named.
        detector: Finds the faces otherwise: a name, or one of your own. None for ``auto``.
        data_set: Takes the place of what is recognized.
        label_rule: Label rule of FERPlus.
        num_classes: Classes of AffectNet, 7 or 8.
        layout: How to read the data, if they are taken for something else.
        reading: Options for the reader, see :func:`~halfsmile.data.readers.registry.read_any`.
        progress: Show progress on standard error.

    Returns:
        The scores.

    Raises:
        ValueError: If the model or the data can't be used, a label of the data is none of the model's, or no
            face was found in any picture; the message says what to do.
    """
    if aligned and detector is not None:
        raise ValueError("Aligned faces are taken as they are, so give a detector or say aligned, not both.")
    path = Path(data)
    own = read_any(path, layout, **(reading or {})) if reading or layout else None
    protocol = protocol_of(
        path,
        data_set=data_set or (None if own is None else "faces"),
        label_rule=label_rule,
        num_classes=num_classes,
    )
    loaded = model if isinstance(model, ExpressionModel) else ExpressionModel.load(model)
    rows = labeled_rows(path, loaded.labels, protocol, split=split, rename=rename, manifest=own)
    takes_crops = aligned if aligned is not None else detector is None and rows.are_crops
    finder = None if takes_crops else _finder(detector)
    answers = answer_faces(loaded, rows.manifest, rows.targets, detector=finder, progress=progress)
    hint = _hint(answers, len(rows))
    if not answers.rows:
        raise ValueError(_nothing_scored(rows, answers, hint))
    return _evaluation(
        loaded,
        rows,
        answers,
        source=_name_of(model, loaded),
        faces=_how(rows, aligned, finder),
        hint=hint,
    )


def _finder(detector: DetectorName | Detector | None) -> Detector:
    return detector_named(detector or "auto") if detector is None or isinstance(detector, str) else detector


def _evaluation(
    model: ExpressionModel,
    rows: LabeledRows,
    answers: FaceAnswers,
    *,
    source: str,
    faces: str,
    hint: str | None,
) -> ModelEvaluation:
    taxonomy = from_labels(model.labels)
    images, splits = rows.manifest.column("image"), rows.manifest.column("split")
    targets = rows.targets[answers.rows]
    metrics = evaluate_predictions(answers.probabilities, targets, taxonomy)
    mistakes = answers.mistakes
    return ModelEvaluation(
        model=model.facts,
        source=source,
        sha256=model.sha256,
        data=rows.path,
        protocol=rows.protocol,
        rows=rows.describe(),
        splits=rows.splits,
        renames=dict(rows.renames),
        dropped=rows.dropped,
        faces=faces,
        predictions=Predictions(
            tuple(images[row] for row in answers.rows),
            tuple(splits[row] or "" for row in answers.rows),
            targets,
            answers.probabilities,
            taxonomy,
        ),
        metrics=replace(metrics, macro_f1=float(macro_f1_of_truth(metrics.confusion))),
        intervals={
            name: bootstrap_interval(statistic, metrics.confusion, seed=SEED, resamples=RESAMPLES)
            for name, statistic in STATISTICS.items()
        },
        certain=_certain(model, answers, targets.tolist()),
        no_face=tuple(images[row] for row in answers.no_face),
        unreadable=tuple(answers.unreadable),
        mistakes=None
        if not mistakes
        else ShownMistakes(
            np.stack([mistake.crop for mistake in mistakes]),
            tuple(model.labels[rows.targets[mistake.row]] for mistake in mistakes),
            tuple(model.labels[mistake.answer] for mistake in mistakes),
            np.array([mistake.confidence for mistake in mistakes]),
        ),
        notes=rows.manifest.notes,
        hint=hint,
    )


def _certain(model: ExpressionModel, answers: FaceAnswers, targets: list[int]) -> CertainAnswers | None:
    """Certain is what :class:`~halfsmile.predict.answers.judgment.Judge` does not call uncertain."""
    if model.threshold is None:
        return None
    confidence = answers.probabilities.max(axis=1).astype(np.float64)
    certain = (confidence >= model.threshold) & (model.threshold < 1)
    wrong = answers.probabilities.argmax(axis=1) != np.array(targets)
    return CertainAnswers(
        model.threshold,
        model.facts.target_error,
        float(certain.mean()),
        float(wrong[certain].mean()) if certain.any() else None,
    )


def _name_of(model: str | Path | ExpressionModel | None, loaded: ExpressionModel) -> str:
    """The model for people."""
    if model is None:
        return f"{loaded.name}, the model in the box"
    return loaded.name if isinstance(model, ExpressionModel) else f"{loaded.name} ({model})"


def _how(rows: LabeledRows, aligned: bool | None, finder: Detector | None) -> str:
    """How faces were had, for people."""
    if finder is not None:
        which = "the one that overlaps the row's box most" if _has_boxes(rows) else "the surest of a picture"
        return f"faces: found by {detector_title(finder)}, {which}"
    if aligned:
        return "faces: the pictures as they are, as asked"
    return (
        "faces: the pictures as they are, since this layout holds faces that were cut out already (name a "
        "--detector to look for them instead)"
    )


def _has_boxes(rows: LabeledRows) -> bool:
    return any(box is not None for box in rows.manifest.column("box"))


def _hint(answers: FaceAnswers, count: int) -> str | None:
    """What to try, where most faces were not found in pictures that look like faces which were cut out."""
    missing = len(answers.no_face)
    if 2 * missing <= count or 2 * answers.small_squares <= missing:
        return None
    return (
        "Most pictures without a found face are small and square: if they are faces that were cut out "
        "already, take them as they are with --aligned."
    )


def _nothing_scored(rows: LabeledRows, answers: FaceAnswers, hint: str | None) -> str:
    if answers.no_face:
        text = f"No face was found in any of {len(answers.no_face):,} pictures below {rows.path}"
        text += f", and {len(answers.unreadable):,} could not be read." if answers.unreadable else "."
        return f"{text} {hint or 'Try another --detector, or --aligned if the pictures are faces.'}"
    image, reason = answers.unreadable[0]
    count = len(answers.unreadable)
    return f"None of {count:,} pictures below {rows.path} could be read; first: {image}: {reason}"
