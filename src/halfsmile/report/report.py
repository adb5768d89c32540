"""The report of a run: one HTML file on what was trained on what, how well it works and where it fails.

Everything in it is read from the run folder; scores are recomputed from the stored predictions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from halfsmile import __version__
from halfsmile.data.protocols.protocol import Protocol
from halfsmile.data.protocols.published import published
from halfsmile.metrics.bootstrap import bootstrap_interval
from halfsmile.metrics.scores import SCORES_EXPLAINED, Metrics
from halfsmile.report.calibration import calibration_of
from halfsmile.report.scores import classes_section, confidence_section, mistakes_section, score_card
from halfsmile.report.sequences import sequences_section
from halfsmile.report.silence import silence_figure
from halfsmile.report.training import (
    RESAMPLES,
    SCORE_NAMES,
    SEED,
    curves_section,
    data_section,
    facemix_section,
    pseudo_label_section,
    reconstruction_section,
    stages_section,
)
from halfsmile.runs.finished import FinishedRun, read_run
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
)
from halfsmile.utils.percent import percent, percent_number

LIMITS = (
    "This model recognizes facial expressions: what a face shows, as annotators named it. It does not "
    "recognize what a person feels. The same face can go with different feelings, and the same feeling "
    "with different faces; do not base decisions about people on it."
)


def write_report(run_folder: Path) -> Path:
    """Write ``report.html`` into a finished run folder: one file that needs nothing else to be read.

    Args:
        run_folder: The folder that training wrote into. Sections whose material it lacks are left out.

    Returns:
        Path of the report.

    Raises:
        ValueError: If the folder is not a run or the run is unfinished; the message says what is missing.
    """
    run = read_run(run_folder)
    metrics = run.predictions.metrics()
    silence = silence_figure(run.predictions, run.calibration, last_stage=run.stages[-1].name)
    sections = {
        "Result": _result(run, metrics),
        "Data": data_section(run),
        "Stages": stages_section(run),
        "Pretraining": reconstruction_section(run),
        "FaceMix": facemix_section(run),
        "Pseudo-labels": pseudo_label_section(run),
        "Videos": sequences_section(run),
        "Classes": classes_section(metrics, labels_seen=run.counts("labeled")),
        "Mistakes": mistakes_section(run.picture("mistakes.png", "figures/mistakes.png")),
        "Confidence": confidence_section(metrics, run.predictions, silence, calibration=calibration_of(run)),
        "Curves": curves_section(run),
        "Recipe": _recipe(run),
    }
    present = {name: content for name, content in sections.items() if content}
    links = "".join(f'<a href="#{name.lower()}">{name}</a>' for name in present)
    footer = f"<footer>Written by halfsmile {__version__} from the files of the run folder.</footer>"
    body = "\n".join([_header(run, metrics, links), *present.values(), footer])
    path = run.path / "report.html"
    with atomic_write(path) as temporary:
        temporary.write_text(page(f"{run.name}: expression recognition", body), encoding="utf-8")
    return path


def _header(run: FinishedRun, metrics: Metrics, links: str) -> Html:
    material = [plural(_num_labels(run), "labeled face")]
    if pseudo := sum(run.counts("pseudo_labeled").values()):
        material.append(plural(pseudo, "pseudo-labeled face"))
    if run.stage("semi") and run.num_unlabeled:
        material.append(plural(run.num_unlabeled, "unlabeled face"))
    if run.stage("pretrain") and run.pretrain_images:
        material.append(f"{sum(run.pretrain_images.values()):,} for pretraining")
    joined = " and ".join([", ".join(material[:-1]), material[-1]] if len(material) > 1 else material)
    support = {label: scores["support"] for label, scores in metrics.per_class.items()}
    frequent = max(support, key=lambda label: support[label])
    lead = (
        f"Trained on {joined}, the model names the expression on {percent(metrics.accuracy)} of the "
        f"{metrics.count:,} test faces as the annotators did. Always answering “{frequent}”, the most "
        f"frequent class, would score {percent(support[frequent] / metrics.count)}."
    )
    preset = run.recipe.get("preset")
    eyebrow = [
        "Expression recognition",
        str(run.data.get("data_set", "")),
        f"preset {preset}" if preset else "",
    ]
    return Html(
        f"<header>{paragraph(' · '.join(part for part in eyebrow if part), 'eyebrow')}"
        f"<h1>{html(run.name)}</h1>{paragraph(lead, 'lead')}<nav>{links}</nav></header>"
    )


def _result(run: FinishedRun, metrics: Metrics) -> Html:
    cards = []
    for score, name in SCORE_NAMES.items():
        interval = bootstrap_interval(score, metrics.confusion, seed=SEED, resamples=RESAMPLES)
        note = f"95 % interval {percent_number(interval.low)} to {percent_number(interval.high)}"
        cards.append(score_card(name[0].upper() + name[1:], interval.estimate, note))
    cards.append(_calibration_card(run, metrics))

    budget = f"{plural(_num_labels(run), 'label')} train the model"
    own = sum(run.counts("temporal").values())
    budget += f" ({own:,} of them Stage IV alone)" if own else ""
    pseudo = sum(run.counts("pseudo_labeled").values())
    budget += f", and {plural(pseudo, 'pseudo-label')} of another model" if pseudo else ""
    held_out = sum(run.counts("held_out").values())
    budget += f", {held_out:,} more are held out to watch the training" if held_out else ""
    labels = run.recipe.get("labels")
    if isinstance(labels, str | int | float):
        budget = f"{labels}: {budget}"
    measured = [
        ("Protocol", run.data.get("protocol") or run.data.get("data_set", "not recorded")),
        *_published(run),
        ("Label rule", run.data.get("label_rule") or "as given"),
        ("Split", f"{metrics.count:,} faces, split {' and '.join(sorted(set(run.predictions.splits)))}"),
        ("Label budget", budget),
        ("Seed", run.recipe.get("seed", "not recorded")),
        *_started_from(run),
        ("Which weights", "Those of the last step, averaged over training. Test labels select nothing."),
        (
            "Intervals",
            f"Bootstrap over the test faces, {RESAMPLES:,} resamples. They tell what another test set of "
            "this size might give, not what another training seed would; for that, train more seeds and "
            "compare the runs."
            + (
                " Frames of one video are much alike, so the intervals are too narrow."
                if _videos(run)
                else ""
            ),
        ),
    ]
    return section(
        "result",
        "How well it works",
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


def _started_from(run: FinishedRun) -> list[tuple[str, str]]:
    """Weights from elsewhere that the run began with, which its numbers rest on."""
    init = run.recipe.get("init")
    if init is None:
        return []
    face = "dlib's face-recognition network (other people's identity labels)"
    return [("Started from", face if init == "face" else str(init))]


def _published(run: FinishedRun) -> list[tuple[str, str]]:
    """What others published for exactly this protocol and label budget."""
    value = run.recipe.get("protocol")
    if not value:
        return []
    protocol = Protocol(**{**value, "test_splits": tuple(value["test_splits"])})
    found = published(protocol, str(run.recipe.get("labels")))
    numbers = "; ".join(f"{number.method} {number.value:.2f} % ({number.source})" for number in found)
    return [("Published for the same", numbers)] if numbers else []


def _num_labels(run: FinishedRun) -> int:
    """Labels that trained any stage."""
    return sum(run.counts("labeled").values()) + sum(run.counts("temporal").values())


def _videos(run: FinishedRun) -> bool:
    return run.stage("temporal") is not None


def _calibration_card(run: FinishedRun, metrics: Metrics) -> str:
    note, found = f"negative log-likelihood {metrics.nll:.3f}", calibration_of(run)
    if found is None:
        return score_card("Calibration error (ECE)", metrics.ece, note)
    if "temperature" in found.errors:
        note += f"; of the exported model {percent(found.errors['temperature']['ece'])}"
    return score_card("ECE as trained, before temperature", metrics.ece, note)


def _recipe(run: FinishedRun) -> Html:
    plain = {k: v for k, v in run.recipe.items() if not isinstance(v, Mapping)}
    nested = {k: v for k, v in run.recipe.items() if isinstance(v, Mapping)}
    folded = [details("Recipe", definitions(_flat(plain)))]
    folded += [details(f"Recipe: {name}", definitions(_flat(values))) for name, values in nested.items()]
    if run.environment:
        folded.append(details("Environment", definitions(_flat(run.environment))))
    intro = "Everything that is needed to run this again, as recorded when training began."
    return section("recipe", "Recipe and environment", paragraph(intro, "quiet"), *folded)


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[object, object]]:
    """Dotted names and values as text of a nested mapping."""
    rows: list[tuple[object, object]] = []
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            rows += _flat(value, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value)))
    return rows
