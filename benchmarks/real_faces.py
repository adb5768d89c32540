r"""Models on real faces that are not FER2013's: press pictures, studio stills, sequences clean and spoiled.

    python -m benchmarks.real_faces --shared ../shared/data --out runs/real_faces \
        --models default runs/box/export/model.onnx --names before after

Each set is answered twice: with the faces cut as they are given, and end to end, by a detector. For each
model and set it prints accuracy with a bootstrap interval and mean recall over the classes of at least 20
faces, recalls, the area under the curve of each expression against neutral (which does not depend on where
the line is drawn), the share of certain answers and the errors among them; ``scores.json`` has the accuracy
by kind of spoiling, and in thirds of sharpness and of light.
``--fer`` and the like add other packages (docs/comparison.md); ``--most`` takes fewer faces of each set.
``--sheets`` also draws the forty surest mistakes of each set: of real people, so they stay on this machine.
These labels select and measure; nothing here trains.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import numpy as np
import numpy.typing as npt
import tyro
from benchmarks.real_faces_tools import OtherTool, Places, tools
from PIL import Image
from rich.table import Table

from halfsmile.data.decode import read_image
from halfsmile.data.manifest import Manifest
from halfsmile.evaluation.face_answers import FaceAnswers, answer_faces
from halfsmile.faces.detect import DetectorName, detector
from halfsmile.faces.quality import sharpness
from halfsmile.metrics.bootstrap import bootstrap_interval
from halfsmile.metrics.ranking import area_under_curve
from halfsmile.metrics.scores import confusion_counts
from halfsmile.predict.model import ExpressionModel
from halfsmile.taxonomy import FERPLUS
from halfsmile.utils.console import make_console
from halfsmile.utils.files import atomic_write
from halfsmile.utils.pictures import mistakes_grid, write_png

LEAST = 20
"""Classes with fewer faces have no recall."""

SHOWN = 40
"""Mistakes on a sheet."""


@dataclass(frozen=True)
class Options:
    """What to measure.

    Args:
        shared: Folder with ``faces_lfw``, ``sequences_london`` and ``demo``.
        models: ONNX files of exports; ``default`` is the model in the box.
        names: A short name for each model.
        detectors: How faces are found; ``given`` takes them as they are cut.
        out: Folder for ``scores.json``.
        sheets: Folder for the surest mistakes of each set as pictures. They show real people.
        most: Take at most so many faces of each set, evenly spread over it.
        places: Other packages to measure beside ours: given faces, and with their own detectors where
            ``detectors`` names more than ``given``.
        core: The core that those run on.
    """

    shared: Path
    models: tuple[str, ...] = ("default",)
    names: tuple[str, ...] = ()
    detectors: tuple[Literal["given", "auto", "mtcnn", "yunet"], ...] = ("given", "auto")
    out: Path = Path("runs/real_faces")
    sheets: Path | None = None
    most: int | None = None
    places: Annotated[Places, tyro.conf.arg(name="")] = field(default_factory=Places)
    core: int = 0


@dataclass(frozen=True)
class RealFaces:
    """One labeled set.

    Args:
        name: For people.
        root: Folder or archive of the pictures.
        rows: Locator and label of each face.
        groups: What is said of each face: kind of spoiling, for instance.
    """

    name: str
    root: Path
    rows: tuple[tuple[str, str], ...]
    groups: tuple[str, ...] = ()


def press(shared: Path) -> RealFaces:
    """Press pictures of LFW, with labels that students gave: one a picture, so some are wrong."""
    rows = table_rows(shared / "faces_lfw" / "validation_labels.csv")
    return RealFaces(
        "press", shared / "faces_lfw", tuple((f"lfw112.zip!{row['file']}", row["label"]) for row in rows)
    )


def studio(shared: Path) -> RealFaces:
    """The first, neutral, and the most smiling frame of everybody in the made sequences."""
    best: dict[tuple[str, str], dict[str, str]] = {}
    for row in clean_frames(shared):
        key = (row["person"], row["label"])
        if key not in best or float(row["intensity"]) > float(best[key]["intensity"]):
            best[key] = row
    return _sequences("studio", shared, list(best.values()))


def sequences(shared: Path) -> RealFaces:
    """Frames of the made sequences, neutral or smiling, that were not spoiled."""
    return _sequences("sequences", shared, clean_frames(shared))


def spoiled(shared: Path) -> RealFaces:
    """Frames that were: dark, covered, blurred, noisy."""
    rows = [row for row in _labeled(shared) if row["corruption"]]
    return _sequences("spoiled", shared, rows)


def photographs(shared: Path) -> RealFaces:
    """Studio photographs of 512 pixels."""
    rows = table_rows(shared / "demo" / "london" / "labels.csv")
    return RealFaces("photographs", shared / "demo" / "london", tuple((r["file"], r["label"]) for r in rows))


SETS: tuple[Callable[[Path], RealFaces], ...] = (press, studio, sequences, spoiled, photographs)


def thinned(faces: RealFaces, most: int | None) -> RealFaces:
    """At most so many faces of a set, evenly spread over it."""
    if most is None or len(faces.rows) <= most:
        return faces
    kept = np.linspace(0, len(faces.rows) - 1, most).round().astype(int)
    groups = tuple(faces.groups[k] for k in kept) if faces.groups else ()
    return replace(faces, rows=tuple(faces.rows[k] for k in kept), groups=groups)


def _sequences(name: str, shared: Path, rows: Sequence[dict[str, str]]) -> RealFaces:
    return RealFaces(
        name,
        shared / "sequences_london",
        tuple((f"sequences.zip!{row['file']}", row["label"]) for row in rows),
        tuple(row["corruption"] for row in rows),
    )


def _labeled(shared: Path) -> list[dict[str, str]]:
    return [
        row for row in table_rows(shared / "sequences_london" / "frames.csv") if row["label"] != "transition"
    ]


def clean_frames(shared: Path) -> list[dict[str, str]]:
    """Rows of the frames of :func:`sequences`, in their order."""
    return [row for row in _labeled(shared) if not row["corruption"]]


def table_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file, by column."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def measure(model: ExpressionModel, faces: RealFaces, found_by: str) -> tuple[dict[str, Any], FaceAnswers]:
    """Scores of one model on one set, and its answers. A face that is not found counts as wrong."""
    labels = model.labels
    targets = np.array([labels.index(label) for _, label in faces.rows])
    manifest = Manifest.from_rows([{"image": locator} for locator, _ in faces.rows], faces.root)
    finder = None if found_by == "given" else detector(cast(DetectorName, found_by))
    answers = answer_faces(model, manifest, targets, detector=finder, mistakes=SHOWN)
    rows = np.array(answers.rows, np.int64)
    return scores_of(labels, faces, rows, answers.probabilities, model.threshold), answers


def scores_of(
    labels: Sequence[str],
    faces: RealFaces,
    rows: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.floating],
    threshold: float | None,
) -> dict[str, Any]:
    """Scores of answers (M, classes) for some rows (M,) of a set; the other rows count as wrong."""
    targets = np.array([labels.index(label) for _, label in faces.rows])
    answered = probabilities.argmax(axis=1)
    is_right = np.zeros(len(targets), bool)
    is_right[rows] = answered == targets[rows]
    confusion = confusion_counts(answered, targets[rows], len(labels))
    missed = np.bincount(np.delete(targets, rows), minlength=len(labels))
    counts = np.bincount(targets, minlength=len(labels))
    judged = [k for k in range(len(labels)) if counts[k] >= LEAST]
    recalls = {labels[k]: float(is_right[targets == k].mean()) for k in judged}
    confidence = probabilities.max(axis=1)
    sure = confidence >= threshold if threshold is not None else np.zeros(len(rows), bool)
    interval = bootstrap_interval("accuracy", _with_missed(confusion, missed), seed=0)
    neutral = labels.index("neutral")
    logs = np.log(probabilities.clip(1e-12))
    curves = {}
    for k in (k for k in judged if k != neutral):
        pair = np.isin(targets[rows], (k, neutral))
        margin = (logs[:, k] - logs[:, neutral])[pair]
        curves[labels[k]] = area_under_curve(margin, targets[rows][pair] == k)
    scores: dict[str, Any] = {
        "faces": len(targets),
        "missed": len(targets) - len(rows),
        "accuracy": float(is_right.mean()),
        "interval": [interval.low, interval.high],
        "mean_recall": float(np.mean(list(recalls.values()))) if recalls else None,
        "recalls": recalls,
        "auc": curves,
        "certain": None if threshold is None else float(sure.sum() / len(targets)),
        "certain_error": float((~is_right[rows])[sure].mean()) if sure.any() else None,
    }
    if any(faces.groups):
        kinds = np.array(faces.groups)
        scores["by_kind"] = {
            kind: float(is_right[kinds == kind].mean()) for kind in sorted(set(faces.groups))
        }
    for name, values in _looks(faces).items():
        edges = np.quantile(values, (1 / 3, 2 / 3))
        third = np.searchsorted(edges, values)
        scores[f"by_{name}"] = [float(is_right[third == k].mean()) for k in range(3) if (third == k).any()]
    return scores


def _with_missed(confusion: npt.NDArray[np.int64], missed: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Faces that were not found count as answered by the next class."""
    whole = confusion.copy()
    for k, count in enumerate(missed):
        whole[k, (k + 1) % len(whole)] += count
    return whole


@lru_cache
def _looks(faces: RealFaces) -> dict[str, npt.NDArray[np.float64]]:
    """Sharpness and light of each picture."""
    grays = [
        np.asarray(Image.fromarray(rgb_picture(faces.root, locator)).convert("L"))
        for locator, _ in faces.rows
    ]
    return {
        "sharpness": np.array([sharpness(gray) for gray in grays]),
        "light": np.array([gray.mean() for gray in grays]),
    }


def rgb_picture(root: Path, locator: str) -> npt.NDArray[np.uint8]:
    """A picture (H, W, 3), gray ones too."""
    image = read_image(root, locator)
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image


def show(results: dict[str, dict[str, Any]]) -> Table:
    """One row a model, detector and set."""
    table = Table(
        "model, faces, set", "faces", "accuracy", "mean recall", "recalls", "AUC", "certain", "wrong"
    )
    for name, found in results.items():
        low, high = found["interval"]
        table.add_row(
            name,
            f"{found['faces']:,}" + (f" ({found['missed']} not found)" if found["missed"] else ""),
            f"{100 * found['accuracy']:.1f} [{100 * low:.1f}, {100 * high:.1f}]",
            "" if found["mean_recall"] is None else f"{100 * found['mean_recall']:.1f}",
            " ".join(f"{label[:3]} {100 * value:.0f}" for label, value in found["recalls"].items()),
            " ".join(f"{label[:3]} {100 * value:.1f}" for label, value in found["auc"].items()),
            "" if found["certain"] is None else f"{100 * found['certain']:.0f}",
            "" if found["certain_error"] is None else f"{100 * found['certain_error']:.1f}",
        )
    return table


def main() -> None:
    """The command."""
    run(tyro.cli(Options, description=__doc__))


def run(options: Options) -> None:
    """Measure every model on every set."""
    console = make_console()
    console.width = max(console.width, 170)
    names = options.names or options.models
    results: dict[str, dict[str, Any]] = {}
    for name, file in zip(names, options.models, strict=True):
        model = ExpressionModel.load(None if file == "default" else file)
        for found_by in options.detectors:
            for make in SETS:
                faces = thinned(make(options.shared), options.most)
                if found_by == "given" and make is photographs:
                    continue
                title = f"{name}, {found_by}, {faces.name}"
                results[title], answers = measure(model, faces, found_by)
                if options.sheets is not None and answers.mistakes:
                    options.sheets.mkdir(parents=True, exist_ok=True)
                    write_png(
                        options.sheets / f"{title.replace(', ', '-')}.png", _sheet(model, faces, answers)
                    )
    for tool in tools(options.places, out=options.out, core=options.core):
        results |= _of_tool(tool, options)
    console.print(show(results))
    with atomic_write(options.out / "scores.json") as temporary:
        temporary.write_text(json.dumps(results, indent=2))


def _of_tool(tool: OtherTool, options: Options) -> dict[str, dict[str, Any]]:
    """Scores of another package: given faces, and found by its own detector. It sees each picture once."""
    sets = [thinned(make(options.shared), options.most) for make in SETS]
    places = [[(faces.root, locator) for locator, _ in faces.rows] for faces in sets]
    results = {}
    if "given" in options.detectors:
        cut = [k for k, make in enumerate(SETS) if make is not photographs]
        unique = list(dict.fromkeys(place for k in cut for place in places[k]))
        answers = tool.classify(np.stack([rgb_picture(*place) for place in unique]), "given")
        row_of = {place: row for row, place in enumerate(unique)}
        for k in cut:
            found = answers[[row_of[place] for place in places[k]]]
            everybody = np.arange(len(found))
            results[f"{tool.name}, given, {sets[k].name}"] = scores_of(
                FERPLUS.labels, sets[k], everybody, found, None
            )
    if tool.finds_faces and set(options.detectors) - {"given"}:
        unique = list(dict.fromkeys(place for some in places for place in some))
        rows, answers = tool.find([rgb_picture(*place) for place in unique], "found")
        answer_of = {unique[row]: answer for row, answer in zip(rows, answers, strict=True)}
        for faces, some in zip(sets, places, strict=True):
            found_rows = np.array([k for k, place in enumerate(some) if place in answer_of], np.int64)
            found = np.array([answer_of[some[k]] for k in found_rows]).reshape(-1, len(FERPLUS))
            results[f"{tool.name}, own detector, {faces.name}"] = scores_of(
                FERPLUS.labels, faces, found_rows, found, None
            )
    return results


def _sheet(model: ExpressionModel, faces: RealFaces, answers: FaceAnswers) -> npt.NDArray[np.uint8]:
    worst = answers.mistakes
    return mistakes_grid(
        np.stack([mistake.crop for mistake in worst]),
        [faces.rows[mistake.row][1] for mistake in worst],
        [model.labels[mistake.answer] for mistake in worst],
        np.array([mistake.confidence for mistake in worst]),
        columns=8,
    )


if __name__ == "__main__":
    main()
