"""Charts for the report, drawn by matplotlib as inline SVG that follows the page's colors.

matplotlib draws with placeholder colors, which are then replaced by the page's CSS variables: one drawing
serves the light and the dark page. Text stays text, in the page's typeface.
"""

from __future__ import annotations

import importlib.util
import io
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from halfsmile.metrics.bootstrap import Interval
from halfsmile.metrics.scores import ReliabilityBins
from halfsmile.utils.page import Html
from halfsmile.utils.percent import percent_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Values = npt.NDArray[np.float64]

INK, MUTED, LINE, SOFT = "#0a0b01", "#0a0b02", "#0a0b03", "#0a0b04"
SERIES = ("#0a0b11", "#0a0b12", "#0a0b13", "#0a0b14")
VARIABLES = {INK: "--ink", MUTED: "--muted", LINE: "--line", SOFT: "--soft"} | {
    color: f"--c{i}" for i, color in enumerate(SERIES, start=1)
}
WIDTH = 4.8
MAX_POINTS = 240
FEW_POINTS = 40
LEAST_COVERAGE = 0.03
"""Below it the error is that of a handful of faces, and jumps."""
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def can_draw() -> bool:
    """Whether matplotlib, which comes with the extra ``train``, is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def class_bars(labels: Sequence[str], counts: Mapping[str, Mapping[str, int]]) -> Html:
    """Share of each class within each part of the data, with the count at the end of the bar.

    Args:
        labels: Classes, top to bottom.
        counts: Part of the data (such as ``test``) to count per label.
    """
    height = 0.8 / len(counts)
    figure, (axes,) = _figure(0.5 + 0.15 * len(labels) * (len(counts) + 0.3))
    for j, (part, by_label) in enumerate(counts.items()):
        total = max(1, sum(by_label.values()))
        for i, label in enumerate(labels):
            count, y = by_label.get(label, 0), i + (j - (len(counts) - 1) / 2) * height
            axes.barh(y, 100 * count / total, height * 0.88, color=SERIES[j], label=part if i == 0 else None)
            axes.annotate(
                f"{count:,}", (100 * count / total, y), (3, 0), textcoords="offset points", va="center",
                fontsize=8, color=MUTED,
            )  # fmt: skip
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("share of its part, %")
    axes.grid(axis="y", visible=False)
    axes.spines["bottom"].set_visible(False)
    _legend(figure, axes)
    return _svg(figure, "classes", "Share of each class in the parts of the data")


def stage_bars(stages: Sequence[str], scores: Mapping[str, Sequence[Interval]]) -> Html:
    """Scores of each stage with their intervals. Values in [0, 1], one interval per stage and score."""
    figure, (axes,) = _figure(2.7)
    width = 0.8 / len(scores)
    for j, (name, intervals) in enumerate(scores.items()):
        x = np.arange(len(stages)) + (j - (len(scores) - 1) / 2) * width
        values = 100 * np.array([v.estimate for v in intervals])
        low, high = (100 * np.array([getattr(v, end) for v in intervals]) for end in ("low", "high"))
        axes.bar(x, values, width * 0.9, color=SERIES[j], label=name)
        axes.vlines(x, low, high, color=INK, linewidth=1)
        for position, interval, top in zip(x, intervals, high, strict=True):
            axes.annotate(
                percent_number(interval.estimate), (position, top), (0, 3), textcoords="offset points",
                ha="center", fontsize=8.5, color=INK,
            )  # fmt: skip
    axes.set_xticks(range(len(stages)), stages)
    axes.set_ylim(0, min(110.0, axes.get_ylim()[1] * 1.08))
    axes.set_ylabel("%")
    axes.grid(axis="x", visible=False)
    _legend(figure, axes)
    return _svg(figure, "stages", "Test scores after each stage")


def curve(
    name: str,
    lines: Mapping[str, tuple[Values, Values]],
    *,
    percent: bool = False,
    smooth: bool = False,
    size: tuple[float, float] = (3.7, 2.5),
) -> Html:
    """A small chart of one or a few quantities over epochs.

    Args:
        name: Unique name of the chart on its page, also its description for those who can't see it.
        lines: Legend entry to epochs and values, each (points,). NaN leaves a gap.
        percent: Values are shares and shown as per cent.
        smooth: Draw lines of many points faintly, and strongly their moving average over 5 % of them.
        size: Width and height in inches; text is larger in relation to a smaller chart.
    """
    figure, (axes,) = _figure(size[1], width=size[0])
    scale, unit = (100.0, "%") if percent else _power_of_ten([values for _, values in lines.values()])
    for color, (label, (epochs, values)) in zip(SERIES, lines.items(), strict=False):
        x, y = _thin(epochs, values * scale)
        if len(x) < FEW_POINTS:
            axes.plot(x, y, ".-", color=color, linewidth=1.6, markersize=5, label=label)
        elif smooth:
            axes.plot(x, y, color=color, linewidth=1.6, alpha=0.3)
            axes.plot(x, _moving_average(y, len(y) // 40), color=color, linewidth=1.8, label=label)
        else:
            axes.plot(x, y, color=color, linewidth=1.8, label=label)
    axes.set_xlabel("epoch")
    axes.set_ylabel(unit)
    axes.margins(y=0.1)
    if len(lines) > 1:
        _legend(figure, axes)
    return _svg(figure, name, name)


def reliability_diagram(bins: ReliabilityBins) -> Html:
    """Accuracy against confidence, and below it how many predictions have that confidence."""
    figure, (top, bottom) = _figure(4.2, rows=2, ratios=(3.4, 1))
    left, width = bins.edges[:-1] * 100, np.diff(bins.edges) * 100
    filled = bins.counts > 0
    style: dict[str, Any] = {"align": "edge", "color": SERIES[0], "alpha": 0.85, "label": "accuracy"}
    top.bar(left[filled], 100 * bins.accuracy[filled], width[filled] * 0.92, **style)
    top.plot([0, 100], [0, 100], color=INK, linewidth=1, linestyle=(0, (4, 3)), label="perfect calibration")
    bottom.bar(
        left, 100 * bins.counts / bins.counts.sum(), width * 0.92, align="edge", color=MUTED, alpha=0.6
    )
    top.set_ylim(0, 104)
    top.set_ylabel("accuracy, %")
    bottom.set_ylabel("share, %")
    bottom.set_xlabel("confidence, %")
    for axes in (top, bottom):
        axes.set_xlim(0, 100)
    top.tick_params(labelbottom=False)
    _legend(figure, top)
    return _svg(figure, "reliability", "Accuracy against confidence")


def risk_coverage_chart(
    lines: Mapping[str, tuple[Values, Values]],
    *,
    target: float | None = None,
    chosen: Mapping[str, tuple[float, float]] | None = None,
) -> Html:
    """Error among the answers that are kept against the share of answers kept.

    Args:
        lines: Legend entry to coverage and risk, each (points,) in [0, 1], coverage rising.
        target: Largest error that was asked for.
        chosen: Legend entry to coverage and risk of the threshold that was chosen.
    """
    figure, (axes,) = _figure(3.4)
    top = 0.0
    for color, (label, (coverage, risk)) in zip(SERIES, lines.items(), strict=False):
        shown = coverage >= min(LEAST_COVERAGE, coverage[-1])
        axes.plot(100 * coverage[shown], 100 * risk[shown], color=color, linewidth=1.8, label=label)
        top = max(top, float(100 * risk[shown].max()))
        if chosen and label in chosen:
            x, y = (100 * value for value in chosen[label])
            axes.vlines(x, 0, y, color=color, linewidth=1, linestyle=(0, (2, 2)))
            axes.plot([x], [y], "o", color=color, markersize=6)
    if target is not None:
        line: dict[str, Any] = {"color": INK, "linewidth": 1, "linestyle": (0, (4, 3))}
        axes.axhline(100 * target, label=f"target, {100 * target:g} %", **line)
        top = max(top, 100 * target)
    axes.set_xlim(0, 102)
    axes.set_ylim(0, max(1.0, 1.12 * top))
    axes.set_xlabel("answers given, %")
    axes.set_ylabel("wrong among them, %")
    _legend(figure, axes)
    return _svg(figure, "risk and coverage", "Share of wrong answers against the share of answers given")


def class_curves(
    labels: Sequence[str], panels: Mapping[str, Mapping[str, tuple[Values, Values]]], *, filled: str
) -> Html:
    """One small chart per class over epochs, all on the scale 0 to 100 %.

    Args:
        labels: Classes, in reading order.
        panels: For each class, legend entry to epochs and shares in [0, 1].
        filled: The entry that is drawn as an area, not as a line.
    """
    columns, rows = 2, -(-len(labels) // 2)
    figure, grid = _figure(0.5 + 1.02 * rows, rows=rows, columns=columns, padding=0.08)
    entries = list(dict.fromkeys(entry for lines in panels.values() for entry in lines))
    for i, (axes, label) in enumerate(zip(grid, labels, strict=False)):
        for entry, (epochs, values) in panels.get(label, {}).items():
            x, y = _thin(epochs, 100 * values)
            if entry == filled:
                axes.fill_between(x, 0, y, color=MUTED, alpha=0.4, linewidth=0, label=entry)
            else:
                axes.plot(x, y, color=SERIES[entries.index(entry)], linewidth=1.6, label=entry)
        axes.set_ylim(0, 104)
        axes.set_yticks([0, 50, 100])
        axes.set_title(label, loc="left", color=INK, fontsize=9, pad=5)
        axes.tick_params(labelbottom=i >= len(labels) - columns, labelleft=i % columns == 0)
        if i >= len(labels) - columns:
            axes.set_xlabel("epoch")
    for axes in grid[len(labels) :]:
        axes.set_visible(False)
    _legend(figure, grid[0])
    return _svg(figure, "pseudo-labels by class", "Pseudo-label quality by class over time")


def _figure(
    height: float,
    *,
    width: float = WIDTH,
    rows: int = 1,
    columns: int = 1,
    ratios: Sequence[float] | None = None,
    padding: float = 0.04,
) -> tuple[Figure, list[Axes]]:
    """An empty figure in the page's manner and its axes in reading order. Sizes in inches."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(h_pad=padding))
    figure.patch.set_visible(False)
    grid = figure.subplots(rows, columns, squeeze=False, height_ratios=ratios)
    for axes in grid.flat:
        axes.patch.set_visible(False)
        axes.set_axisbelow(True)
        axes.grid(color=LINE, linewidth=0.8)
        axes.tick_params(length=0, labelsize=9, labelcolor=MUTED, pad=4)
        axes.xaxis.label.set(color=MUTED, fontsize=9)
        axes.yaxis.label.set(color=MUTED, fontsize=9)
        for side, spine in axes.spines.items():
            spine.set_visible(side == "bottom")
            spine.set_color(LINE)
    return figure, list(grid.flat)


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    legend = figure.legend(
        handles,
        labels,
        loc="outside upper left",
        ncols=len(labels),
        frameon=False,
        fontsize=9,
        handlelength=1.2,
        handletextpad=0.5,
        columnspacing=1.2,
        borderpad=0.1,
    )
    for text in legend.get_texts():
        text.set_color(INK)


def _svg(figure: Figure, name: str, description: str) -> Html:
    """The figure as inline SVG: scalable, colored by CSS variables, with ids that are unique to ``name``."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r"font: ([\d. ]*\d+px)[^;\"]*", r"font: \1 var(--sans)", svg)
    head, rest = svg.split(">", 1)
    head = re.sub(r' (width|height|version)="[^"]*"', "", head)
    svg = f'{head} role="img" aria-label="{escape(description)}">{rest}'
    for color, variable in VARIABLES.items():
        svg = svg.replace(color, f"var({variable})")
    return Html(svg.strip())


def _thin(x: Values, y: Values) -> tuple[Values, Values]:
    """At most ``MAX_POINTS`` points, each the mean of its neighbors, so that long runs stay small files."""
    if len(x) <= MAX_POINTS:
        return x, y
    parts = np.array_split(np.arange(len(x)), MAX_POINTS)
    return np.array([x[p].mean() for p in parts]), np.array([y[p].mean() for p in parts])


def _power_of_ten(values: Sequence[Values]) -> tuple[float, str]:
    """Factor and unit that bring tiny values, such as learning rates, to between 1 and 10."""
    top = max((float(np.nanmax(np.abs(v))) for v in values if np.isfinite(v).any()), default=0.0)
    if top == 0 or top >= 0.01:
        return 1.0, ""
    exponent = int(np.floor(np.log10(top)))
    return 10.0**-exponent, f"× 10{str(exponent).translate(SUPERSCRIPT)}"


def _moving_average(values: Values, width: int) -> Values:
    kernel = np.ones(2 * width + 1)
    finite = np.isfinite(values)
    total = np.convolve(np.where(finite, values, 0.0), kernel, mode="same")
    return np.asarray(total / np.maximum(np.convolve(finite.astype(float), kernel, mode="same"), 1.0))
