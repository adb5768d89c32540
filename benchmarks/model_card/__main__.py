"""What the card says beyond FERPlus: priors, certainty, votes, formats, groups; one command for a new model.

    python -m benchmarks.model_card --shared ../shared/data --ferplus store --out runs/card \
        --card src/halfsmile/predict/models/CARD.md

It prints the sections and puts them into the card between its two marks. ``--recalibrated FILE`` also writes
the model with temperature, threshold and sets of the mixture. Answers are kept in ``--out``, by model.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import tyro
from benchmarks.model_card.answers import answers_of

from benchmarks.model_card import confidence, formats, groups, intensity, priors
from halfsmile.export.recalibrate import recalibrate
from halfsmile.predict.model import ExpressionModel, read_model
from halfsmile.utils.files import atomic_write

BEGIN, END = "<!-- measured by benchmarks.model_card -->", "<!-- end of what it measured -->"


@dataclass(frozen=True)
class Options:
    """What to measure.

    Args:
        shared: Folder with ``faces_lfw``, ``faces_utk``, ``sequences_london`` and ``demo``.
        ferplus: FERPlus as a prepared store or folder; without it its test splits are left out.
        model: ONNX file of an export; the model in the box by default.
        out: Folder for answers and for ``measured.md``.
        card: Card to put the sections into.
        recalibrated: Where to write the model with the mixture's temperature, threshold and sets.
        formats: Faces of LFW, and of UTKFace, that are given in other formats.
        groups: Faces of UTKFace that are seen in other views.
        date: Of the measurement; today by default.
    """

    shared: Path
    ferplus: Path | None = None
    model: Path | None = None
    out: Path = Path("runs/card")
    card: Path | None = None
    recalibrated: Path | None = None
    formats: int = 250
    groups: int = 3000
    date: str = ""


def run(options: Options) -> str:
    """Measure, print, and write what was asked for."""
    model = ExpressionModel.load(options.model, threads=1, device="cpu")
    cache = options.out / "answers"
    answers = answers_of(model, options.shared, options.ferplus, cache)
    views = groups.answer_views(model, options.shared, cache, options.groups)
    changes = formats.all_differences(model, options.shared, cache, options.formats)
    text = "\n".join(
        [
            f"Measured on {options.date or date.today().isoformat()} with `python -m benchmarks.model_card`, "
            f"model `{(model.sha256 or '')[:12]}`, other sets than FERPlus found by the detector.",
            "",
            *priors.in_words(answers, model.facts),
            *confidence.in_words(answers, model.facts),
            *intensity.in_words(answers, model.facts, options.shared),
            *formats.in_words(changes),
            *groups.in_words(views, model.labels, model.threshold),
        ]
    )
    with atomic_write(options.out / "measured.md") as temporary:
        temporary.write_text(text, encoding="utf-8")
    if options.card is not None:
        put_in(options.card, text)
    if options.recalibrated is not None:
        write_recalibrated(options.model, options.recalibrated, confidence.of_mixture(answers))
    return text


def put_in(card: Path, text: str) -> None:
    """Put the sections between the marks of a card.

    Raises:
        ValueError: If it lacks a mark.
    """
    whole = card.read_text(encoding="utf-8")
    before, begin, rest = whole.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{card} lacks the marks {BEGIN} and {END}, between which the sections go.")
    with atomic_write(card) as temporary:
        temporary.write_text(f"{before}{BEGIN}\n\n{text.strip()}\n\n{END}{after}", encoding="utf-8")


def write_recalibrated(model: Path | None, target: Path, found: confidence.Certainty) -> None:
    """The model with what the mixture chose."""
    data, _ = read_model(model)
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        file.write(data)
        file.flush()
        recalibrate(
            Path(file.name),
            target,
            temperature=found.temperature,
            threshold=found.threshold,
            target_error=confidence.TARGET,
            set_coverage=confidence.COVERAGE,
            set_floor=found.floor,
        )


if __name__ == "__main__":
    print(run(tyro.cli(Options, description=__doc__)))
