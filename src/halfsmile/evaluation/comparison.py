"""What a comparison of runs found, as tables for the terminal, Markdown and a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from halfsmile.metrics.bootstrap import PairedDifference
from halfsmile.runs.settings import as_text
from halfsmile.utils.console import plain
from halfsmile.utils.markdown import markdown_table
from halfsmile.utils.page import page, section
from halfsmile.utils.page import table as html_table
from halfsmile.utils.percent import percent_number

SCORES = {
    "accuracy": "Accuracy %",
    "balanced_accuracy": "Balanced accuracy %",
    "macro_f1": "Macro F1 %",
    "nll": "NLL",
    "ece": "ECE %",
}


@dataclass(frozen=True)
class Group:
    """Runs whose recipes differ in nothing but the seed.

    Args:
        name: Name of the recipe; with the settings that set it apart, where two groups share a name.
        settings: The recipe's values (dotted names) that are not the same in all groups.
        seeds: Seed of each run.
        scores: One value per seed of each score; shares in [0, 1], NLL in nats.
        against_first: Accuracy minus that of the first group, on the same images; None for the first, and
            where the test people depend on the seed and the seeds are not those of the first.
    """

    name: str
    settings: Mapping[str, Any]
    seeds: tuple[Any, ...]
    scores: Mapping[str, tuple[float, ...]]
    against_first: PairedDifference | None

    def mean(self, score: str) -> float:
        """Mean over seeds."""
        return float(np.mean(self.scores[score]))

    def deviation(self, score: str) -> float | None:
        """Sample standard deviation over seeds; None for a single seed."""
        values = self.scores[score]
        return float(np.std(values, ddof=1)) if len(values) > 1 else None


@dataclass(frozen=True)
class Comparison:
    """Groups of runs on one test set, or on one for each seed, in the order in which they were given."""

    groups: tuple[Group, ...]
    data_set: str
    label_rule: str
    num_images: int
    by_seed: bool = False

    @property
    def caption(self) -> str:
        """How to read the numbers."""
        return (
            f"{self.num_images:,} test images of {self.data_set} (labels: {self.label_rule})"
            f"{', of other people for each seed' if self.by_seed else ''}. "
            "Mean ± standard deviation over seeds. Gain in accuracy: points over the first row, mean over "
            "seeds, with the 95 % interval that other test images would leave (paired bootstrap), and p: how "
            "often chance alone gives as much either way."
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Headings of :meth:`rows`."""
        return ("Recipe", "Seeds", *SCORES.values(), "Gain in accuracy", "p")

    def rows(self) -> list[tuple[str, ...]]:
        """One row of text per group."""
        return [
            (
                group.name,
                str(len(group.seeds)),
                *(_spread(group, score) for score in SCORES),
                *_difference(group.against_first),
            )
            for group in self.groups
        ]

    def setting_rows(self) -> list[tuple[str, ...]]:
        """What the groups' recipes differ in: one row per setting, one column per group."""
        names = list(dict.fromkeys(name for group in self.groups for name in group.settings))
        return [(name, *(as_text(group.settings.get(name)) for group in self.groups)) for name in names]

    def render(self, console: Console) -> None:
        """Print as tables."""
        rows = self.rows()
        scores = Table(title="Scores", title_justify="left", box=SIMPLE)
        scores.add_column(self.columns[0], min_width=12, overflow="fold")
        for column in self.columns[1:-2]:
            scores.add_column(column.replace("Balanced ", "Balanced\n"), justify="right", no_wrap=True)
        for row in rows:
            scores.add_row(*plain(row[:-2]))
        console.print(scores)
        if len(rows) > 1:
            gains = Table(title=f"Against {rows[0][0]}", title_justify="left", box=SIMPLE)
            gains.add_column(self.columns[0], min_width=12, overflow="fold")
            for column in self.columns[-2:]:
                gains.add_column(column, justify="right", no_wrap=True)
            for row in rows[1:]:
                gains.add_row(*plain((row[0], *row[-2:])))
            console.print(gains)
        if self.setting_rows():
            settings = Table("Setting", title="What differs", title_justify="left", box=SIMPLE)
            for group in self.groups:
                settings.add_column(group.name, overflow="fold")
            for row in self.setting_rows():
                settings.add_row(*plain(row))
            console.print(settings)
        console.print(self.caption, style="dim")

    def to_markdown(self) -> str:
        """The tables as GitHub-flavored Markdown."""
        parts = [markdown_table(self.columns, self.rows()), "", self.caption, ""]
        if self.setting_rows():
            header = ("Setting", *(group.name for group in self.groups))
            parts += ["What differs:", "", markdown_table(header, self.setting_rows(), right=False), ""]
        return "\n".join(parts)

    def to_html(self) -> str:
        """The tables as a self-contained page."""
        body = ["<header><h1>Comparison of runs</h1></header>"]
        body.append(html_table(self.columns, self.rows(), caption=self.caption))
        if self.setting_rows():
            header = ("Setting", *(group.name for group in self.groups))
            body.append(section("settings", "What differs", html_table(header, self.setting_rows())))
        return page("Comparison of runs", "\n".join(body))


def _spread(group: Group, score: str) -> str:
    def shown(value: float) -> str:
        return f"{value:.3f}" if score == "nll" else percent_number(value)

    deviation = group.deviation(score)
    text = shown(group.mean(score))
    return text if deviation is None else f"{text} ± {shown(deviation)}"


def _difference(paired: PairedDifference | None) -> tuple[str, str]:
    if paired is None:
        return "", ""
    return paired.text, f"{paired.p:.3f}"
