"""What each ingredient of the model in the box brings on FERPlus and on real faces, by one command.

    python -m benchmarks.default_table --data FERPLUS_STORE --unlabeled LFW_STORE UTK_STORE --shared DATA \
        --epochs 6 --out runs/ingredients

Each row changes one thing of the row it stands on and takes its stages over where they are the same. All
stages are shortened alike, so rows compare with each other and not with the model in the box. FERPlus:
PrivateTest. The real sets are those of ``real_faces.py``, found by the detector. ``table.md`` is written anew
after each row, and a command that was stopped goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import tyro
from benchmarks.real_faces import SETS, measure, photographs, thinned

from halfsmile.evaluation.evaluate_run import evaluate_run
from halfsmile.export.export_run import export_run
from halfsmile.models.face_network import FaceNetworkConfig
from halfsmile.predict.model import ExpressionModel
from halfsmile.recipes import default_model, supervised
from halfsmile.recipes.config import Preset, Recipe
from halfsmile.runs.folder import RunFolder
from halfsmile.training.distributed import Processes, processes
from halfsmile.training.run import train_run
from halfsmile.utils.console import make_console
from halfsmile.utils.files import atomic_write, write_json
from halfsmile.utils.markdown import markdown_table
from halfsmile.utils.percent import percent_number

Change = Callable[[Recipe], Recipe]


@dataclass(frozen=True)
class Row:
    """One ingredient.

    Args:
        title: For readers.
        base: The row that this one changes; None for the recipe as it is.
        change: What it changes.
    """

    title: str
    base: str | None
    change: Change


def _labels_alone(recipe: Recipe) -> Recipe:
    plain = replace(recipe.finetune.augment, camera=0.0)
    return replace(recipe, finetune=replace(recipe.finetune, augment=plain), semi=None, tune=None)


def _from_scratch(recipe: Recipe) -> Recipe:
    other = supervised(recipe.preset)
    finetune = replace(recipe.finetune, optim=other.finetune.optim, dropout=other.finetune.dropout)
    return replace(recipe, init=None, encoder=other.encoder, finetune=finetune)


def _encoder(**changes: Any) -> Change:
    def change(recipe: Recipe) -> Recipe:
        if not isinstance(recipe.encoder, FaceNetworkConfig):
            raise ValueError("Only the face network is changed here.")
        return replace(recipe, encoder=replace(recipe.encoder, **changes))

    return change


def _with_camera(recipe: Recipe) -> Recipe:
    full = default_model(recipe.preset)
    return replace(recipe, finetune=replace(recipe.finetune, augment=full.finetune.augment))


def _with_photographs(recipe: Recipe) -> Recipe:
    return replace(recipe, semi=default_model(recipe.preset).semi)


def _with_tune(recipe: Recipe) -> Recipe:
    return replace(recipe, tune=default_model(recipe.preset).tune)


ROWS: dict[str, Row] = {
    "labels": Row("FERPlus's labels and votes, from the face network, gray, 99 px", None, _labels_alone),
    "scratch": Row("the preset's own network, from scratch", "labels", _from_scratch),
    "small": Row("67 px", "labels", _encoder(image_size=67)),
    "color": Row("color", "labels", _encoder(channels=3)),
    "camera": Row("+ views as cameras make them", "labels", _with_camera),
    "photographs": Row("+ Stage III on unlabeled photographs", "camera", _with_photographs),
    "tune": Row("+ a last fine-tuning", "photographs", _with_tune),
    "tune-alone": Row("a last fine-tuning without Stage III", "camera", _with_tune),
}


@dataclass(frozen=True)
class Arguments:
    """What the program takes.

    Args:
        data: FERPlus, or a store that was prepared from it.
        out: Folder of all runs and of ``table.md``.
        shared: Folder with ``faces_lfw`` and ``sequences_london``, for the real faces.
        unlabeled: Stores of unlabeled faces, for Stage III.
        rows: What is trained, each after the row that it stands on.
        epochs: Of Stage II; the other stages are shortened alike. As long as the recipe's by default.
        seed: Of all rows.
        preset: Size.
        most: Take at most so many faces of each real set.
        threads: Of torch on the processor; measured by default.
    """

    data: Path
    out: Path
    shared: Path
    unlabeled: tuple[Path, ...] = ()
    rows: tuple[str, ...] = tuple(ROWS)
    epochs: float | None = None
    seed: int = 0
    preset: Literal["tiny", "cpu", "gpu"] = "cpu"
    most: int | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        if unknown := [row for row in self.rows if row not in ROWS]:
            raise ValueError(f"There is no row {unknown[0]!r}; there are {', '.join(ROWS)}.")


def recipe_of(name: str, preset: Preset) -> Recipe:
    """The recipe of a row, as long as that of the model in the box."""
    row = ROWS[name]
    return row.change(default_model(preset) if row.base is None else recipe_of(row.base, preset))


def shortened(recipe: Recipe, epochs: float | None) -> Recipe:
    """The same recipe with so many epochs of Stage II, and all later stages shortened alike."""
    if epochs is None:
        return recipe
    share = epochs / recipe.finetune.epochs
    semi = recipe.semi and replace(recipe.semi, epochs=recipe.semi.epochs * share)
    tune = recipe.tune and replace(recipe.tune, epochs=recipe.tune.epochs * share)
    return replace(recipe, finetune=replace(recipe.finetune, epochs=epochs), semi=semi, tune=tune)


def train_row(name: str, arguments: Arguments, where: Processes) -> dict[str, Any]:
    """Train, evaluate and export one row, and measure it on real faces.

    Returns:
        Scores by set, each with ``accuracy`` and ``mean_recall``; FERPlus's also with ``macro_f1``.
    """
    recipe, place = recipe_of(name, arguments.preset), arguments.out / name
    earlier = _with_same_labels(name, arguments)
    folder = train_run(
        replace(shortened(recipe, arguments.epochs), seed=arguments.seed),
        data=arguments.data,
        unlabeled=() if recipe.semi is None else arguments.unlabeled,
        out=place,
        where=where,
        threads=arguments.threads,
        reuse=earlier,
    )
    if (place / "real_faces.json").is_file():
        return json.loads((place / "real_faces.json").read_text())  # type: ignore[no-any-return]
    final = list(evaluate_run(folder, device=where.device).values())[-1]
    scores: dict[str, Any] = {
        "FERPlus": {
            "accuracy": final.accuracy,
            "mean_recall": final.balanced_accuracy,
            "macro_f1": final.macro_f1,
        }
    }
    model = ExpressionModel.load(export_run(folder.path, seconds=0.1, progress=False).folder / "model.onnx")
    for make in SETS:
        if make is not photographs:
            faces = thinned(make(arguments.shared), arguments.most)
            found, _ = measure(model, faces, "auto")
            scores[faces.name] = {key: found[key] for key in ("accuracy", "mean_recall")}
    write_json(place / "real_faces.json", scores)
    return scores


def _with_same_labels(name: str, arguments: Arguments) -> Path | None:
    """The run of the row that this one stands on, if it is there and its Stage II is the same."""
    base = ROWS[name].base
    if base is None or not (arguments.out / base / "recipe.json").is_file():
        return None
    here, there = (recipe_of(row, arguments.preset) for row in (name, base))
    same = (here.encoder, here.init, here.finetune) == (there.encoder, there.init, there.finetune)
    return arguments.out / base if same else None


def table(done: Mapping[str, Mapping[str, Mapping[str, float | None]]], minutes: Mapping[str, float]) -> str:
    """Scores of the finished rows as Markdown."""
    sets = list(next(iter(done.values())))
    lines = [
        (
            f"{name}: {ROWS[name].title}",
            ROWS[name].base or "",
            percent_number(scores["FERPlus"]["macro_f1"] or 0.0),
            *(_both(scores[each]) for each in sets),
            f"{minutes[name]:.0f}",
        )
        for name, scores in done.items()
    ]
    header = ("row", "stands on", "macro F1 %", *(f"{each} %" for each in sets), "minutes")
    return markdown_table(header, lines) + "\n"


def _both(scores: Mapping[str, float | None]) -> str:
    return " / ".join(
        "" if value is None else percent_number(value)
        for value in (scores["accuracy"], scores["mean_recall"])
    )


def _minutes(folder: RunFolder) -> float:
    """Of all stages, those that were taken over among them."""
    found = folder.path.glob("*/result.json")
    return float(sum(json.loads(path.read_text())["seconds"] for path in found)) / 60


def run(arguments: Arguments) -> str:
    """Train and measure all rows; the table is also returned."""
    console = make_console()
    arguments.out.mkdir(parents=True, exist_ok=True)
    done: dict[str, dict[str, Any]] = {}
    text = ""
    with processes() as where:
        for name in arguments.rows:
            console.rule(ROWS[name].title)
            done[name] = train_row(name, arguments, where)
            text = table(done, {each: _minutes(RunFolder(arguments.out / each)) for each in done})
            with atomic_write(arguments.out / "table.md") as temporary:
                temporary.write_text(text, encoding="utf-8")
    console.print(text, soft_wrap=True)
    return text


if __name__ == "__main__":
    run(tyro.cli(Arguments, description=__doc__))
