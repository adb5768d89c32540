"""Scores as tables for a terminal: the scores with their intervals, each class, the confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping

from rich.box import SIMPLE
from rich.table import Table

from halfsmile.metrics.bootstrap import Interval
from halfsmile.metrics.scores import Metrics
from halfsmile.utils.console import plain
from halfsmile.utils.page import plural
from halfsmile.utils.percent import percent, percent_number


def score_table(metrics: Metrics, intervals: Mapping[str, Interval]) -> Table:
    """Scores by name with their intervals, then NLL and ECE."""
    table = Table(title=f"Scores of {plural(metrics.count, 'face')}", title_justify="left")
    for column in ("", "value", "95 % interval"):
        table.add_column(column, justify="right" if column else "left")
    for name, interval in intervals.items():
        ends = f"{percent_number(interval.low)} to {percent_number(interval.high)}"
        table.add_row(name, percent(interval.estimate, 2), ends)
    table.add_row("NLL", f"{metrics.nll:.3f}", "")
    table.add_row("ECE", f"{metrics.ece:.3f}", "")
    return table


def class_table(metrics: Metrics) -> Table:
    """Precision, recall and F1 of each class that the truth has."""
    table = Table(title="Classes", title_justify="left")
    for column in ("expression", "faces", "precision", "recall", "F1"):
        table.add_column(column, justify="left" if column == "expression" else "right")
    for name, scores in metrics.per_class.items():
        if scores["support"]:
            shares = (percent(scores["precision"]), percent(scores["recall"]), percent(scores["f1"]))
            table.add_row(*plain((name, f"{scores['support']:,}", *shares)))
    return table


def confusion_table(metrics: Metrics) -> Table:
    """Rows are the truth, columns the answers, by their numbers; only classes that occur in either."""
    table = Table(box=SIMPLE, padding=(0, 1), pad_edge=False)
    occurs = metrics.confusion.sum(axis=0) + metrics.confusion.sum(axis=1) > 0
    shown = [k for k, occurring in enumerate(occurs.tolist()) if occurring]
    names = list(metrics.per_class)
    table.add_column("")
    for k in shown:
        table.add_column(str(k + 1), justify="right")
    for k in shown:
        counts = metrics.confusion[k].tolist()
        cells = (f"{counts[j]:,}" if counts[j] else "·" for j in shown)
        table.add_row(*plain((f"{k + 1} {names[k]}", *cells)))
    return table
