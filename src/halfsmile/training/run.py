"""A whole run: data, budget, number format, then one stage after another, into a run folder."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from halfsmile.data.protocols import protocol_of
from halfsmile.data.sets import read_data
from halfsmile.data.split import LabelBudget
from halfsmile.models.precision import Precision, choose_precision
from halfsmile.recipes.config import Recipe
from halfsmile.recipes.serialize import from_json, to_json
from halfsmile.runs.folder import RunFolder
from halfsmile.runs.settings import differences
from halfsmile.runs.stages import LAST_STAGE, STAGES, StageName, stages_until
from halfsmile.training.checkpoint import find_checkpoint
from halfsmile.training.data import describe, draw_budget, load_roles, require_same_faces, unlabeled_faces
from halfsmile.training.distributed import Processes
from halfsmile.training.environment import environment, reuse_freed_memory
from halfsmile.training.stages import Trainer, finetune, pretrain, require_partners, semi, tune
from halfsmile.training.temporal.stage import temporal
from halfsmile.utils.console import make_console
from halfsmile.utils.files import write_json

TRAINED_BY: Mapping[StageName, Callable[[Trainer], None]] = {
    "pretrain": pretrain,
    "finetune": finetune,
    "semi": semi,
    "tune": tune,
    "temporal": temporal,
}
"""What trains each stage of :data:`~halfsmile.runs.stages.STAGES`."""


def open_run(path: Path, recipe: Recipe) -> RunFolder:
    """Make a run folder for a recipe, or take one that was made for the same recipe, to resume it.

    Raises:
        ValueError: If the folder belongs to another recipe or holds other files.
        OSError: If it can't be written.
    """
    folder = RunFolder(Path(path))
    if folder.recipe_path.exists():
        there = folder.recipe_json()
        with contextlib.suppress(ValueError):  # a recipe of another version is named as different
            there = to_json(from_json(there))
        found = differences(there, to_json(recipe))
        if found:
            raise ValueError(
                f"{path} holds a run of another recipe; it differs in {', '.join(found)} (there / asked "
                "for). Use a new folder for --out, or the old settings to go on."
            )
        return folder
    if folder.path.exists() and (not folder.path.is_dir() or any(folder.path.iterdir())):
        raise ValueError(f"{path} is not a run folder and is not empty. Use a new folder for --out.")
    write_json(folder.recipe_path, to_json(recipe))
    return folder


def train_run(
    recipe: Recipe,
    *,
    data: Path,
    unlabeled: Sequence[Path],
    out: Path,
    where: Processes,
    budget: LabelBudget | None = None,
    last_stage: StageName = LAST_STAGE,
    tensorboard: bool = False,
    console: Console | None = None,
) -> RunFolder:
    """Train all stages of a recipe into a run folder, going on where an earlier attempt stopped.

    Args:
        recipe: Hyper-parameters; a protocol that is not said is recognized from the data.
        data: Labeled data set.
        unlabeled: Folders or archives of unlabeled faces, for Stage I.
        out: Run folder.
        where: This process.
        budget: Which labels may be used; drawn by the recipe if None.
        last_stage: Stop after this stage.
        tensorboard: Mirror metrics into TensorBoard.
        console: Where to say what happens; standard error by default.

    Raises:
        ValueError: If data, recipe and folder do not fit together; the message says what to do.
        OSError: If the folder can't be written.
    """
    console = console or make_console(stderr=True, quiet=not where.is_main)
    if recipe.protocol is None:
        recipe = replace(recipe, protocol=protocol_of(data))
    if last_stage == "pretrain" and recipe.pretrain is None:
        raise ValueError(f"The recipe {recipe.name} has no Stage I to stop after.")
    reuse_freed_memory()
    is_new = not (Path(out) / "recipe.json").exists()
    if where.is_main:
        open_run(out, recipe)
    where.barrier()
    folder = RunFolder.existing(out)
    try:
        return _train(recipe, folder, data, unlabeled, where, budget, last_stage, tensorboard, console)
    except ValueError:
        if is_new and where.is_main and not any(folder.stage(stage.name).exists() for stage in STAGES):
            _forget(folder)  # nothing was trained: the mended command may use the same folder
        raise


def _forget(folder: RunFolder) -> None:
    """Remove what a refused command wrote into its new run folder."""
    for path in (folder.recipe_path, folder.budget_path, folder.data_path, folder.environment_path):
        path.unlink(missing_ok=True)
    shutil.rmtree(folder.path / "cache", ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.path.rmdir()


def _train(
    recipe: Recipe,
    folder: RunFolder,
    data: Path,
    unlabeled: Sequence[Path],
    where: Processes,
    budget: LabelBudget | None,
    last_stage: StageName,
    tensorboard: bool,
    console: Console,
) -> RunFolder:
    """Read the data, draw the budget, and train one stage after another."""
    out, stages, started = folder.path, stages_until(last_stage), time.monotonic()
    for stage in stages:
        if not folder.finished(stage):
            require_partners(recipe, stage, where.world_size)
    sets = read_data(recipe.resolved_protocol, data, unlabeled, seed=recipe.seed)
    if where.is_main and not folder.budget_path.exists():
        draw_budget(recipe, sets, budget).save(folder.budget_path)
    where.barrier()
    kept = LabelBudget.load(folder.budget_path)
    if budget is not None and budget != kept:
        raise ValueError(
            f"{out} was begun with another label budget ({kept.amount}, seed {kept.seed}) than the given one "
            f"({budget.amount}, seed {budget.seed}). Use a new folder for --out."
        )
    budget = kept
    budget.require_same_data(sets.train)
    with where.main_first():
        faces = load_roles(recipe, sets, budget, cache=out / "cache")
    if recipe.semi is not None and "semi" in stages:
        unlabeled_faces(recipe, faces)  # missing ones are refused now, not after the stages before
    precision = _precision(folder, where, console)
    if where.is_main:
        facts = describe(recipe, sets, faces, data=data)
        require_same_faces(folder.data_path, facts)
        write_json(folder.data_path, facts)
        write_json(
            folder.environment_path,
            environment(where.device, precision=precision, processes=where.world_size),
        )
    console.print(recipe.resolved_protocol.describe(), soft_wrap=True)
    console.print(
        f"{len(faces.labeled):,} labeled, {len(faces.unlabeled) if faces.unlabeled else 0:,} unlabeled, "
        f"{sum(map(len, faces.extra.values())):,} from other sources, {len(faces.test):,} test faces"
        f"{f', {len(faces.frames):,} frames of videos' if faces.frames else ''} "
        f"({time.monotonic() - started:.0f} s to read)",
    )
    run = Trainer(recipe, folder, faces, where, precision, tensorboard)
    for stage in stages:
        if not folder.finished(stage):
            TRAINED_BY[stage](run)
    return folder


def _precision(folder: RunFolder, where: Processes, console: Console) -> Precision:
    """The format of the run's checkpoints if there are any, else the faster one on this machine."""
    for stage in reversed(STAGES):
        found = find_checkpoint(folder.stage(stage.name) / "checkpoint")
        if found is not None:
            kept: Any = found.state["precision"]
            console.print(f"{kept} as before")
            return kept  # type: ignore[no-any-return]
    choice = choose_precision(where.device)
    whole = any(where.agree(choice.precision == "float32"))
    overruled = whole and choice.precision == "bfloat16"
    reason = "another process is not faster in bf16" if overruled else choice.reason
    console.print(f"{'float32' if whole else 'bfloat16'}: {reason}")
    return "float32" if whole else "bfloat16"
