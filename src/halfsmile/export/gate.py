"""The gate: an exported file gives the same answers as the trained network, or it is not published.

The reference is the network itself in torch, with the pixels, labels and temperature that training and
calibration used. The file is asked for the same faces in batches of changing size, as its user would ask it;
fewer faces than that takes are asked again, and the worst answer to each counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from halfsmile.predict.model import Crops, Prediction
from halfsmile.predict.model_facts import ModelFacts
from halfsmile.utils.percent import percent_number

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]
BATCHES = (1, 2, 7, 64)
"""Batch sizes that the file is asked in, one after another; the last one until the faces are used up."""

ALWAYS = BATCHES[:3]
"""Those that it is asked in however few faces there are."""


class GateError(ValueError):
    """An exported file that does not answer as the trained network does."""


@dataclass(frozen=True, kw_only=True)
class ParityLimits:
    """What a file may differ by.

    Args:
        difference: Largest difference of a probability, over all faces and classes.
        mean_difference: Mean over the faces of the largest difference of a probability.
        agreement: Least share of faces with the same most probable class. A class that the network gives no
            more than 0.0001 less than its first choice counts as the same.
        accuracy_drop: Largest loss of accuracy, as a share of the labeled faces; one face is always allowed.
    """

    difference: float
    mean_difference: float
    agreement: float
    accuracy_drop: float


EXACT = ParityLimits(difference=1e-4, mean_difference=1e-5, agreement=1.0, accuracy_drop=0.0)
"""For 32-bit files: nothing but another order of sums."""

QUANTIZED = ParityLimits(difference=0.25, mean_difference=0.03, agreement=0.96, accuracy_drop=0.01)
"""For 8-bit files."""


@dataclass(frozen=True, kw_only=True)
class Parity:
    """How a file's answers differ from the network's.

    Args:
        count: Faces.
        difference: See :class:`ParityLimits`; so are the next two.
        mean_difference: See there.
        agreement: See there.
        accuracy: Of the file; None without labels.
        reference_accuracy: Of the network; None without labels.
    """

    count: int
    difference: float
    mean_difference: float
    agreement: float
    accuracy: float | None
    reference_accuracy: float | None

    def violations(self, limits: ParityLimits) -> list[str]:
        """What is outside the limits, in words; empty if the file passes."""
        found = []
        if not self.difference <= limits.difference:
            found.append(
                f"the largest difference of a probability is {self.difference:.2g} "
                f"(limit {limits.difference:g})"
            )
        if not self.mean_difference <= limits.mean_difference:
            found.append(
                f"the mean difference is {self.mean_difference:.2g} (limit {limits.mean_difference:g})"
            )
        if not self.agreement >= limits.agreement:
            found.append(
                f"{percent_number(self.agreement, 2)}% of the faces get the same expression "
                f"(limit {percent_number(limits.agreement, 2)}%)"
            )
        if self.accuracy is not None and self.reference_accuracy is not None:
            drop = self.reference_accuracy - self.accuracy
            if drop > max(limits.accuracy_drop, 1.001 / self.count):
                found.append(
                    f"accuracy falls from {percent_number(self.reference_accuracy, 2)}% "
                    f"to {percent_number(self.accuracy, 2)}% "
                    f"(limit {100 * limits.accuracy_drop:g} points)"
                )
        return found


def compare(
    reference: FloatArray, found: FloatArray, targets: IntArray | None = None, *, limits: ParityLimits
) -> Parity:
    """Compare a file's probabilities with the network's.

    Args:
        reference: (N, classes), of the network.
        found: (N, classes), of the file.
        targets: (N,) class indices, if the faces are labeled.
        limits: Its ``difference``, and at most 0.0001, decides which of the network's classes are as good as
            tied.

    Raises:
        GateError: If the shapes differ, there is no face, or the file's values are no probabilities.
    """
    if found.shape != reference.shape or not len(reference):
        raise GateError(f"The file gives {found.shape} probabilities, expected {reference.shape}.")
    sums = found.sum(axis=1)
    if not (np.isfinite(found).all() and (found >= 0).all() and np.allclose(sums, 1, atol=1e-3)):
        raise GateError(
            f"The file's values are no probabilities: rows sum to {sums.min():.4g} to {sums.max():.4g}."
        )
    gaps = np.abs(found - reference).max(axis=1)
    rows, chosen = np.arange(len(reference)), found.argmax(axis=1)
    same = reference[rows, chosen] >= reference.max(axis=1) - min(limits.difference, EXACT.difference)
    accuracy = accuracy_before = None
    if targets is not None:
        accuracy = float((chosen == targets).mean())
        accuracy_before = float((reference.argmax(axis=1) == targets).mean())
    return Parity(
        count=len(reference),
        difference=float(gaps.max()),
        mean_difference=float(gaps.mean()),
        agreement=float(same.mean()),
        accuracy=accuracy,
        reference_accuracy=accuracy_before,
    )


class ExportedModel(Protocol):
    """A loaded file."""

    @property
    def facts(self) -> ModelFacts:
        """What it says of itself."""

    def predict(self, crops: Crops) -> Prediction:
        """Its answers for faces (N, S, S, C) uint8."""


def require(
    name: str,
    exported: ExportedModel,
    *,
    images: Crops,
    reference: FloatArray,
    labels: Sequence[str],
    targets: IntArray | None = None,
    limits: ParityLimits,
) -> Parity:
    """Pass a file through the gate.

    Args:
        name: What to call the file.
        exported: The loaded file.
        images: (N, S, S, C) uint8.
        reference: (N, classes) probabilities of the network.
        labels: The network's classes, in order.
        targets: (N,) class indices, if the faces are labeled.
        limits: What the file may differ by.

    Raises:
        GateError: If it names other classes or differs by more; the message says by how much.
    """
    if exported.facts.labels != tuple(labels):
        raise GateError(
            f"{name} names the classes {list(exported.facts.labels)}, the network's are {list(labels)}. "
            "Nothing was published."
        )
    if not len(images):
        raise GateError(
            f"{name} can't be compared with the network: there is no face. Nothing was published."
        )
    sizes = batch_sizes(len(images))
    rows = np.arange(sum(sizes)) % len(images)
    parts = np.split(rows, np.cumsum(sizes)[:-1])
    found = np.concatenate([exported.predict(images[part]).probabilities for part in parts])
    result = compare(reference, _worst(found, reference, rows), targets, limits=limits)
    violations = result.violations(limits)
    if violations:
        raise GateError(
            f"{name} does not answer as the trained network does on {result.count:,} faces: "
            f"{'; '.join(violations)}. Nothing was published."
        )
    return result


def batch_sizes(count: int) -> list[int]:
    """Sizes of the batches that so many faces are asked in; few faces are asked more than once."""
    sizes = list(ALWAYS)
    while sum(sizes) < count:
        sizes.append(min(BATCHES[-1], count - sum(sizes)))
    return sizes


def _worst(found: FloatArray, reference: FloatArray, rows: IntArray) -> FloatArray:
    """Of the answers to each face, the one farthest from the network's.

    Args:
        found: (M, classes), of the file.
        reference: (N, classes), of the network.
        rows: (M,) which of the N faces was asked.
    """
    if found.shape != (len(rows), *reference.shape[1:]):
        return found  # which is refused as it is
    answers = np.abs(found - reference[rows]).max(axis=1).argsort()
    chosen = np.empty(len(reference), np.intp)
    chosen[rows[answers]] = answers  # the last one, of the largest difference, stays
    return found[chosen]
