"""What each stage adds on FERPlus: all rows, one after another, from one command that goes on after a stop.

Every row has the same label budget per seed, schedule and evaluation; Stage I is trained once and shared.

    python benchmarks/ferplus_table.py --data FERPLUS --unlabeled LFW.zip UTK.zip --out runs/ferplus
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import tyro

from halfsmile.evaluation.compare import compare
from halfsmile.evaluation.evaluate_run import evaluate_run
from halfsmile.recipes import ssfer, supervised
from halfsmile.recipes.config import Recipe
from halfsmile.report.report import write_report
from halfsmile.training.distributed import processes
from halfsmile.training.run import train_run
from halfsmile.utils.console import make_console
from halfsmile.utils.files import atomic_write

Preset = Literal["cpu", "paper"]


@dataclass(frozen=True)
class Arguments:
    """What the program takes.

    Args:
        data: FERPlus in an official layout.
        unlabeled: Folders or archives of unlabeled faces for Stage I.
        out: Folder of all runs and of ``table.md``.
        labels: Label budget.
        seeds: Seeds; the first one gets all three stages, the others repeat Stage II.
        preset: Size.
    """

    data: Path
    unlabeled: tuple[Path, ...]
    out: Path
    labels: str = "10%"
    seeds: tuple[int, ...] = (0, 1)
    preset: Preset = "cpu"


def rows(arguments: Arguments) -> Iterator[tuple[str, Recipe]]:
    """Name and recipe of each row, most telling first."""
    first = arguments.seeds[0]
    full = replace(ssfer(arguments.preset), labels=arguments.labels)
    borrowed = replace(full, init=str(arguments.out / f"ssfer-{first}"), pretrain=None, semi=None)
    plain = replace(borrowed, finetune=replace(borrowed.finetune, mixing="none"))
    scratch = replace(supervised(arguments.preset), labels=arguments.labels)
    yield f"ssfer-{first}", replace(full, seed=first)
    yield f"supervised-{first}", replace(scratch, seed=first)
    yield f"plain-{first}", replace(plain, seed=first)
    for seed in arguments.seeds[1:]:
        yield f"facemix-{seed}", replace(borrowed, seed=seed)
        yield f"plain-{seed}", replace(plain, seed=seed)


def main() -> None:
    arguments = tyro.cli(Arguments, description=__doc__)
    console = make_console()
    done: list[Path] = []
    with processes() as where:
        for name, recipe in rows(arguments):
            console.rule(name)
            folder = train_run(
                recipe,
                data=arguments.data,
                unlabeled=arguments.unlabeled if recipe.pretrain else (),
                out=arguments.out / name,
                where=where,
            )
            for stage, metrics in evaluate_run(folder, device=where.device).items():
                console.print(f"{name} {stage}: accuracy {100 * metrics.accuracy:.2f} %")
            write_report(folder.path)
            done.append(folder.path)
            if where.is_main and len(done) > 1:
                with atomic_write(arguments.out / "table.md") as temporary:
                    temporary.write_text(compare(done).to_markdown(), encoding="utf-8")
    compare(done).render(console)


if __name__ == "__main__":
    main()
