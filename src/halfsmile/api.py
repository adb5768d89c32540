"""What Python programs and the command line both call: train a recipe, evaluate, report, export.

A ready model is scored on labeled data of one's own by :func:`evaluate`.

import halfsmile

run = halfsmile.train("ssfer", data="RAF-DB", unlabeled=["faces.zip"], labels="10%", out="runs/a")
run.evaluate().accuracy
run.report()
run.export()
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from halfsmile.runs.stages import LAST_STAGE, StageName

if TYPE_CHECKING:
    from halfsmile.data.protocols.protocol import DataSet, Protocol
    from halfsmile.data.split import LabelBudget
    from halfsmile.evaluation.model_evaluation import ModelEvaluation
    from halfsmile.export.result import Export
    from halfsmile.faces.detect import Detector, DetectorName
    from halfsmile.metrics.scores import Metrics
    from halfsmile.predict.model import ExpressionModel
    from halfsmile.predict.predictor import Predictor
    from halfsmile.recipes.config import Preset, Recipe

Device = Literal["cpu", "cuda", "mps"]
PathLike = str | Path


def train(
    recipe: str | Recipe,
    *,
    data: PathLike,
    out: PathLike,
    unlabeled: Sequence[PathLike] = (),
    pseudo_labels: Sequence[PathLike] = (),
    labels: str | None = None,
    budget: LabelBudget | PathLike | None = None,
    seed: int | None = None,
    preset: Preset | None = None,
    data_set: DataSet | None = None,
    label_rule: str | None = None,
    num_classes: int | None = None,
    init: str | None = None,
    init_network: str | None = None,
    teacher: PathLike | None = None,
    teachers: Sequence[PathLike] = (),
    settings: Sequence[str] = (),
    reuse: PathLike | None = None,
    last_stage: StageName = LAST_STAGE,
    device: Device | None = None,
    threads: int | None = None,
    tensorboard: bool = False,
) -> Run:
    """Train all stages of a recipe into a run folder; the same call again resumes after a stop.

    Args:
        recipe: A method by name (``supervised``, ``ssfer``, ``abaw6``, …), then made for the data at hand, or
            a recipe of :mod:`halfsmile.recipes`, then taken as it is.
        data: Labeled data set in any layout that ``halfsmile data check`` recognizes.
        out: Run folder.
        unlabeled: Folders, archives or stores of unlabeled faces.
        pseudo_labels: Tables of ``halfsmile pseudo-label``, or lists of ``halfsmile data import``, whose
            faces train together with the labeled ones and are never tested on.
        labels: Label budget: a share of each class (``10%``), a number per class (``40``), or ``all``.
        budget: Which labels may be used, or the file of ``halfsmile data split``; in place of ``labels``.
        seed: Of the budget and of all training; that of the recipe, or 0.
        preset: Size, where the recipe is given by name; ``cpu`` by default.
        data_set: Takes the place of what is recognized.
        label_rule: Label rule of FERPlus.
        num_classes: Classes of AffectNet, 7 or 8.
        init: Weights in place of Stage I: a run folder, a file, an address, or ``face`` for the face network
            that the package brings.
        init_network: Whose network they are, where the weights don't say: ``ssfer``, ``mae``, ``augreg``,
            ``farl``, ``resnet18`` or ``resnet34``.
        teacher: What Stage I matches instead of painting: ``face``, a run folder, or an ONNX file.
        teachers: Run folders that name the unlabeled faces for ``noisy-student``, on the mean.
        settings: Fields to replace, ``stage.field=value``, see :func:`halfsmile.recipes.override`.
        reuse: Another run, whose first stages are taken over as far as nothing that they depend on differs.
        last_stage: Stop after this stage; a later call goes on.
        device: Where to compute; what is there by default.
        threads: On the processor; by default those that a run began with, or as many as are fast now.
        tensorboard: Also write TensorBoard events.

    Returns:
        The run. Nothing was evaluated yet.

    Raises:
        ValueError: If data, recipe and folder do not fit together; the message says what to do.
        OSError: If the folder can't be written.
    """
    from halfsmile.data.split import LabelBudget
    from halfsmile.recipes.resolve import resolve
    from halfsmile.training.distributed import processes
    from halfsmile.training.run import train_run

    if isinstance(budget, str | Path):
        budget = LabelBudget.load(Path(budget))
    resolved = resolve(
        recipe,
        data=Path(data),
        labels=labels,
        budget=budget,
        seed=seed,
        preset=preset,
        data_set=data_set,
        label_rule=label_rule,
        num_classes=num_classes,
        init=init,
        init_network=init_network,
        teacher=None if teacher is None else str(teacher),
        teachers=[Path(path) for path in teachers],
        settings=settings,
    )
    with processes(device) as where:
        folder = train_run(
            resolved,
            data=Path(data),
            unlabeled=[Path(path) for path in unlabeled],
            pseudo_labels=[Path(path) for path in pseudo_labels],
            out=Path(out),
            where=where,
            budget=budget,
            last_stage=last_stage,
            threads=threads,
            tensorboard=tensorboard,
            reuse=None if reuse is None else Path(reuse),
        )
        return Run(folder.path, is_main=where.is_main)


def evaluate(
    model_or_run: Run | ExpressionModel | PathLike | None = None,
    *,
    data: PathLike,
    split: str | Sequence[str] | None = None,
    rename: Mapping[str, str | None] | None = None,
    aligned: bool | None = None,
    detector: DetectorName | Detector | None = None,
    data_set: DataSet | None = None,
    label_rule: str | None = None,
    num_classes: int | None = None,
    layout: str | None = None,
    reading: Mapping[str, Any] | None = None,
    out: PathLike | None = None,
    progress: bool = True,
) -> ModelEvaluation:
    """Score a ready model on labeled data; a run by its exported model.

    ``halfsmile.evaluate(data="faces").accuracy`` is that of the model in the box. A run is measured on the
    test split of its own data, with the network as trained, by :meth:`Run.evaluate`.

    Args:
        model_or_run: An exported ONNX file, a run or the folder of one that was exported; None for the model
            in the box.
        data: Labeled pictures in any layout that ``halfsmile data check`` recognizes.
        split: ``train``, ``valid``, ``test``, several of them, or ``all``; by default the test splits of the
            data set's protocol, or all labeled rows of data without splits.
        rename: Label of the data to label of the model, or to None to leave its rows out.
        aligned: Take pictures as they are, each as one face. None does so where the layout tells that they
            are faces which were cut out already, unless a detector is named.
        detector: Finds the faces otherwise: a name, or one of your own.
        data_set: Takes the place of what is recognized.
        label_rule: Label rule of FERPlus.
        num_classes: Classes of AffectNet, 7 or 8.
        layout: How to read the data, if they are taken for something else; see
            :func:`~halfsmile.data.readers.registry.read_any`.
        reading: Options for the reader, as ``columns``, ``labels``, ``splits``, ``box`` and ``names``.
        out: Folder for ``metrics.json``, ``predictions.parquet`` and ``report.html``; without it nothing is
            written.
        progress: Show progress on standard error.

    Returns:
        The scores; ``show()`` prints them.

    Raises:
        ValueError: If model, data and options do not fit together, or no face was found; the message says
            what to do.
        OSError: If the folder can't be written.
    """
    from halfsmile.evaluation.evaluate_model import evaluate_model
    from halfsmile.evaluation.model_evaluation import require_place
    from halfsmile.report.model import write_model_report

    if out is not None:
        require_place(Path(out))
    found = evaluate_model(
        model_or_run.path if isinstance(model_or_run, Run) else model_or_run,
        data=data,
        split=split,
        rename=rename,
        aligned=aligned,
        detector=detector,
        data_set=data_set,
        label_rule=label_rule,
        num_classes=num_classes,
        layout=layout,
        reading=reading,
        progress=progress,
    )
    if out is not None:
        found.write(Path(out))
        write_model_report(found, Path(out))
    return found


@dataclass(frozen=True)
class Run:
    """A run folder, and what can be done with it.

    Args:
        path: The folder.
        is_main: False in all processes of a distributed training but the first; only that one evaluates.
    """

    path: Path
    is_main: bool = True

    @classmethod
    def open(cls, path: PathLike) -> Run:
        """An earlier run.

        Raises:
            ValueError: If the folder holds none.
        """
        from halfsmile.runs.folder import RunFolder

        return cls(RunFolder.existing(Path(path)).path)

    @property
    def recipe(self) -> Recipe:
        """The resolved recipe."""
        from halfsmile.recipes.serialize import read_recipe
        from halfsmile.runs.folder import RunFolder

        return read_recipe(RunFolder.existing(self.path).recipe_path)

    @property
    def protocol(self) -> Protocol:
        """What its numbers mean."""
        return self.recipe.resolved_protocol

    def evaluate(self, *, data: PathLike | None = None, device: Device | None = None) -> Metrics:
        """Measure every finished stage on the test split; the numbers are kept in the run folder.

        Args:
            data: Where the labeled data set is now, if it has moved.
            device: Where to compute.

        Returns:
            Those of the last stage; :meth:`evaluate_stages` has all.

        Raises:
            ValueError: If there is no classifier yet, or the data are gone or have changed.
        """
        return list(self.evaluate_stages(data=data, device=device).values())[-1]

    def evaluate_stages(
        self, *, data: PathLike | None = None, device: Device | None = None
    ) -> dict[str, Metrics]:
        """The same by stage, in the order in which they ran."""
        from halfsmile.evaluation.evaluate_run import evaluate_run
        from halfsmile.runs.folder import RunFolder
        from halfsmile.training.distributed import processes

        with processes(device) as where:
            return evaluate_run(
                RunFolder.existing(self.path),
                device=where.device,
                data=None if data is None else Path(data),
            )

    def report(self) -> Path:
        """Write ``report.html``, one self-contained page, into the run folder, and say where it is.

        Raises:
            ValueError: If the run was not evaluated yet.
        """
        from halfsmile.report.report import write_report

        return write_report(self.path)

    def export(
        self,
        out: PathLike | None = None,
        *,
        int8: bool = False,
        openvino: bool = False,
        target_error: float = 0.1,
        set_coverage: float = 0.9,
        mirror: bool = True,
        zoom: float = 1.0,
        stage: StageName | None = None,
        average: Sequence[PathLike] = (),
        name: str | None = None,
        data: PathLike | None = None,
    ) -> Export:
        """Export as ONNX, calibrated and checked; see :func:`halfsmile.export.export_run.export_run`."""
        from halfsmile.export.export_run import export_run

        return export_run(
            self.path,
            out=None if out is None else Path(out),
            int8=int8,
            openvino=openvino,
            target_error=target_error,
            set_coverage=set_coverage,
            mirror=mirror,
            zoom=zoom,
            stage=stage,
            others=[Path(other) for other in average],
            name=name,
            data=None if data is None else Path(data),
        )

    def predictor(self) -> Predictor:
        """A predictor with the exported model of this run.

        Raises:
            ValueError: If it was not exported yet.
        """
        from halfsmile.predict.predictor import Predictor

        return Predictor(self.path)
