"""Whether answers grow with a smile: probabilities and shares of votes beside its intensity."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from benchmarks.model_card.answers import SetAnswers
from benchmarks.real_faces import clean_frames

from halfsmile.metrics.intervals import wilson_interval
from halfsmile.predict.answers.votes import vote_shares
from halfsmile.predict.model_facts import ModelFacts
from halfsmile.utils.markdown import markdown_table

STEPS = ((0.0, 0.05), (0.05, 0.2), (0.6, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 1.0))
"""Of intensity, the upper end left out but for those of neutral and of full smiles; between 0.2 and 0.6 lie
transitions, which are in no set."""


def correlation(values: npt.NDArray[np.float64], intensity: npt.NDArray[np.float64]) -> float:
    """Pearson's, over all frames."""
    return float(np.corrcoef(values, intensity)[0, 1])


def in_words(answers: Mapping[str, SetAnswers], facts: ModelFacts, shared: Path) -> list[str]:
    """The section of the card; none without the sequences, or without votes."""
    found = answers.get("sequences")
    if found is None or found.rows is None or facts.vote_temperature is None:
        return []
    frames = clean_frames(shared)
    intensity = np.array([float(frames[row]["intensity"]) for row in found.rows])
    smile = facts.labels.index("happiness")
    probabilities = found.probabilities(facts.temperature)
    votes = np.array([shares for row in probabilities if (shares := vote_shares(row, facts)) is not None])
    sides = {"probability": probabilities[:, smile], "share of votes": votes[:, smile]}
    named = probabilities.argmax(axis=1) == smile
    rows = []
    for low, high in STEPS:
        within = (intensity >= low) & ((intensity < high) | (high in (0.2, 1.0)) & (intensity == high))
        if not within.any():
            continue
        least, most = wilson_interval(int(named[within].sum()), int(within.sum()))
        rows.append(
            [
                f"{low:g} to {high:g}",
                f"{within.sum():,}",
                f"{100 * named[within].mean():.1f} [{100 * least:.1f}, {100 * most:.1f}]",
                *(f"{values[within].mean():.2f}" for values in sides.values()),
            ]
        )
    told = ", ".join(f"{name} {correlation(values, intensity):.3f}" for name, values in sides.items())
    return [
        "### Votes and intensity",
        "",
        f"Frames of the made sequences by how much of the full smile they show; correlation with it: {told}. "
        "Intervals are as if frames were independent, and they are of 51 people.",
        "",
        markdown_table(
            ["intensity", "frames", "called happiness, %", *(f"mean {name}" for name in sides)], rows
        ),
        "",
    ]
