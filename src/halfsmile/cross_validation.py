"""Cross-validation from Python and from the command line: a training for each fold, and one report of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from halfsmile.api import Device, PathLike, Run, train

if TYPE_CHECKING:
    from halfsmile.metrics.scores import Metrics


@dataclass(frozen=True)
class Folds:
    """A cross-validation.

    Args:
        path: Its folder, with ``report.html``, ``folds.json`` and a run folder for each fold.
        runs: One for each fold.
        metrics: Of each fold's last stage on its own test rows.
    """

    path: Path
    runs: tuple[Run, ...]
    metrics: tuple[Metrics, ...]

    def summary(self) -> dict[str, str]:
        """Mean ± standard deviation of each score over the folds."""
        from halfsmile.report.folds import summary

        return summary(self.metrics)


def cross_validate(
    recipe: str,
    *,
    data: PathLike,
    out: PathLike,
    folds: int = 5,
    by: Literal["person", "video"] | None = None,
    seed: int = 0,
    unlabeled: Sequence[PathLike] = (),
    device: Device | None = None,
    threads: int | None = None,
    tensorboard: bool = False,
    **choices: Any,
) -> Folds:
    """Train a method once for each fold of labeled stills, each time tested on the fold that was left out.

    Splits of the data set count for nothing. The same call again goes on after a stop.

    Args:
        recipe: A method by name.
        data: Labeled data set in any layout.
        out: Folder; holds the list and the run of each fold, and the report.
        folds: How many.
        by: Keep all rows of a person or a video in one fold.
        seed: Of the folds and of all training.
        unlabeled: See :func:`halfsmile.train`, as for all that follow.
        device: Where to compute.
        threads: On the processor.
        tensorboard: Also write TensorBoard events.
        choices: ``labels``, ``preset``, ``data_set``, ``label_rule``, ``num_classes``, ``init``,
            ``init_network`` and ``settings``.

    Raises:
        ValueError: If the data are videos or have too few faces, or something does not fit together; nothing
            is written then.
    """
    from halfsmile.data.folds import draw_folds, of_fold
    from halfsmile.data.manifest import Manifest
    from halfsmile.data.protocols.read import read_stills
    from halfsmile.recipes.resolve import resolve
    from halfsmile.report.folds import write_folds_report

    data, out = Path(data), Path(out)
    protocol = resolve(recipe, data=data, seed=seed, **choices).resolved_protocol
    manifest = read_stills(protocol, data)
    numbers = draw_folds(manifest, folds, seed=seed, by=by)
    lists = {out / f"fold-{fold + 1}.parquet": of_fold(manifest, numbers, fold) for fold in range(folds)}
    for path, rows in lists.items():
        if path.exists() and Manifest.load(path).fingerprint() != rows.fingerprint():
            raise ValueError(f"{path} holds a fold of other data or another draw. Choose another --out.")
    out.mkdir(parents=True, exist_ok=True)
    runs, metrics, trained = [], {}, []
    # the list of a fold carries labels that were made by the rule and of the classes asked for
    made = ("data_set", "label_rule", "num_classes")
    for path, rows in lists.items():
        rows.save(path)
        run = train(
            recipe,
            data=path,
            out=path.with_suffix(""),
            seed=seed,
            unlabeled=unlabeled,
            device=device,
            threads=threads,
            tensorboard=tensorboard,
            **{name: value for name, value in choices.items() if name not in made},
        )
        runs.append(run)
        if run.is_main:
            metrics[path.stem] = run.evaluate(device=device)
            run.report()
            trained.append(rows.column("split").count("train"))
    if metrics:
        how = f"{folds} folds drawn {f'by {by}' if by else 'row by row'} with seed {seed}."
        write_folds_report(out, metrics, title=f"{recipe} on {data.resolve().name}", how=how, rows=trained)
    return Folds(out, tuple(runs), tuple(metrics.values()))
