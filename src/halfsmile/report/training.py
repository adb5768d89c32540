"""Sections of the report on training: the data, the stages, and what can be seen of each stage at work."""

from __future__ import annotations

from typing import Final

from halfsmile.metrics.bootstrap import Interval, Statistic, bootstrap_interval, paired_bootstrap
from halfsmile.report import charts
from halfsmile.runs.finished import FinishedRun
from halfsmile.runs.predictions import Predictions
from halfsmile.runs.stages import better_line, better_stages, setbacks
from halfsmile.utils.page import (
    Html,
    definitions,
    details,
    duration,
    figure,
    grid,
    html,
    paragraph,
    picture,
    plural,
    section,
    table,
)
from halfsmile.utils.percent import percent

SCORE_NAMES: Final[dict[Statistic, str]] = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
}
RESAMPLES = 1000
SEED = 0


def data_section(run: FinishedRun) -> Html:
    """Classes and amounts, the reader's notes, images that could not be read."""
    roles = ("labeled", "pseudo_labeled", "held_out", "temporal", "test")
    parts = {part.replace("pseudo_", "pseudo-").replace("_", " "): run.counts(part) for part in roles}
    parts = {part: counts for part, counts in parts.items() if sum(counts.values())}
    amounts: list[tuple[object, object]] = [
        (f"Faces, {part}", f"{sum(counts.values()):,}") for part, counts in parts.items()
    ]
    amounts.append(("Faces, unlabeled", f"{run.num_unlabeled:,}"))
    for found in run.data.get("pseudo_labels") or ():
        sure = (
            f", from a confidence of {found['threshold']:.3f}" if found.get("threshold") is not None else ""
        )
        by = f"by {found['model']}{sure}" if found.get("model") else "as listed"
        amounts.append((f"Pseudo-labels, {found['path']}", f"{found['faces']:,}, {by}"))
    if any(stage.name == "pretrain" for stage in run.stages):
        amounts += [(f"Pretraining, {source}", f"{count:,}") for source, count in run.pretrain_images.items()]
    if run.data.get("fingerprint"):
        amounts.append(("Fingerprint", Html(f"<code>{html(str(run.data['fingerprint'])[:16])}</code>")))
    beside = str(definitions(amounts, short=True))
    if notes := run.data.get("notes"):
        items = "".join(f"<li>{html(note)}</li>" for note in notes)
        beside += f'<h3 class="apart">Notes</h3><ul>{items}</ul>'
    cards = [figure(charts.class_bars(run.taxonomy.labels, parts), heading="Classes")] if parts else []

    bad = run.data.get("bad_images") or []
    unread: Html = paragraph("Every image could be read.", "quiet")
    if bad:
        rows = [(Html(f"<code>{html(image)}</code>"), reason) for image, reason in bad]
        summary = f"{plural(len(bad), 'image')} could not be read and took no part"
        unread = details(summary, table(("Image", "Reason"), rows))
    return section("data", "What it learned from", grid(*cards, beside), unread)


def stages_section(run: FinishedRun) -> Html:
    """Cost and test scores of every stage, and what it gained over the stage before."""
    rows = []
    intervals: dict[str, list[Interval]] = {name: [] for name in SCORE_NAMES.values()}
    evaluated: list[str] = []
    previous: Predictions | None = None
    for stage in run.stages:
        scores = ["", "", "", ""]
        if stage.predictions is not None:
            confusion = stage.predictions.metrics().confusion
            for i, (score, name) in enumerate(SCORE_NAMES.items()):
                interval = bootstrap_interval(score, confusion, seed=SEED, resamples=RESAMPLES)
                intervals[name].append(interval)
                scores[i] = percent(interval.estimate)
            scores[-1] = _gain(stage.predictions, previous)
            previous = stage.predictions
            evaluated.append(stage.title)
        result = stage.result
        rows.append(
            (
                stage.title,
                f"{result.get('images', 0):,}",
                f"{result.get('epochs', 0):g}",
                f"{result.get('steps', 0):,}",
                duration(float(result.get("seconds", 0))),
                *scores,
            )
        )
    total = duration(sum(float(stage.result.get("seconds", 0)) for stage in run.stages))
    last = run.stages[-1].result
    networks = [stage.result.get("parameters", 0) for stage in run.stages if stage.name != "temporal"][-1:]
    networks += [stage.result.get("parameters", 0) for stage in run.stages if stage.name == "temporal"]
    caption = f"{total} in all; {sum(networks):,} parameters, {last.get('precision', 'float32')}."
    if len(evaluated) > 1:
        caption += (
            " Gain: points of accuracy over the stage before on the same faces, with its 95 % paired "
            "bootstrap interval."
        )
    scores_held_out = run.validation()
    classifying = [stage.name for stage in run.stages if stage.name in scores_held_out]
    if classifying and (better := better_stages(classifying[-1], scores_held_out)):
        faces = f"the {sum(run.counts('held_out').values()):,} held-out faces"
        caption += f" {better_line(classifying[-1], better, scores_held_out, faces)}."
    header = ("Stage", "Faces", "Epochs", "Steps", "Time", "Accuracy", "Balanced", "Macro F1", "Gain")
    titles = [(html(stage.title), stage.purpose) for stage in run.stages]
    purposes = "".join(f"<h3>{title}</h3>{paragraph(purpose)}" for title, purpose in titles)
    cards = [purposes]
    lower = [paragraph(sentence) for sentence in setbacks(_scores(run))]
    if len(evaluated) > 1:
        chart = charts.stage_bars(evaluated, intervals)
        cards.insert(0, figure(chart, "Lines: 95 % bootstrap intervals.", "Test scores"))
    numbers = table(header, rows, caption=caption)
    return section("stages", "What each stage added", numbers, *lower, grid(*cards))


def reconstruction_section(run: FinishedRun) -> Html | None:
    """Faces painted by the masked autoencoder, where the run pretrained one."""
    path = run.picture("pretrain/figures/reconstructions.png")
    if path is None:
        return None
    text = (
        "Before it sees any label, the network learns what faces look like: many patches of a face are "
        "hidden and it paints them from the few that remain (masked autoencoder, He et al. 2022, "
        "arXiv 2111.06377). The blurrier the guess, the less the visible patches told."
    )
    shown = figure(picture(path, "Faces, what the model saw of them, and its reconstructions"))
    return section("pretraining", "Learning faces without labels", paragraph(text), shown)


def facemix_section(run: FinishedRun) -> Html | None:
    """Pairs of faces, their mixes and weights, where the run used FaceMix."""
    path = run.picture("finetune/figures/facemix.png")
    if path is None or run.recipe.get("finetune", {}).get("mixing", "facemix") != "facemix":
        return None
    text = (
        "FaceMix blends two labeled faces and their labels. Where the two face boxes overlap well, the "
        "blend is a sensible face; where they do not, it is a muddle. So the two real faces enter the "
        "loss as well, with a weight that grows as the overlap (IoU) of their boxes shrinks "
        "(SSFER, arXiv 2410.17622)."
    )
    shown = figure(picture(path, "Pairs of faces with their boxes, and their blends"))
    return section("facemix", "Making the few labels go further", paragraph(text), shown)


def pseudo_label_section(run: FinishedRun) -> Html | None:
    """How many pseudo-labels were accepted over time and how many of them were right."""
    stage = run.stage("semi")
    if stage is None or not stage.has("acceptance"):
        return None
    overall = {"accepted": stage.series("acceptance")}
    if stage.has("precision"):
        overall["right, of those accepted"] = stage.series("precision")
    names = {"acceptance": "accepted", "precision": "right", "share": "share of all accepted"}
    panels = {
        label: {
            name: stage.series(f"{key}/{label}") for key, name in names.items() if stage.has(f"{key}/{label}")
        }
        for label in run.taxonomy.labels
    }
    text = (
        "A teacher names the expressions of the unlabeled faces. Only labels that it is sure of are "
        "accepted and taught to the student. Good training accepts more and more while what it accepts "
        "stays right, in the rare classes too."
    )
    title = "Pseudo-labels: how many, how right"
    if not (overall["accepted"][1] > 0).any():
        none = "None was accepted in this run: the teacher was sure enough of no face."
        return section("pseudo-labels", title, paragraph(text), paragraph(none))
    measured = "Whether they are right is measured on labeled faces that are held out of training."
    chart = charts.curve("Pseudo-labels over time", overall, percent=True, smooth=True, size=(4.8, 3.9))
    cards = [figure(chart, measured if stage.has("precision") else "", "All classes")]
    if any(panels.values()):
        chart = charts.class_curves(run.taxonomy.labels, panels, filled=names["share"])
        cards.append(figure(chart, "In %. Gaps: nothing accepted.", "By class"))
    return section("pseudo-labels", title, paragraph(text), grid(*cards))


def curves_section(run: FinishedRun) -> Html | None:
    """Loss, learning rate and held-out scores of every stage."""
    blocks = []
    for stage in run.stages:
        title, cards = stage.title, []
        if stage.has("loss"):
            chart = charts.curve(f"{title}: loss", {"loss": stage.series("loss")}, smooth=True)
            cards.append(figure(chart, heading="Loss"))
        if stage.has("learning_rate"):
            chart = charts.curve(f"{title}: learning rate", {"rate": stage.series("learning_rate")})
            cards.append(figure(chart, heading="Learning rate"))
        held_out = {
            name: stage.series(f"held_out/{score}")
            for score, name in SCORE_NAMES.items()
            if stage.has(f"held_out/{score}")
        }
        if held_out:
            chart = charts.curve(f"{title}: held-out faces", held_out, percent=True)
            cards.append(figure(chart, heading="Held-out faces"))
        if cards or stage.note:
            note = paragraph(stage.note, "quiet") if stage.note else ""
            blocks.append(f'<h3 class="apart">{html(title)}</h3>' + grid(*cards, kind="three") + note)
    return section("curves", "Training curves", *blocks) if blocks else None


def _scores(run: FinishedRun) -> dict[str, dict[str, float]]:
    """Scores of the stages that were tested on the same faces as the last one."""
    tested = [(stage.title, stage.predictions) for stage in run.stages if stage.predictions is not None]
    return {
        title: predictions.metrics().shares
        for title, predictions in tested
        if predictions.images == tested[-1][1].images
    }


def _gain(predictions: Predictions, previous: Predictions | None) -> str:
    """Paired difference in accuracy to the stage before, in points, if both saw the same test faces."""
    if previous is None or predictions.images != previous.images:
        return ""
    gain = paired_bootstrap(
        predictions.predicted,
        previous.predicted,
        predictions.targets,
        num_classes=len(predictions.taxonomy),
        seed=SEED,
        resamples=RESAMPLES,
    )
    return gain.text
