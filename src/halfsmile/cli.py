"""The command line. Each command imports what it needs, so that help and light commands start at once."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console

from halfsmile.errors import Interrupted

Device = Annotated[
    Literal["cpu", "cuda"] | None,
    tyro.conf.arg(metavar="{cpu,cuda}", help_behavior_hint="(default: what is there)"),
]
Text = Annotated[str | None, tyro.conf.arg(metavar="TEXT", help_behavior_hint="(default: the recipe's)")]
Mixing = Annotated[
    Literal["facemix", "mixup", "cutmix", "none"] | None,
    tyro.conf.arg(metavar="{facemix,mixup,cutmix,none}", help_behavior_hint="(default: the recipe's)"),
]
RecipeName = Literal["ssfer-ferplus", "supervised-ferplus", "ssfer-folders", "supervised-folders"]


@dataclass(frozen=True)
class Train:
    """Train a recipe; run the same command again to go on after a stop.

    Args:
        recipe: What to train: ssfer-* is masked pre-training, FaceMix and pseudo-labels; supervised-* the
            baseline.
        data: Labeled data set: a FERPlus folder, or a folder with train/<label>/ and test/<label>/.
        out: Run folder.
        unlabeled: Folders or zip files of unlabeled faces, for pre-training.
        labels: Label budget: a share of each class (10%), a number per class (40), or all.
        seed: Seed of the budget and of all training.
        preset: Size: cpu fits two processor cores, paper is ViT-B/16 at 224 px as published.
        label_rule: Label rule of FERPlus: argmax, argmax8, majority, probability or multi_target.
        mixing: Replaces Stage II's mixing.
        init: Start from these weights instead of Stage I: a run folder, a file, or an address.
        last_stage: Stop after this stage; a later call without it goes on.
        device: Where to compute.
        tensorboard: Also write TensorBoard events.
    """

    recipe: Annotated[RecipeName, tyro.conf.Positional]
    data: Path
    out: Path
    unlabeled: tuple[Path, ...] = ()
    labels: str = "10%"
    seed: int = 0
    preset: Literal["cpu", "paper"] = "cpu"
    label_rule: Text = None
    mixing: Mixing = None
    init: Text = None
    last_stage: Literal["pretrain", "finetune", "semi"] = "semi"
    device: Device = None
    tensorboard: bool = False

    def run(self) -> None:
        """Train, evaluate and report."""
        from halfsmile.recipes import recipe_named
        from halfsmile.train.distributed import processes

        recipe = recipe_named(self.recipe, self.preset)
        recipe = dataclasses.replace(recipe, labels=self.labels, seed=self.seed)
        if self.label_rule is not None:
            recipe = dataclasses.replace(recipe, label_rule=self.label_rule)
        if self.mixing is not None:
            finetune = dataclasses.replace(recipe.finetune, mixing=self.mixing)
            recipe = dataclasses.replace(recipe, finetune=finetune)
        if self.init is not None:
            recipe = dataclasses.replace(recipe, init=self.init, pretrain=None)
        with processes(self.device) as where:
            run_recipe(
                recipe,
                data=self.data,
                unlabeled=self.unlabeled,
                out=self.out,
                where=where,
                tensorboard=self.tensorboard,
                last_stage=self.last_stage,
            )


@dataclass(frozen=True)
class Evaluate:
    """Measure a run on its test split again.

    Args:
        run_folder: The run.
        data: Where the labeled data set is now, if it has moved.
        device: Where to compute.
    """

    run_folder: Annotated[Path, tyro.conf.Positional]
    data: Path | None = None
    device: Device = None

    def run(self) -> None:
        """Evaluate and show."""
        from halfsmile.train.distributed import processes
        from halfsmile.train.evaluate_run import evaluate_run
        from halfsmile.train.run_folder import RunFolder

        folder = RunFolder.existing(self.run_folder)
        with processes(self.device) as where:
            show_metrics(evaluate_run(folder, device=where.device, data=self.data))


@dataclass(frozen=True)
class Report:
    """Write report.html, one self-contained page, into a run folder.

    Args:
        run_folder: The run.
    """

    run_folder: Annotated[Path, tyro.conf.Positional]

    def run(self) -> None:
        """Write the page and say where it is."""
        from halfsmile.evaluate.report import write_report

        Console().print(f"Report: {write_report(self.run_folder)}", highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Compare:
    """Put runs side by side: mean and deviation over seeds, and paired bootstrap against the first.

    Args:
        run_folders: Two or more runs on the same test images.
        markdown: Also write the table into this file.
    """

    run_folders: Annotated[tuple[Path, ...], tyro.conf.Positional]
    markdown: Path | None = None

    def run(self) -> None:
        """Compare and show."""
        from halfsmile.evaluate.compare import compare
        from halfsmile.files import atomic_write

        result = compare(self.run_folders)
        result.render(Console())
        if self.markdown is not None:
            with atomic_write(self.markdown) as temporary:
                temporary.write_text(result.to_markdown(), encoding="utf-8")


@dataclass(frozen=True)
class Demo:
    """The whole idea on generated faces in a few minutes: all stages in small, and a report.

    Args:
        out: Where the generated faces and the run go.
        seed: Seed of faces and training.
    """

    out: Path = Path("runs/demo")
    seed: int = 0

    def run(self) -> None:
        """Generate, train, evaluate and report."""
        from halfsmile.demo import run_demo

        run_demo(self.out, seed=self.seed)


COMMANDS: dict[str, Any] = {
    "demo": Demo,
    "train": Train,
    "evaluate": Evaluate,
    "report": Report,
    "compare": Compare,
}


def run_recipe(recipe: Any, *, out: Path, where: Any, last_stage: str = "semi", **options: Any) -> None:
    """Train a recipe, then evaluate it and write the report; say where it is in the last line."""
    from halfsmile.evaluate.report import write_report
    from halfsmile.train.evaluate_run import evaluate_run
    from halfsmile.train.run import train_run

    folder = train_run(recipe, out=out, where=where, last_stage=last_stage, **options)
    if not where.is_main or last_stage == "pretrain":
        return
    show_metrics(evaluate_run(folder, device=where.device))
    Console().print(f"Report: {write_report(folder.path)}", highlight=False, soft_wrap=True)


def show_metrics(found: dict[str, Any]) -> None:
    """Print the scores of each stage on the test split."""
    from rich.table import Table

    table = Table(title="Test split (last step, averaged weights; nothing was selected on it)")
    for column in ("stage", "accuracy", "balanced accuracy", "macro F1", "NLL", "ECE"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for stage, metrics in found.items():
        values = (metrics.accuracy, metrics.balanced_accuracy, metrics.macro_f1)
        table.add_row(
            stage, *(f"{100 * v:.2f} %" for v in values), f"{metrics.nll:.3f}", f"{metrics.ece:.3f}"
        )
    Console().print(table)


def main(arguments: list[str] | None = None) -> None:
    """Run a command; mistakes end in one message and exit status 1, a stop on request in 130."""
    command = tyro.extras.subcommand_cli_from_dict(
        COMMANDS,
        prog="halfsmile",
        description="Facial-expression recognition from a few labeled faces and many unlabeled ones.",
        args=arguments,
    )
    console = Console(stderr=True)
    try:
        command.run()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "halfsmile":
            raise
        message = f"{error.name} is not installed; this command needs it: pip install 'halfsmile[train]'"
        console.print(f"error: {message}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
    except (ValueError, OSError) as error:
        console.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
    except (KeyboardInterrupt, Interrupted) as error:
        message = str(error) or "Stopped."
        console.print(f"{message} Run the same command again to go on.", markup=False, highlight=False)
        sys.exit(130)
