r"""Tables of semi-supervised methods on FERPlus: one command, one short schedule, resumable row by row.

``elsewhere``: 5 % labels, the unlabeled faces are those given with --unlabeled (other cameras, another mix of
classes): what sampling, debiasing and feedback do. ``family``: the rest of the training split is unlabeled;
every method once. Stage I comes from --init, Stage II is trained once a seed and shared, so that rows differ
in Stage III alone.

    python benchmarks/semi_table.py --table elsewhere --data FERPLUS --unlabeled LFW.zip UTK.zip \
        --init runs/ferplus/ssfer-0 --out runs/semi
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import tyro

from halfsmile.console import make_console
from halfsmile.evaluate.compare import compare
from halfsmile.evaluate.report import write_report
from halfsmile.files import atomic_write, read_json
from halfsmile.methods.family import FAMILY
from halfsmile.recipe import Recipe
from halfsmile.recipes import semi_ferplus, with_semi
from halfsmile.train.distributed import processes
from halfsmile.train.evaluate_run import evaluate_run
from halfsmile.train.run import train_run
from halfsmile.train.run_folder import RunFolder


@dataclass(frozen=True)
class Arguments:
    """What the program takes.

    Args:
        data: FERPlus in an official layout.
        init: Run folder whose Stage I is shared.
        out: Folder of all runs and of ``<table>.md``.
        table: Which table.
        unlabeled: Faces from elsewhere; the table ``elsewhere`` needs them.
        labels: Label budget.
        seeds: Seeds.
        epochs: Passes of Stage III over the unlabeled faces.
    """

    data: Path
    init: Path
    out: Path
    table: Literal["elsewhere", "family"] = "elsewhere"
    unlabeled: tuple[Path, ...] = ()
    labels: str = "5%"
    seeds: tuple[int, ...] = (0, 1)
    epochs: float = 2


def rows(arguments: Arguments) -> Iterator[tuple[str, Recipe]]:
    """Name and recipe of each row of one seed; the first has no Stage III."""
    base = replace(semi_ferplus(), labels=arguments.labels, init=str(arguments.init), pretrain=None)
    if base.semi is None:
        raise AssertionError("semi_ferplus has a Stage III")
    base = replace(
        base,
        finetune=replace(base.finetune, mixing="mixup"),
        semi=replace(base.semi, epochs=arguments.epochs),
    )
    yield "supervised", replace(base, semi=None)
    if arguments.table == "family":
        for name in FAMILY:
            yield name, with_semi(base, method=name, sampling="natural", unlabeled="own")
        return
    yield "fixmatch", with_semi(base, method="fixmatch", unlabeled="extra")
    yield "fixmatch-balanced", with_semi(base, method="fixmatch", sampling="balanced", unlabeled="extra")
    yield "debias-balanced", with_semi(base, method="debias", sampling="balanced", unlabeled="extra")
    yield "feedback", with_semi(base, method="feedback", unlabeled="extra")
    yield "feedback-balanced", with_semi(base, method="feedback", sampling="balanced", unlabeled="extra")


def borrow_finetuning(first: Path, out: Path, recipe: Recipe) -> None:
    """Give a new run the finished Stage II and the budget of the first row."""
    folder = RunFolder.open(out, recipe)
    if not folder.finished("finetune"):
        shutil.rmtree(folder.stage("finetune"), ignore_errors=True)
        shutil.copytree(first / "finetune", folder.stage("finetune"))
        shutil.copy2(RunFolder.existing(first).budget_path, folder.budget_path)


def main() -> None:
    arguments = tyro.cli(Arguments, description=__doc__)
    console = make_console()
    done: list[Path] = []
    with processes() as where:
        for seed in arguments.seeds:
            first = arguments.out / f"supervised-{seed}"
            for name, recipe in rows(arguments):
                out = arguments.out / f"{name}-{seed}"
                console.rule(out.name)
                recipe = replace(recipe, seed=seed)
                if out != first:
                    borrow_finetuning(first, out, recipe)
                folder = train_run(
                    recipe,
                    data=arguments.data,
                    unlabeled=arguments.unlabeled if arguments.table == "elsewhere" else (),
                    out=out,
                    where=where,
                )
                scores = list(evaluate_run(folder, device=where.device).values())[-1]
                recalls = ", ".join(f"{k} {v['recall']:.2f}" for k, v in scores.per_class.items())
                seconds = read_json(folder.stage(folder.last_stage() or "finetune") / "result.json")[
                    "seconds"
                ]
                console.print(
                    f"{out.name}: accuracy {100 * scores.accuracy:.2f}, balanced "
                    f"{100 * scores.balanced_accuracy:.2f}, macro F1 {100 * scores.macro_f1:.2f}, last stage "
                    f"{seconds:.0f} s; recall {recalls}",
                    soft_wrap=True,
                )
                write_report(folder.path)
                done.append(folder.path)
                if len(done) > 1:
                    with atomic_write(arguments.out / f"{arguments.table}.md") as temporary:
                        temporary.write_text(compare(done).to_markdown(), encoding="utf-8")
    compare(done).render(console)


if __name__ == "__main__":
    main()
