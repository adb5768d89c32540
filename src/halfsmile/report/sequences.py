"""Section of the report on videos: what the neighboring frames add, and some test videos frame by frame."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from halfsmile.runs.finished import FinishedRun
from halfsmile.runs.frame_predictions import FramePredictions, read_frame_predictions
from halfsmile.sequences.metrics import SequenceMetrics
from halfsmile.utils.colors import color, rgb
from halfsmile.utils.page import Html, figure, html, paragraph, section, table
from halfsmile.utils.percent import percent

TITLES = {"per_frame": "Each frame by itself", "smoothed": "Smoothed", "temporal": "Temporal Encoder"}
SHOWN = 6
MAX_FRAMES = 600
WIDTH, LEFT, ROW, GAP, FOOT = 960, 150, 22, 6, 24
LETTER = 7.2
"""Width of a letter in the strips, in their units; a name that does not fit its stretch is left out."""


def sequences_section(run: FinishedRun) -> Html | None:
    """Scores of the single frames, their smoothing and the Temporal Encoder, and timelines; if there is one.

    Raises:
        ValueError: If the file of frames is broken.
    """
    stage = run.stage("temporal")
    if stage is None or not (stage.path / "frames.parquet").is_file():
        return None
    found = read_frame_predictions(stage.path / "frames.parquet")
    run.taxonomy.require_same(found.taxonomy)
    smoothing = stage.result.get("smoothing") or {}
    chosen = str(smoothing.get("kind", ""))
    if chosen == "none":
        chosen = "gaps are filled only"
    elif chosen:
        chosen += f", {smoothing.get('width', 0):g} s"
    rows = [_scores(method, chosen, scores) for method, scores in found.scores().items()]
    header = (
        "Method", "Macro F1", "on spoiled", "Accuracy", "on spoiled", "Onset error", "Missed", "Switches",
    )  # fmt: skip
    tracks = found.tracks()
    caption = (
        f"{int((found.faces & (found.targets >= 0)).sum()):,} labeled frames with a face in {len(tracks):,} "
        f"videos, {int((found.faces & found.spoiled & (found.targets >= 0)).sum()):,} of them known to be "
        "blurred, dark or covered. Onset error: frames between the true beginning of an expression and the "
        "predicted one; missed: expressions that are never named. Switches: changes of the named expression "
        "per 100 frames. The smoothing was chosen on training videos."
    )
    if sum(run.counts("temporal").values()):
        caption += (
            " The Temporal Encoder learned from people that the classifier has not seen, so a part of what "
            "it gains is theirs and not time's."
        )
    text = (
        "An expression lasts. A face that is blurred or covered says little by itself, and the frames "
        "around it do. The Temporal Encoder reads the features of neighboring frames together; to be "
        "worth its cost it must beat the best smoothing of single frames."
    )
    strips = [figure(_timeline(found, tracks[i]), heading=_title(found, tracks[i])) for i in _chosen(found)]
    legend = paragraph(
        "The color is the expression; empty: no label, or no face. Marks above the truth: spoiled frames.",
        "quiet",
    )
    heading = Html('<h3 class="apart">Some test videos</h3>')
    shown = [heading, legend, *strips] if strips else []
    return section("videos", "What time adds", paragraph(text), table(header, rows, caption=caption), *shown)


def _scores(method: str, smoothing: str, scores: SequenceMetrics) -> tuple[object, ...]:
    title = TITLES.get(method, method)
    if method == "smoothed" and smoothing:
        title += f" ({smoothing})"
    onset = "–" if math.isnan(scores.onset_error) else f"{scores.onset_error:.1f}"
    return (
        title,
        percent(scores.macro_f1),
        _share(scores.spoiled_macro_f1),
        percent(scores.accuracy),
        _share(scores.spoiled_accuracy),
        onset,
        f"{scores.onsets_missed} of {scores.onsets}",
        f"{scores.switches:.1f}",
    )


def _share(value: float) -> str:
    return "–" if math.isnan(value) else percent(value)


def _chosen(found: FramePredictions) -> list[int]:
    """Numbers of a few videos: those of the rarest labels first, one for each, then whatever comes first."""
    tracks = found.tracks()
    shown = [set(found.targets[rows][found.targets[rows] >= 0].tolist()) for rows in tracks]
    counts = {label: sum(label in labels for labels in shown) for label in set().union(*shown)}
    order: list[int] = []
    for label in sorted(counts, key=lambda label: (counts[label], label)):
        more = (i for i, labels in enumerate(shown) if label in labels and i not in order)
        order += [i for i in [next(more, None)] if i is not None]
    order += [i for i in range(len(tracks)) if i not in order and shown[i]]
    return sorted(order[:SHOWN])


def _title(found: FramePredictions, rows: slice) -> str:
    video, person = found.videos[rows.start], found.people[rows.start]
    return " · ".join(part for part in (video and f"video {video}", person and f"person {person}") if part)


def _timeline(found: FramePredictions, rows: slice) -> Html:
    """Truth and predictions of one video as strips of color; a long one is cut around the first onset."""
    rows = _excerpt(found, rows)
    lines = {"Truth": found.targets[rows]}
    for method, probabilities in found.probabilities.items():
        named = np.nan_to_num(probabilities[rows]).argmax(axis=1)
        named[np.isnan(probabilities[rows, 0])] = -1
        lines[TITLES.get(method, method)] = named
    frames = rows.stop - rows.start
    unit = (WIDTH - LEFT) / frames
    top, parts = ROW / 2, []
    for start, stop, spoiled in _stretches(found.spoiled[rows].astype(np.int64)):
        if spoiled:
            x, width = LEFT + start * unit, (stop - start) * unit
            parts.append(_rectangle(x, top - 7, max(1.0, width - 0.5), 4, "var(--ink)"))
    for name, values in lines.items():
        middle = top + ROW * 0.68
        parts.append(f'<text x="0" y="{middle:.1f}" fill="var(--muted)">{html(name)}</text>')
        parts.append(_rectangle(LEFT, top, WIDTH - LEFT, ROW, "var(--soft)"))
        for start, stop, value in _stretches(values):
            if value < 0:
                continue
            label = found.taxonomy.labels[value]
            x, width = LEFT + start * unit, (stop - start) * unit
            parts.append(_rectangle(x, top, width, ROW, color(label, found.taxonomy.labels), label))
            if len(label) * LETTER + 8 < width:
                place = f'x="{x + width / 2:.1f}" y="{middle:.1f}" text-anchor="middle"'
                ink = "#14161a" if _is_light(label, found.taxonomy.labels) else "#ffffff"
                parts.append(f'<text {place} fill="{ink}" font-weight="600">{html(label)}</text>')
        top += ROW + GAP
    begin, end = found.times[rows.start], found.times[rows.stop - 1]
    for x, anchor, time in ((LEFT, "start", begin), (WIDTH, "end", end)):
        place = f'x="{x}" y="{top + 13:.1f}" text-anchor="{anchor}"'
        parts.append(f'<text {place} fill="var(--muted)">{time:.2f} s</text>')
    what = html(f"Truth and predictions of {_title(found, rows)}")
    return Html(
        f'<div class="scroll"><svg viewBox="0 0 {WIDTH} {top + FOOT:.0f}" role="img" aria-label="{what}" '
        f'style="font: 13px var(--sans); min-width: 640px">{"".join(parts)}</svg></div>'
    )


def _excerpt(found: FramePredictions, rows: slice) -> slice:
    """At most :data:`MAX_FRAMES` frames, a quarter of them before the first change of the truth."""
    if rows.stop - rows.start <= MAX_FRAMES:
        return rows
    labeled = np.flatnonzero(found.targets[rows] >= 0)
    values = found.targets[rows][labeled]
    changes = labeled[1:][values[1:] != values[:-1]]
    first = int(changes[0]) if len(changes) else int(labeled[0]) if len(labeled) else 0
    start = min(max(0, first - MAX_FRAMES // 4), rows.stop - rows.start - MAX_FRAMES)
    return slice(rows.start + start, rows.start + start + MAX_FRAMES)


def _stretches(values: npt.NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """First, last + 1 and value of each stretch of equal values."""
    edges = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]
    return [(start, stop, int(values[start])) for start, stop in pairwise(edges)]


def _is_light(label: str, labels: tuple[str, ...]) -> bool:
    """Whether dark text reads better on the color of a label."""
    red, green, blue = rgb(label, labels)
    return 0.3 * red + 0.6 * green + 0.1 * blue > 150


def _rectangle(x: float, y: float, width: float, height: float, fill: str, title: str = "") -> str:
    inside = f"<title>{html(title)}</title>" if title else ""
    return (
        f'<rect x="{x:.2f}" y="{y:.1f}" width="{width:.2f}" height="{height}" fill="{fill}">{inside}</rect>'
    )
