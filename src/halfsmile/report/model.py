"""The report of a model on labeled data that it was not made for: one HTML file that needs nothing else."""

from __future__ import annotations

from pathlib import Path

from halfsmile import __version__
from halfsmile.evaluation.evaluate_model import RESAMPLES
from halfsmile.evaluation.model_evaluation import (
    FILES,
    FRAMES_ALIKE,
    TITLES,
    ModelEvaluation,
    require_place,
)
from halfsmile.metrics.scores import SCORES_EXPLAINED
from halfsmile.report import charts
from halfsmile.report.report import LIMITS
from halfsmile.report.scores import classes_section, confidence_section, mistakes_section, score_card
from halfsmile.report.silence import threshold_figure
from halfsmile.utils.files import atomic_write
from halfsmile.utils.page import (
    Html,
    definitions,
    details,
    grid,
    html,
    page,
    paragraph,
    plural,
    section,
    table,
)
from halfsmile.utils.percent import percent, percent_number
from halfsmile.utils.pictures import encode_png, mistakes_grid

LISTED = 200
"""Pictures without a score that the page names."""


def write_model_report(found: ModelEvaluation, folder: Path) -> Path:
    """Write ``report.html`` into a folder.

    It shows faces of the data (the surest mistakes), so it is to be treated like them. Without matplotlib the
    charts are left out, and the page says so.

    Args:
        found: What was measured.
        folder: Where to; made if need be.

    Returns:
        Path of the report.

    Raises:
        ValueError: If the folder holds other files of these names, see
            :func:`~halfsmile.evaluation.model_evaluation.require_place`.
    """
    require_place(folder)
    silence = threshold_figure(found.predictions, found.certain)
    sections = {
        "Result": _result(found),
        "Classes": classes_section(found.metrics),
        "Mistakes": mistakes_section(_mistakes(found)),
        "Confidence": confidence_section(found.metrics, found.predictions, silence),
        "Unscored": _unscored(found),
        "Model": _model(found),
    }
    present = {name: content for name, content in sections.items() if content}
    links = "".join(f'<a href="#{name.lower()}">{name}</a>' for name in present)
    without = "" if charts.can_draw() else " Charts are left out: matplotlib is not installed."
    footer = f"<footer>Written by halfsmile {__version__}.{without}</footer>"
    body = "\n".join([_header(found, links), *present.values(), footer])
    path = folder / FILES[2]
    with atomic_write(path) as temporary:
        title = f"{found.model.name} on {_data_name(found)}: expression recognition"
        temporary.write_text(page(title, body), encoding="utf-8")
    return path


def _header(found: ModelEvaluation, links: str) -> Html:
    metrics = found.metrics
    support = {label: scores["support"] for label, scores in metrics.per_class.items()}
    frequent = max(support, key=lambda label: support[label])
    lead = (
        f"The model names the expression on {percent(metrics.accuracy)} of {plural(metrics.count, 'face')} "
        f"as the annotators did. Always answering “{frequent}”, the most frequent class, would score "
        f"{percent(support[frequent] / metrics.count)}."
    )
    eyebrow = f"Expression recognition · a ready model on labeled data · {found.protocol.title}"
    title = f"{found.model.name} on {_data_name(found)}"
    return Html(
        f"<header>{paragraph(eyebrow, 'eyebrow')}<h1>{html(title)}</h1>"
        f"{paragraph(lead, 'lead')}<nav>{links}</nav></header>"
    )


def _data_name(found: ModelEvaluation) -> str:
    return found.data.resolve().name


def _result(found: ModelEvaluation) -> Html:
    cards = []
    for name, interval in found.intervals.items():
        note = f"95 % interval {percent_number(interval.low)} to {percent_number(interval.high)}"
        title = TITLES[name]
        cards.append(score_card(title[0].upper() + title[1:], interval.estimate, note))
    likelihood = f"negative log-likelihood {found.metrics.nll:.3f}"
    cards.append(score_card("Calibration error (ECE)", found.metrics.ece, likelihood))
    intervals = f"Bootstrap over the scored faces, {RESAMPLES:,} resamples."
    if found.protocol.is_video:
        intervals += f" {FRAMES_ALIKE}"
    measured = [
        ("Data", found.protocol.describe()),
        ("Rows", found.rows),
        ("Faces", found.faces.removeprefix("faces: ")),
        ("Classes", found.scoring()),
        ("Intervals", intervals),
    ]
    if found.not_scored():
        measured.append(("Not scored", " ".join(found.not_scored())))
    return section(
        "result",
        "How well it works on these data",
        grid(*cards, kind="four"),
        paragraph(
            "Accuracy counts every face alike; in balanced accuracy and macro F1 rare expressions count as "
            f"much as frequent ones. {SCORES_EXPLAINED}",
            "quiet",
        ),
        '<h3 class="apart">How this was measured</h3>',
        definitions(measured),
        f'<div class="callout">{paragraph(LIMITS)}</div>',
    )


def _mistakes(found: ModelEvaluation) -> bytes | None:
    shown = found.mistakes
    if shown is None:
        return None
    return encode_png(mistakes_grid(shown.crops, shown.truth, shown.answers, shown.confidence))


def _unscored(found: ModelEvaluation) -> Html | None:
    """The rows without a score, folded away."""
    if not found.no_face and not found.unreadable:
        return None
    parts = [paragraph(sentence) for sentence in found.not_scored()]
    if found.hint:
        parts.append(paragraph(found.hint))
    if found.no_face:
        summary = f"{plural(len(found.no_face), 'row')} whose face was not found"
        rows = [(_code(image),) for image in found.no_face[:LISTED]]
        parts.append(details(summary, table(("Picture",), rows, caption=_more(len(found.no_face)))))
    if found.unreadable:
        count = len(found.unreadable)
        bad = [(_code(image), reason) for image, reason in found.unreadable[:LISTED]]
        summary = f"{plural(count, 'picture')} that could not be read"
        parts.append(details(summary, table(("Picture", "Reason"), bad, caption=_more(count))))
    return section("unscored", "What has no score", *parts)


def _more(count: int) -> str:
    return f"The first {LISTED:,} of {count:,}; {FILES[0]} lists all." if count > LISTED else ""


def _model(found: ModelEvaluation) -> Html:
    facts = found.model
    crop = facts.preprocessing
    color = "gray" if crop.channels == 1 else "RGB"
    rows: list[tuple[object, object]] = [
        ("Name", facts.name),
        ("From", found.source),
        ("SHA-256", _code(found.sha256 or "not known")),
        ("Classes", ", ".join(facts.labels)),
        ("Sees", f"{crop.size} × {crop.size} pixels, {color}"),
        ("Temperature", f"{facts.temperature:.3f}"),
        ("Threshold", "none" if facts.threshold is None else f"{facts.threshold:.3f}"),
    ]
    if found.renames:
        pairs = ", ".join(f"{old} as {new or 'none (left out)'}" for old, new in found.renames.items())
        rows.append(("Labels read as", pairs))
    notes = "".join(f"<li>{html(note)}</li>" for note in found.notes)
    return section(
        "model",
        "The model and the data",
        definitions(rows),
        paragraph(facts.card),
        Html(f'<h3 class="apart">Notes on the data</h3><ul>{notes}</ul>') if notes else "",
    )


def _code(text: str) -> Html:
    return Html(f"<code>{html(text)}</code>")
