"""A whole run: data, budget, number format, then one stage after another, into a run folder."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from halfsmile.data.protocols.recognize import protocol_of
from halfsmile.data.sets import DataSets, read_data
from halfsmile.data.split import LabelBudget
from halfsmile.models.precision import Precision, choose_precision
from halfsmile.recipes.config import Recipe
from halfsmile.recipes.serialize import from_json, read_recipe, to_json
from halfsmile.runs.folder import RunFolder, require_free_or_run
from halfsmile.runs.reuse import describe_reuse, find_reusable
from halfsmile.runs.settings import differences
from halfsmile.runs.stages import LAST_STAGE, STAGE_BY_NAME, STAGES, StageName, stages_until
from halfsmile.training.checkpoint import find_checkpoint
from halfsmile.training.data import (
    TrainingFaces,
    describe,
    draw_budget,
    load_roles,
    require_same_faces,
    unlabeled_faces,
    wanted_unlabeled,
)
from halfsmile.training.distributed import Processes
from halfsmile.training.environment import environment, reuse_freed_memory
from halfsmile.training.stages import finetune, pretrain, require_partners, semi, tune
from halfsmile.training.teaching.features import require_teacher
from halfsmile.training.teaching.known_labels import kept_notes, notes_on_known_labels
from halfsmile.training.temporal.stage import temporal
from halfsmile.training.threads import choose_threads, other_bits
from halfsmile.training.trainer import Trainer
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


def require_place(path: Path, recipe: Recipe) -> None:
    """Refuse a folder that a run of this recipe can neither begin nor go on in; nothing is written.

    Raises:
        ValueError: If it belongs to another recipe or holds other files; the fields that differ are named.
    """
    folder = RunFolder(Path(path))
    if folder.recipe_path.exists():
        there = folder.recipe_json()
        with contextlib.suppress(ValueError):  # a recipe of another version is named as different
            there = to_json(from_json(there))
        found = differences(there, to_json(recipe))
        if found:
            raise ValueError(
                f"{path} holds a run of another recipe. What differs (there / asked for):\n"
                + "".join(f"  {field}\n" for field in found)
                + "Use a new folder for --out, or the old settings to go on."
            )
    else:
        require_free_or_run(folder.path)


def open_run(path: Path, recipe: Recipe) -> RunFolder:
    """Make a run folder for a recipe, or take one that was made for the same recipe, to resume it.

    Raises:
        ValueError: If the folder belongs to another recipe or holds other files.
        OSError: If it can't be written.
    """
    require_place(path, recipe)
    folder = RunFolder(Path(path))
    if not folder.recipe_path.exists():
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
    pseudo_labels: Sequence[Path] = (),
    threads: int | None = None,
    reuse: Path | None = None,
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
        pseudo_labels: Tables of ``halfsmile pseudo-label``, or labeled lists, whose faces train with the
            labeled ones.
        threads: Of torch on the processor; by default those that the run began with, or as many as are fast
            now, see :mod:`halfsmile.training.threads`.
        reuse: Another run, whose first stages are taken over as far as nothing that they depend on differs.

    Raises:
        ValueError: If data, recipe and folder do not fit together, or another process trains in the folder;
            the message says what to do.
        OSError: If the folder can't be written.
    """
    console = console or make_console(stderr=True, quiet=not where.is_main)
    if recipe.protocol is None:
        recipe = replace(recipe, protocol=protocol_of(data))
    if last_stage == "pretrain" and recipe.pretrain is None:
        raise ValueError(f"The recipe {recipe.name} has no Stage I to stop after.")
    require_place(out, recipe)
    folder, stages, started = RunFolder(Path(out)), stages_until(last_stage), time.monotonic()
    if where.is_main and folder.recipe_path.exists():
        with folder.only_trainer():  # told now, not after all pictures were read
            pass
    for stage in stages:
        if not folder.finished(stage):
            require_partners(recipe, stage, where.world_size)
    reuse_freed_memory()
    planned = [stage for stage in STAGES if stage.name in stages]
    titles = [stage.title for stage in planned if getattr(recipe, stage.name, None) is not None]
    console.print(
        f"Training {recipe.name} into {folder.path}: {', then '.join(titles)}. Ctrl-C stops cleanly; the "
        "same command goes on.",
        soft_wrap=True,
    )
    sets = read_data(recipe.resolved_protocol, data, unlabeled, seed=recipe.seed, pseudo_labels=pseudo_labels)
    budget = _budget(folder, recipe, sets, budget)
    ahead = [stage for stage in stages if not folder.finished(stage)]
    known = kept_notes(folder.data_path, notes_on_known_labels(recipe, ahead, budget, sets.taxonomy))
    with _nothing_left(folder) if where.is_main else contextlib.nullcontext():
        with where.main_first():
            faces = load_roles(recipe, sets, budget, cache=folder.path / "cache")
        for stage in stages:
            if stage in wanted_unlabeled(recipe):
                unlabeled_faces(recipe, stage, faces)  # missing ones are refused now, not after stages before
        if "pretrain" in stages and not folder.finished("pretrain"):
            require_teacher(recipe)
        facts = describe(recipe, sets, faces, data=data)
        facts |= {"known_labels": known, "notes": [*facts["notes"], *known]}
        require_same_faces(folder.data_path, facts)
        taken = None
        if reuse is not None:
            taken = find_reusable(
                Path(reuse),
                recipe=to_json(recipe),
                there=to_json(read_recipe(RunFolder.existing(Path(reuse)).recipe_path)),
                facts=facts,
                budget=budget,
                stages=stages,
            )
    _set_threads(folder, threads, where, console)
    precision = _precision(folder, where, console)
    now = environment(where.device, precision=precision, processes=where.world_size)
    if folder.environment_path.is_file() and (said := other_bits(folder.environment(), now)):
        console.print(f"note: {said}", soft_wrap=True)
    where.barrier()
    if where.is_main:
        open_run(out, recipe)
    with folder.only_trainer() if where.is_main else contextlib.nullcontext():
        if where.is_main:
            if not folder.budget_path.exists():
                budget.save(folder.budget_path)
            write_json(folder.data_path, facts)
            write_json(folder.environment_path, now)
            if taken is not None:
                taken.into(folder)
        where.barrier()
        if taken is not None:
            console.print(describe_reuse(taken), soft_wrap=True)
        _say_faces(console, recipe, sets, faces, facts["notes"], time.monotonic() - started)
        run = Trainer(recipe, folder, faces, where, precision, tensorboard)
        for stage in stages:
            if not folder.finished(stage):
                if getattr(recipe, stage) is not None:
                    console.print(f"{stage}: {STAGE_BY_NAME[stage].purpose}", soft_wrap=True)
                TRAINED_BY[stage](run)
    return folder


def _say_faces(
    console: Console,
    recipe: Recipe,
    sets: DataSets,
    faces: TrainingFaces,
    notes: Sequence[str],
    seconds: float,
) -> None:
    """Print what is trained and tested on, and how long it took to read."""
    console.print(recipe.resolved_protocol.describe(), soft_wrap=True)
    held_out = len(faces.held_out) if faces.held_out else 0
    own, elsewhere = len(faces.unlabeled) if faces.unlabeled else 0, sum(map(len, faces.extra.values()))
    console.print(
        f"{len(faces.labeled):,} labeled faces (the label budget: {recipe.labels}), "
        f"{'' if faces.unused.own else f'{own:,} more for training without their labels, '}"
        f"{f'{held_out:,} held out (they train nothing; they watch and calibrate), ' if held_out else ''}"
        f"{'' if faces.unused.extra else f'{elsewhere:,} from other sources, '}{len(faces.test):,} test faces"
        f"{f', {len(faces.frames):,} frames of videos' if faces.frames else ''} "
        f"({seconds:.0f} s to read)",
        soft_wrap=True,
    )
    for source, part in faces.pseudo.items():
        counts = ", ".join(f"{name} {count:,}" for name, count in part.manifest.counts().items())
        console.print(
            f"{len(part):,} pseudo-labeled faces train with the labeled ones: "
            f"{sets.pseudo[source].describe}: {counts}",
            soft_wrap=True,
        )
    if said := faces.unused.describe(recipe):
        console.print(said, soft_wrap=True)
    for note in notes:
        console.print(f"note: {note}", soft_wrap=True)


def _budget(folder: RunFolder, recipe: Recipe, sets: DataSets, given: LabelBudget | None) -> LabelBudget:
    """The budget that the run began with, or a new one, not kept yet."""
    if not folder.budget_path.exists():
        return draw_budget(recipe, sets, given)
    kept = LabelBudget.load(folder.budget_path)
    if given is not None and given != kept:
        raise ValueError(
            f"{folder.path} was begun with another label budget ({kept.amount}, seed {kept.seed}) than the "
            f"given one ({given.amount}, seed {given.seed}). Use a new folder for --out."
        )
    kept.require_same_data(sets.train)
    return kept


@contextlib.contextmanager
def _nothing_left(folder: RunFolder) -> Iterator[None]:
    """Where data are refused, remove the decoded pictures that a new folder has got by then."""
    is_new, was_there = not folder.recipe_path.exists(), folder.path.exists()
    try:
        yield
    except BaseException:
        if is_new:
            shutil.rmtree(folder.path / "cache", ignore_errors=True)
            if not was_there:
                with contextlib.suppress(OSError):
                    folder.path.rmdir()
        raise


def _set_threads(folder: RunFolder, asked: int | None, where: Processes, console: Console) -> None:
    """Compute with the asked number of threads, the run's own, or as many as are fast now."""
    if where.device.type != "cpu":
        return
    kept = folder.environment().get("threads") if folder.environment_path.is_file() else None
    choice = choose_threads(torch.get_num_threads(), asked=asked, before=kept)
    torch.set_num_threads(choice.threads)
    if choice.reason is not None:
        console.print(choice.reason, soft_wrap=True)


def _precision(folder: RunFolder, where: Processes, console: Console) -> Precision:
    """The format of the run's checkpoints if there are any, else the faster one on this machine."""
    for stage in reversed(STAGES):
        found = find_checkpoint(folder.stage(stage.name) / "checkpoint")
        if found is not None:
            kept: Any = found.state["precision"]
            console.print(f"Computing in {kept}, as the run did before.")
            return kept  # type: ignore[no-any-return]
    choice = choose_precision(where.device)
    whole = any(where.agree(choice.precision == "float32"))
    overruled = whole and choice.precision == "bfloat16"
    reason = "another process is not faster in bf16" if overruled else choice.reason
    bits = "float32, the usual numbers of 32 bits" if whole else "bfloat16, numbers of 16 bits"
    console.print(f"Computing in {bits}: {reason}.", soft_wrap=True)
    return "float32" if whole else "bfloat16"
