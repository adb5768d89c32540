"""``halfsmile train``."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from halfsmile.cli.evaluate import show_metrics
from halfsmile.cli.options import Device, Text
from halfsmile.runs.stages import LAST_STAGE, StageName
from halfsmile.utils.console import make_console

RECIPES_HINT = "(default: the recipe's)"
Mixing = Annotated[
    Literal["facemix", "mixup", "cutmix", "none"] | None,
    tyro.conf.arg(metavar="{facemix,mixup,cutmix,none}", help_behavior_hint=RECIPES_HINT),
]
Method = Annotated[
    Literal["fixmatch", "freematch", "softmatch", "debias", "ada-cm", "mean-teacher", "feedback"] | None,
    tyro.conf.arg(
        metavar="{fixmatch,freematch,softmatch,debias,ada-cm,mean-teacher,feedback}",
        help_behavior_hint=RECIPES_HINT,
    ),
]
Sampling = Annotated[
    Literal["natural", "sqrt", "balanced"] | None,
    tyro.conf.arg(metavar="{natural,sqrt,balanced}", help_behavior_hint=RECIPES_HINT),
]
Unlabeled = Annotated[
    Literal["own", "extra", "all"] | None,
    tyro.conf.arg(metavar="{own,extra,all}", help_behavior_hint=RECIPES_HINT),
]
Network = Annotated[
    Literal["ssfer", "mae", "augreg", "farl"] | None,
    tyro.conf.arg(metavar="{ssfer,mae,augreg,farl}", help_behavior_hint=RECIPES_HINT),
]
RecipeName = Literal[
    "ssfer-ferplus",
    "supervised-ferplus",
    "ssfer-folders",
    "supervised-folders",
    "semi-ferplus",
    "abaw6-ferplus",
    "boxed-ferplus",
    "boxed-enlarged-ferplus",
    "sequences-synthetic",
    "sequences-cpu",
    "abaw6-affwild2",
]


@dataclass(frozen=True)
class Train:
    """Train a recipe; run the same command again to go on after a stop.

    Args:
        recipe: What to train: ssfer-* is masked pre-training, FaceMix and pseudo-labels; supervised-* the
            baseline; abaw6-* adds class-balanced sampling and debiased feedback on faces from elsewhere;
            semi-* is for tables of methods; boxed-* make the model that the package brings, the enlarged
            one from the weights of the other; sequences-* and abaw6-affwild2 end with a Temporal Encoder
            over the frames of videos.
        data: Labeled data set: a FERPlus folder for *-ferplus; for *-folders train/<label>/ and
            test/<label>/, a face store, RAF-DB, AffectNet, or any other layout that `halfsmile data check`
            recognizes; for sequences-* a folder with frames.csv; for *-affwild2 that of Aff-Wild2.
        out: Run folder.
        unlabeled: Folders, archives or stores of unlabeled faces: for pre-training, and for Stage III where
            it takes them.
        labels: Label budget: a share of each class (10%), a number per class (40), or all.
        budget: File of `halfsmile data split` that says which labels may be used; in place of --labels.
        seed: Seed of all training, and of the budget that is drawn for --labels.
        preset: Size: cpu fits two processor cores, paper is ViT-B/16 at 224 px as published.
        label_rule: Label rule of FERPlus: argmax, argmax8, majority, probability or multi_target.
        mixing: Replaces Stage II's mixing.
        method: Replaces Stage III's method.
        sampling: Replaces how often Stage III draws each class of the labeled faces.
        semi_unlabeled: Replaces which unlabeled faces Stage III takes: the rest of the data set (own), those
            from elsewhere (extra), or what there is of both (all).
        init: Start from these weights instead of Stage I: a run folder, a file, or an address.
        init_network: Whose Vision Transformer the weights of --init are: sets mean, std and what else the
            weights don't say. augreg are timm's of that name.
        last_stage: Stop after this stage; a later call without it goes on.
        device: Where to compute.
        tensorboard: Also write TensorBoard events.
    """

    recipe: Annotated[RecipeName, tyro.conf.Positional]
    data: Path
    out: Path
    unlabeled: tuple[Path, ...] = ()
    labels: Text = None
    budget: Path | None = None
    seed: int = 0
    preset: Literal["cpu", "paper"] = "cpu"
    label_rule: Text = None
    mixing: Mixing = None
    method: Method = None
    sampling: Sampling = None
    semi_unlabeled: Unlabeled = None
    init: Text = None
    init_network: Network = None
    last_stage: StageName = LAST_STAGE
    device: Device = None
    tensorboard: bool = False

    def run(self) -> None:
        """Train, evaluate and report."""
        from halfsmile.data.split import LabelBudget
        from halfsmile.models.pretrained import published_encoder
        from halfsmile.recipes.catalog import recipe_named, with_semi
        from halfsmile.training.distributed import processes

        recipe = recipe_named(self.recipe, self.preset)
        recipe = dataclasses.replace(recipe, labels=self.labels or recipe.labels, seed=self.seed)
        budget = None
        if self.budget is not None:
            if self.labels is not None:
                raise ValueError("--labels and --budget both say which labels may be used; give one of them.")
            budget = LabelBudget.load(self.budget)
            recipe = dataclasses.replace(recipe, labels=budget.amount, group=budget.group)
        if self.label_rule is not None:
            recipe = dataclasses.replace(recipe, label_rule=self.label_rule)
        if self.mixing is not None:
            finetune = dataclasses.replace(recipe.finetune, mixing=self.mixing)
            recipe = dataclasses.replace(recipe, finetune=finetune)
        recipe = with_semi(recipe, method=self.method, sampling=self.sampling, unlabeled=self.semi_unlabeled)
        if self.init is not None:
            recipe = dataclasses.replace(recipe, init=self.init, pretrain=None)
        if self.init_network is not None:
            if self.init is None:
                raise ValueError("--init-network says whose weights --init gives; there is no --init.")
            encoder = published_encoder(recipe.encoder, self.init_network)
            recipe = dataclasses.replace(recipe, encoder=encoder)
        with processes(self.device) as where:
            run_recipe(
                recipe,
                data=self.data,
                unlabeled=self.unlabeled,
                out=self.out,
                where=where,
                budget=budget,
                tensorboard=self.tensorboard,
                last_stage=self.last_stage,
            )


def run_recipe(
    recipe: Any, *, out: Path, where: Any, last_stage: StageName = LAST_STAGE, **options: Any
) -> None:
    """Train a recipe, then evaluate it and write the report; say where it is in the last line."""
    from halfsmile.evaluation.evaluate_run import evaluate_run
    from halfsmile.report.report import write_report
    from halfsmile.training.run import train_run

    folder = train_run(recipe, out=out, where=where, last_stage=last_stage, **options)
    if not where.is_main or last_stage == "pretrain":
        return
    show_metrics(evaluate_run(folder, device=where.device))
    make_console().print(f"Report: {write_report(folder.path)}", soft_wrap=True)
