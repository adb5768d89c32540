"""The model card: what a model was made from, how good it is, and what it is not for (arXiv 1810.03993)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from halfsmile.evaluation.calibrate_run import Calibration
from halfsmile.evaluation.judge import NEVER
from halfsmile.export.gate import Parity
from halfsmile.export.latency import Latency
from halfsmile.predict.model_facts import ModelFacts
from halfsmile.utils.markdown import markdown_table
from halfsmile.utils.percent import percent_number

FEW_FACES = 200
USES = """\
**For** naming the visible expression of faces in photographs and videos: research, annotation, interfaces,
art.

**Not for** finding out what a person feels, thinks or intends: an expression is what a face shows, and the
two are often apart. Not for judging or deciding about people (hiring, schooling, policing, border control,
health, credit), and not for watching people who have not agreed. In workplaces and schools of the European
Union, inferring people's emotions is prohibited (Regulation 2024/1689, article 5).
"""


def short_card(labels: Sequence[str], facts: Mapping[str, Any], metrics: Mapping[str, Any], what: str) -> str:
    """A few sentences that travel inside the file.

    Args:
        labels: Classes.
        facts: The run's data.json.
        metrics: Scores on the test split.
        what: The recipe in words.
    """
    return (
        f"Names the visible expression of an aligned face: {', '.join(labels)}. {what}, data set "
        f"{facts['data_set']}. Test split ({metrics['count']:,} faces): "
        f"accuracy {percent_number(metrics['accuracy'])}%, "
        f"macro F1 {percent_number(metrics['macro_f1'])}%. It says what a face shows, not what a "
        "person feels; not for decisions about people."
    )


def card(
    facts: ModelFacts,
    *,
    data: Mapping[str, Any],
    calibration: Calibration,
    comparisons: Mapping[str, Parity],
    sizes: Mapping[str, int],
    latency: Sequence[Latency],
    processor: str,
) -> str:
    """The model card in Markdown.

    Args:
        facts: What the files say of themselves.
        data: The run's data.json.
        calibration: Temperature and thresholds.
        comparisons: What the gate found, by file.
        sizes: Bytes, by file.
        latency: Times, by file and batch size.
        processor: Where they were taken.
    """
    crop, metrics = facts.preprocessing, calibration.test["metrics"]
    colors = "gray" if crop.channels == 1 else "RGB"
    lines = [
        f"# {facts.name}",
        "",
        facts.card,
        "",
        f"Input: aligned faces, {crop.size} × {crop.size} pixels, {colors}, uint8; template "
        f"`{crop.template}`, scale {crop.scale:g}. Recipe: SHA-256 `{facts.recipe_sha256}`.",
        "",
        "## Use",
        "",
        USES,
        "## Data",
        "",
        *_data(data),
        "",
        "## How good it is",
        "",
        f"Test faces ({' and '.join(data['test_splits'])}): {metrics['count']:,}, each seen "
        f"{_looks(calibration)}. Accuracy {percent_number(metrics['accuracy'], 2)}%, "
        f"balanced accuracy {percent_number(metrics['balanced_accuracy'], 2)}%, "
        f"macro F1 {percent_number(metrics['macro_f1'], 2)}%. "
        "Differences between groups of people were not measured.",
        "",
        markdown_table(
            ["expression", "precision", "recall", "F1", "test faces"],
            [
                [
                    label,
                    *(f"{percent_number(s[score])}%" for score in ("precision", "recall", "f1")),
                    f"{s['support']:,}",
                ]
                for label, s in metrics["per_class"].items()
            ],
        ),
        "",
        "## How sure it is",
        "",
        *_certainty(calibration),
        "",
        "## Files",
        "",
        "Each gives the trained network's answers within the limits in gate.json. Times in milliseconds, one "
        f"thread, {processor}.",
        "",
        _files(comparisons, sizes, latency),
    ]
    return "\n".join(lines) + "\n"


def _looks(calibration: Calibration) -> str:
    if not calibration.mirror:
        return "once"
    closer = f", both also {calibration.zoom:.3g} times closer" if calibration.zoom > 1 else ""
    return f"with its mirror image{closer}"


def _data(data: Mapping[str, Any]) -> list[str]:
    rule = f", label rule {data['label_rule']}" if data.get("label_rule") else ""
    pseudo = sum((data.get("pseudo_labeled") or {}).values())
    known = data["unlabeled"] + sum(data["labeled"].values()) + pseudo
    elsewhere = sum(data["pretrain_images"].values()) - known
    named = f", {pseudo:,} faces labeled by another model" if pseudo else ""
    return [
        f"{data['data_set']}{rule}: {sum(data['labeled'].values()):,} labeled faces "
        f"({', '.join(f'{label} {count:,}' for label, count in data['labeled'].items())}), "
        f"{data['unlabeled']:,} of the training split without their labels{named}, "
        f"{max(0, elsewhere):,} unlabeled faces from other sources.",
        *(f"* {note}" for note in data["notes"]),
    ]


def _certainty(calibration: Calibration) -> list[str]:
    judged = calibration.test
    if calibration.source is None or calibration.threshold is None:
        return [
            "Not calibrated: the run has no labeled faces that trained nothing. Confidences are those of the "
            "network, and of no answer it is known whether it is certain."
        ]
    titles = {"before": "as trained", "temperature": "**exported**", "vector": "vector scaling"}
    few = ", which are few" if calibration.count < FEW_FACES else ""
    lines = [
        f"Calibrated on {calibration.count:,} faces that trained nothing ({calibration.source}{few}); "
        f"temperature {calibration.temperature:.3f}. On the test split:",
        "",
        markdown_table(
            ["probabilities", "NLL", "Brier", "ECE", "adaptive ECE", "class-wise ECE"],
            [
                [
                    titles[name],
                    *(f"{e[score]:.3f}" for score in ("nll", "brier", "ece", "adaptive", "classwise")),
                ]
                for name, e in judged["errors"].items()
            ],
        ),
        "",
    ]
    target = f"{percent_number(calibration.target_error, 0)}% wrong"
    if calibration.threshold >= NEVER:
        lines.append(f"No confidence leaves at most {target}, so every answer is marked as uncertain.")
    else:
        certain = judged["certain"]
        error = "none" if certain["error"] is None else f"{percent_number(certain['error'])}%"
        lines.append(
            f"Answers of confidence {calibration.threshold:.3f} or more count as certain, chosen for at most "
            f"{target}: {percent_number(certain['share'])}% of the test answers, {error} of them wrong."
        )
    if calibration.sets is not None:
        sets = judged["sets"]
        lines.append(
            f"The most probable expression and all of probability {calibration.sets.floor:.3f} or more make "
            f"a set meant to hold the true one in "
            f"{percent_number(calibration.sets.coverage, 0)}% of the cases: "
            f"{percent_number(sets['coverage'])}% on the test split, "
            f"with {sets['mean_size']:.1f} expressions on average. "
            f"This holds over all faces together and not for each expression{_least_held(sets)}."
        )
    if "votes" in judged:
        votes = judged["votes"]
        lines.append(
            f"Expected shares of votes (temperature {calibration.vote_temperature:.3f}): on the test split "
            f"they lie {percent_number(votes['mean_error'])} points from the true ones on average, "
            f"correlation {votes['correlation']:.3f}."
        )
    if "unlike" in judged:
        lines.append(
            f"Faces whose features have a norm below {calibration.feature_norm:.3f} are unlike those that "
            "it learned from, and answers about them uncertain: "
            f"{percent_number(judged['unlike'])}% of the test faces."
        )
    for name, scores in judged.get("priors", {}).items():
        lines.append(
            f"With `--prior {name}`: accuracy {percent_number(scores['accuracy'])}%, balanced accuracy "
            f"{percent_number(scores['balanced_accuracy'])}% on the test split."
        )
    return lines


def _least_held(sets: Mapping[str, Any]) -> str:
    held = {label: share for label, share in sets["per_class"].items() if share is not None}
    least = min(held, key=lambda label: held[label])
    return f": faces of {least} have it in their sets in {percent_number(held[least])}% of the cases"


def _files(comparisons: Mapping[str, Parity], sizes: Mapping[str, int], latency: Sequence[Latency]) -> str:
    batches = sorted({row.batch for row in latency})
    times = {(row.name, row.batch): row.median_ms for row in latency}
    header = ["file", "MB", "largest difference", "same expression", *(f"batch {batch}" for batch in batches)]
    rows = []
    for name, found in comparisons.items():
        cells = [f"{times[name, batch]:.2f}" if (name, batch) in times else "" for batch in batches]
        size = f"{sizes[name] / 1e6:.1f}"
        rows.append([name, size, f"{found.difference:.1e}", f"{percent_number(found.agreement, 2)}%", *cells])
    return markdown_table(header, rows)
