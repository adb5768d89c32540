"""``halfsmile train``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from halfsmile.cli.data_options import PUBLISHED, OptionalShare, Reading, say_people_known, share
from halfsmile.cli.evaluate import show_metrics
from halfsmile.cli.methods import Method
from halfsmile.cli.options import Classes, DataSetName, Device, OptionalFile, Paths, Text, require_paths
from halfsmile.cli.setting_names import require_settings
from halfsmile.method_names import require_method
from halfsmile.runs.folder import require_free_or_run
from halfsmile.runs.stages import LAST_STAGE, StageName
from halfsmile.utils.console import make_console

if TYPE_CHECKING:
    from halfsmile.data.manifest import Manifest
    from halfsmile.data.split import LabelBudget
    from halfsmile.recipes.config import Recipe

Network = Annotated[
    Literal["ssfer", "mae", "augreg", "farl", "resnet18", "resnet34"] | None,
    tyro.conf.arg(
        metavar="{ssfer,mae,augreg,farl,resnet18,resnet34}", help_behavior_hint="(default: the recipe's)"
    ),
]
Settings = Annotated[
    tuple[str, ...],
    tyro.conf.arg(name="set", metavar="STAGE.FIELD=VALUE", help_behavior_hint="(default: none)"),
]
Threads = Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="(default: measured)")]


@dataclass(frozen=True)
class Train(Reading):
    """Train a method on any labeled data; run the same command again to resume after a stop.

    Args:
        method: What to train. supervised: the baseline, on labels alone. ssfer: faces without labels first,
            whose hidden parts are painted again (Stage I, masked pre-training); then the labeled ones, two
            in one picture (Stage II; mixup, or FaceMix: mixed by how far they overlap);
            then unlabeled ones by pseudo-labels, the sure answers of a running average of the network (Stage
            III); last, both once more nearly as they are (tune). fixmatch to soft-targets: ssfer with
            another semi-supervised method as Stage III. abaw6: all classes drawn equally often, and a
            teacher that learns whether its pseudo-labels for faces from other sources helped (debiased
            feedback); on videos a network over neighboring frames, too (Stage IV, Temporal Encoder).
            temporal: single frames and that network. student: a small network that learns what finished
            runs say (--teachers). default-model: the model that the package brings.
        data: Labeled data set: FERPlus, RAF-DB, AffectNet, Aff-Wild2, class folders train/<label>/ and
            test/<label>/, a store (of `halfsmile data prepare`), or any other layout that `halfsmile data
            check` recognizes.
        out: Run folder.
        unlabeled: Folders, archives or stores of unlabeled faces: for Stage I, and for Stage III where it
            takes them.
        pseudo_labels: Tables of `halfsmile pseudo-label` (or lists of `halfsmile data import`) whose
            accepted faces train together with the labeled ones. They are never tested on, and the model's
            probabilities are their targets.
        labels: Label budget, the part of the labels that may be used: a share of each class (10%), a number
            per class (40), or all.
        budget: File of `halfsmile data split` that says which labels may be used; in place of --labels.
        seed: Of all chance in training, and in the budget that is drawn for --labels.
        preset: Size: tiny to try things out, cpu for two processor cores, gpu for one consumer GPU, paper is
            ViT-B/16 at 224 px as published.
        settings: Numbers of the recipe to replace, as in --set finetune.epochs=10 semi.method=freematch;
            those of a method are shown and explained by `halfsmile train METHOD --help`.
        dry_run: Show the resolved recipe, what the data hold, steps and estimated time of each stage; train
            nothing and write nothing.
        data_set: What the data are, where that is not recognized or recognized wrongly.
        classes: Classes of AffectNet: 7, or 8 with contempt.
        init: Start from these weights instead of Stage I: a run folder, a file, an address, or face for the
            face-recognition network that the package brings.
        init_network: Whose network the weights of --init are: sets its shape, mean, std and what else the
            weights don't say. augreg are timm's of that name; resnet18 and resnet34 have torchvision's names,
            as those of MS-Celeb-1M that many papers start from.
        teacher: Match the maps and features of this network in Stage I instead of painting: face, a run of a
            residual network, or a network that recognizes people as an exported model, an ONNX file (--set
            pretrain.paint=1 does both).
        teachers: Runs whose classifiers name the unlabeled faces for noisy-student, on the mean, instead of
            the run's own Stage II. A small network learns so from large ones. They may know no label that
            is outside this run's budget.
        reuse: Another run, whose first stages are taken over as far as data, labels and recipe are the same,
            so that variants of a later stage need not repeat the earlier ones.
        folds: Cross-validate: train once for each of so many folds of the labeled faces, tested on the one
            left out. The report has mean and standard deviation; splits of the data count for nothing.
        test: Where the data have no test split: put such a share of each class apart to test on (20%). The
            draw is the same with every --seed, and the list with it is kept beside the run.
        by: With --test or --folds, keep all faces of a person or a video in one part.
        last_stage: Stop after this stage (METHOD --help says what they do); a later call without it goes on.
        device: Where to compute.
        threads: Threads on the processor: as many as are fast when the run begins, which on a busy machine
            may be one; a run that goes on keeps its own, or ends in other bits.
        tensorboard: Also write the losses and scores as TensorBoard reads them.
    """

    method: Method
    data: Path
    out: Annotated[
        Path | None, tyro.conf.arg(metavar="RUN", help_behavior_hint="(needed but for --dry-run)")
    ] = None
    unlabeled: Paths = ()
    pseudo_labels: Paths = ()
    labels: Text = None
    budget: OptionalFile = None
    seed: int = 0
    preset: Literal["tiny", "cpu", "gpu", "paper"] = "cpu"
    settings: Settings = ()
    dry_run: bool = False
    data_set: DataSetName = None
    classes: Classes = None
    init: Text = None
    init_network: Network = None
    teacher: Text = None
    teachers: Paths = ()
    reuse: Annotated[Path | None, tyro.conf.arg(metavar="RUN", help_behavior_hint="(default: none)")] = None
    folds: Annotated[
        int | None, tyro.conf.arg(metavar="N", help_behavior_hint="(default: the data's own splits)")
    ] = None
    test: OptionalShare = None
    by: Annotated[
        Literal["person", "video"] | None,
        tyro.conf.arg(metavar="{person,video}", help_behavior_hint="(default: face by face)"),
    ] = None
    last_stage: StageName = LAST_STAGE
    device: Device = None
    threads: Threads = None
    tensorboard: bool = False

    def run(self) -> None:
        """Train, evaluate and report, or show what would be trained."""
        require_paths(
            data=self.data,
            unlabeled=self.unlabeled,
            pseudo_labels=self.pseudo_labels,
            budget=self.budget,
            teachers=self.teachers,
            reuse=self.reuse,
        )
        if self.out is not None and self.folds is None:
            require_free_or_run(self.out)
        require_method(self.method)
        require_settings(self.settings)
        self._require_options_that_fit()
        from halfsmile import api
        from halfsmile.data.split import LabelBudget
        from halfsmile.recipes.resolve import resolve

        if self.is_said() or self.test is not None:
            self._with_list()
            return
        if self.folds is not None:
            self._cross_validate()
            return
        budget = None if self.budget is None else LabelBudget.load(self.budget)
        recipe = resolve(
            self.method,
            data=self.data,
            preset=self.preset,
            data_set=self.data_set,
            label_rule=self.label_rule,
            num_classes=self.classes,
            labels=self.labels,
            budget=budget,
            seed=self.seed,
            init=self.init,
            init_network=self.init_network,
            teacher=self.teacher,
            teachers=self.teachers,
            settings=self.settings,
        )
        if self.out is None or self.dry_run:
            self._show_plan(recipe, budget)
            return
        run = api.train(
            recipe,
            data=self.data,
            out=self.out,
            unlabeled=self.unlabeled,
            pseudo_labels=self.pseudo_labels,
            budget=budget,
            last_stage=self.last_stage,
            device=self.device,
            threads=self.threads,
            tensorboard=self.tensorboard,
            reuse=self.reuse,
        )
        if not run.is_main or self.last_stage == "pretrain":
            return
        show_metrics(run.evaluate_stages(device=self.device), run.protocol, run.recipe.labels)
        make_console(stderr=True).print("report: drawing its page …")
        make_console().print(f"Report: {run.report()}", soft_wrap=True)

    def _require_options_that_fit(self) -> None:
        """Refuse what does not go together, or is out of range, before anything slow is imported."""
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"--threads must be at least 1, found {self.threads}.")
        if self.test is not None and self.folds is not None:
            raise ValueError("Folds are tested on one by one: leave --test away, or --folds.")
        if self.by is not None and self.folds is None and self.test is None:
            raise ValueError("--by says how a test split or folds are drawn: give --test or --folds, too.")
        given = (self.dry_run, self.budget, self.teacher, self.teachers, self.pseudo_labels, self.reuse)
        if self.folds is not None and (any(given) or self.last_stage != LAST_STAGE):
            raise ValueError(
                "--folds trains whole runs into --out, with labels drawn for each: leave --dry-run, "
                "--budget, --teacher, --teachers, --pseudo-labels, --reuse and --last-stage away."
            )
        if self.out is None and not self.dry_run:
            raise ValueError("Training needs a run folder: --out RUN. To see what would be done: --dry-run.")
        if self.labels is not None and self.budget is not None:
            raise ValueError("--labels and --budget both say which labels may be used; give one of them.")
        if self.test is not None:
            from halfsmile.data.folds import require_shares

            require_shares(share(self.test))
        if self.labels is not None:
            from halfsmile.data.label_amount import LabelAmount

            LabelAmount.parse(self.labels)
        if self.init_network is not None and self.init is None:
            raise ValueError("--init-network says whose weights --init gives; there is no --init.")
        if self.init == "face" and self.preset == "paper":
            raise ValueError(
                "The preset paper is the published Vision Transformer, and --init face is another network. "
                "Give --preset cpu or gpu with it, or other weights."
            )

    def _with_list(self) -> None:
        """Read the data as the options say, keep them as a list beside the run, and train with that."""
        from halfsmile.data.manifest import Manifest

        plain = replace(self, layout=None, columns=(), label_names=(), box=None, splits=(), from_names=None)
        published = PUBLISHED.get(self.layout)
        if published and self.test is None and not self.reader_options().keys() - {"rule"}:
            replace(plain, data_set=self.data_set or published).run()
            return
        manifest = self.read(self.data)
        if self.test is not None:
            manifest = self._with_test(manifest)
            plain = replace(plain, test=None, by=None)
        if self.out is None:
            with TemporaryDirectory() as folder:
                manifest.save(Path(folder) / "list.parquet")
                replace(plain, data=Path(folder) / "list.parquet").run()
            return
        path = self.out.with_name(f"{self.out.name}-data.parquet")
        is_new = not path.exists()
        if not is_new and Manifest.load(path).fingerprint() != manifest.fingerprint():
            raise ValueError(
                f"{path} holds other data than these options read from {self.data}. Choose another --out."
            )
        manifest.save(path)
        try:
            replace(plain, data=path).run()
        except ValueError:
            if is_new and not self.out.exists():
                path.unlink(missing_ok=True)
            raise
        make_console().print(f"The data were read from {self.data} and kept as {path}", soft_wrap=True)

    def _with_test(self, manifest: Manifest) -> Manifest:
        """The data with a test split that is drawn of them.

        Raises:
            ValueError: If they have one, or none can be drawn.
        """
        from halfsmile.data.folds import draw_splits

        tested = [
            label
            for split, label in zip(manifest.column("split"), manifest.column("label"), strict=True)
            if split == "test"
        ]
        if any(tested):
            raise ValueError(
                f"{self.data} has a test split of {len(tested):,} rows: leave --test away. To draw another: "
                f"`halfsmile data split {self.data} --test {self.test} --again --out list.parquet`"
            )
        drawn = draw_splits(manifest, test=share(self.test), by=self.by, again=bool(tested))
        say_people_known(manifest, self.by)
        return drawn

    def _cross_validate(self) -> None:
        """Train each fold and show mean and standard deviation."""
        from halfsmile.cross_validation import cross_validate

        if self.out is None:
            raise ValueError("Cross-validation needs a folder: --out FOLDER.")
        found = cross_validate(
            self.method,
            data=self.data,
            out=self.out,
            folds=self.folds or 0,
            by=self.by,
            seed=self.seed,
            unlabeled=self.unlabeled,
            device=self.device,
            labels=self.labels,
            preset=self.preset,
            data_set=self.data_set,
            label_rule=self.label_rule,
            num_classes=self.classes,
            init=self.init,
            init_network=self.init_network,
            settings=self.settings,
            threads=self.threads,
            tensorboard=self.tensorboard,
        )
        if not found.metrics:
            return
        console = make_console()
        for name, value in found.summary().items():
            console.print(f"{name}: {value} (mean ± standard deviation of {len(found.metrics)} folds)")
        console.print(f"Report: {found.path / 'report.html'}", soft_wrap=True)

    def _show_plan(self, recipe: Recipe, budget: LabelBudget | None) -> None:
        from halfsmile.training.distributed import processes
        from halfsmile.training.plan import plan_run

        with processes(self.device) as where:
            plan = plan_run(
                recipe,
                data=self.data,
                unlabeled=self.unlabeled,
                pseudo_labels=self.pseudo_labels,
                budget=budget,
                where=where,
            )
        plan.show(make_console())
        if self.reuse is not None:
            make_console().print(
                "note: what --reuse can take over is seen when training begins; the times are of all stages."
            )
