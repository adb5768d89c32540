"""The report of a cross-validation: mean and standard deviation over the folds, and a link to each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from halfsmile import __version__
from halfsmile.metrics.scores import Metrics
from halfsmile.utils.files import atomic_write, write_json
from halfsmile.utils.page import Html, grid, html, page, paragraph, plural, section, table
from halfsmile.utils.percent import percent, percent_number

REPORT, RECORD = "report.html", "folds.json"
_LIMITS = (
    "The standard deviation is that of the folds' scores. It shows how much they differ, and is no "
    "confidence interval: "
    "the folds share most of their training rows."
)


def mean_and_deviation(values: Sequence[float]) -> str:
    """Per cent, with the sample standard deviation over the folds.

    Example:
        >>> mean_and_deviation([0.5, 0.6, 0.7])
        '60.0 ± 10.0 %'
    """
    mean, deviation = float(np.mean(values)), float(np.std(values, ddof=1))
    return f"{percent_number(mean)} ± {percent_number(deviation)} %"


def summary(found: Sequence[Metrics]) -> dict[str, str]:
    """Mean ± standard deviation of each score over the folds."""
    return {name: mean_and_deviation([fold.shares[name] for fold in found]) for name in found[0].shares}


def write_folds_report(
    folder: Path, found: Mapping[str, Metrics], *, title: str, how: str, rows: Sequence[int]
) -> Path:
    """Write ``report.html`` and ``folds.json``.

    Args:
        folder: Of the cross-validation; holds a run folder for each fold.
        found: Scores of the last stage by the name of the fold's folder.
        title: What was trained on which data.
        how: How folds were drawn.
        rows: Training rows of each fold.

    Returns:
        Path of the report.
    """
    metrics = list(found.values())
    scores = summary(metrics)
    cards = [
        f"<h3>{html(name[0].upper() + name[1:])}</h3>{paragraph(value, 'lead')}"
        for name, value in scores.items()
    ]
    lead = f"Mean ± standard deviation over {plural(len(found), 'fold')}."
    lines = [
        [
            Html(f'<a href="{html(name)}/{REPORT}">{html(name)}</a>'),
            f"{trained:,}",
            f"{fold.count:,}",
            *(percent(share) for share in fold.shares.values()),
        ]
        for (name, fold), trained in zip(found.items(), rows, strict=True)
    ]
    classes = [
        [
            label,
            sum(fold.per_class[label]["support"] for fold in metrics),
            *(
                mean_and_deviation([fold.per_class[label][key] for fold in metrics])
                for key in ("recall", "f1")
            ),
        ]
        for label in metrics[0].per_class
    ]
    body = "\n".join(
        [
            f"<header>{paragraph('Expression recognition · cross-validation', 'eyebrow')}"
            f"<h1>{html(title)}</h1>{paragraph(lead, 'lead')}</header>",
            section("result", "How well it works", grid(*cards, kind="three"), paragraph(_LIMITS, "quiet")),
            section(
                "folds",
                "Each fold",
                table(["fold", "trained with", "tested on", *metrics[0].shares], lines, caption=how),
            ),
            section("classes", "Each class", table(["class", "faces", "recall", "F1"], classes)),
            f"<footer>Written by halfsmile {__version__}.</footer>",
        ]
    )
    write_json(
        folder / RECORD,
        {"summary": scores, "how": how, "folds": {name: fold.to_dict() for name, fold in found.items()}},
    )
    with atomic_write(folder / REPORT) as temporary:
        temporary.write_text(page(title, body), encoding="utf-8")
    return folder / REPORT
