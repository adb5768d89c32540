"""What to ask next: rules that pick the faces whose answers would teach most, behind one interface.

==============  ==============================================================================================
``random``      any face; what the others are measured against
``margin``      least difference between the two most probable classes (Scheffer et al. 2001; Bahri et al.
2022,
                arXiv 2210.03822)
``entropy``     largest entropy of the probabilities (Shannon; Settles 2009, "Active Learning Literature
Survey") ``core-set``    farthest from all that was asked: greedy k-center (Sener & Savarese 2018, arXiv
1708.00489) ``badge``       k-means++ on gradients of the last layer (Ash et al. 2020, arXiv 1906.03671)
``diverse``     the default: least margin, spread by k-means++, see :func:`diverse`
``rare``        the same, rare classes before others, see :func:`rare`
==============  ==============================================================================================

A rule gets the faces that may be asked, and returns the positions of those to ask, in the order of asking.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]
Rows = npt.NDArray[np.int64]
DEFAULT = "diverse"
PREFILTER = 10
"""Two rules spread their picks among so many times as many of the best faces."""


@dataclass(frozen=True, eq=False)
class Situation:
    """What a rule knows.

    Args:
        probabilities: (M, K) of the faces that may be asked, calibrated.
        embeddings: (M, D) of the same faces, of either precision; distances between them, computed in single
            precision of those that a rule looks at, say how unlike they are.
        labeled: (L, D) embeddings of the faces that have been asked.
        counts: (K,), number of labels of each class so far.
    """

    probabilities: Floats
    embeddings: Halves | Floats
    labeled: Halves | Floats
    counts: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.probabilities)


Rule = Callable[[Situation, int, np.random.Generator], Rows]


def random(situation: Situation, count: int, rng: np.random.Generator) -> Rows:
    """Any faces."""
    return rng.permutation(len(situation))[:count].astype(np.int64)


def margin(situation: Situation, count: int, rng: np.random.Generator) -> Rows:
    """Those whose two best classes are closest: least p₁ − p₂."""
    return _best(-margins(situation.probabilities), count)


def entropy(situation: Situation, count: int, rng: np.random.Generator) -> Rows:
    """Those of the largest −Σ pₖ log pₖ."""
    return _best(entropies(situation.probabilities), count)


def core_set(situation: Situation, count: int, rng: np.random.Generator) -> Rows:
    """Each the farthest from all that were asked or picked (greedy k-center)."""
    points = situation.embeddings.astype(np.float32)
    nearest = np.full(len(points), np.inf, np.float32)
    for start in range(0, len(situation.labeled), 256):
        labeled = situation.labeled[start : start + 256].astype(np.float32)
        nearest = np.minimum(nearest, _squares(points, labeled).min(axis=1))
    picked: list[int] = []
    for _ in range(min(count, len(points))):
        best = int(nearest.argmax()) if picked or len(situation.labeled) else int(rng.integers(len(points)))
        picked.append(best)
        nearest = np.minimum(nearest, _squares(points, points[best : best + 1])[:, 0])
        nearest[picked] = -1
    return np.array(picked, np.int64)


def badge(situation: Situation, count: int, rng: np.random.Generator) -> Rows:
    """k-means++ over the gradients that each face would give if its most probable class were true."""
    errors = _errors(situation.probabilities)
    return _plus_plus(errors, situation.embeddings.astype(np.float32), count, rng)


def diverse(situation: Situation, count: int, rng: np.random.Generator) -> Rows:
    """Uncertain, and unlike each other.

    Among the ten times ``count`` faces of the least margin p₁ − p₂, k-means++ over the gradients of the last
    layer spreads the picks, as BADGE does over the whole pool; taking the least sure first keeps it from
    spending answers on what is sure (the two steps of Citovsky et al. 2021, "Batch Active Learning at Scale",
    arXiv 2107.14263, with BADGE's distance in place of clusters).

    Rare classes come first by themselves, since a head is least sure of what it has seen little of: among
    2,800 FERPlus faces it asked twice as many of fear and disgust as chance did. See :func:`rare` for more.
    """
    return _spread(situation, 1 - margins(situation.probabilities), count, rng)


def rare(situation: Situation, count: int, rng: np.random.Generator) -> Rows:
    """Uncertain, of rare classes, and unlike each other.

    As :func:`diverse`, with the score (1 − p₁ + p₂) · Σ pₖ wₖ: wₖ = (nₖ + 1)^(−1/2), divided by its mean, is
    large for classes with few labels (the class weights of Bengar et al. 2022, "Class-Balanced Active
    Learning for Image Classification", arXiv 2110.04543, softened by the root).
    """
    weights = 1 / np.sqrt(situation.counts + 1)
    rarity = situation.probabilities @ (weights / weights.mean()).astype(np.float32)
    return _spread(situation, (1 - margins(situation.probabilities)) * rarity, count, rng)


def _spread(situation: Situation, scores: Floats, count: int, rng: np.random.Generator) -> Rows:
    """Unlike ones among the faces of the best scores."""
    best = _best(scores, PREFILTER * count)
    errors = _errors(situation.probabilities[best])
    return best[_plus_plus(errors, situation.embeddings[best].astype(np.float32), count, rng)]


RULES: dict[str, Rule] = {
    DEFAULT: diverse,
    "rare": rare,
    "random": random,
    "margin": margin,
    "entropy": entropy,
    "badge": badge,
    "core-set": core_set,
}


def margins(probabilities: Floats) -> Floats:
    """Difference of the two largest probabilities of each row, (M,)."""
    top = np.partition(probabilities, -2, axis=1)[:, -2:]
    return np.asarray(top[:, 1] - top[:, 0], np.float32)


def entropies(probabilities: Floats) -> Floats:
    """Entropy of each row in nats, (M,)."""
    return np.asarray(-(probabilities * np.log(np.maximum(probabilities, 1e-12))).sum(axis=1), np.float32)


def _best(scores: Floats, count: int) -> Rows:
    """Positions of the largest scores, largest first; of equal ones the first."""
    count = min(count, len(scores))
    if count < len(scores):
        kept = np.sort(np.argpartition(-scores, count - 1)[:count]) if count else np.zeros(0, np.int64)
    else:
        kept = np.arange(len(scores))
    return np.asarray(kept[np.argsort(-scores[kept], kind="stable")], np.int64)


def _errors(probabilities: Floats) -> Floats:
    """Probabilities less 1 at the largest: with the embedding, the factors of the gradient, (M, K)."""
    errors = probabilities.copy()
    errors[np.arange(len(errors)), errors.argmax(axis=1)] -= 1
    return errors


def _plus_plus(errors: Floats, embeddings: Floats, count: int, rng: np.random.Generator) -> Rows:
    """k-means++ (Arthur & Vassilvitskii 2007) over products of errors and embeddings, never multiplied out.

    ‖a⊗x − b⊗y‖² = ‖a‖²‖x‖² + ‖b‖²‖y‖² − 2 (a·b)(x·y). The first pick is the longest gradient.
    """
    sizes = (errors**2).sum(axis=1) * (embeddings**2).sum(axis=1)
    nearest: npt.NDArray[Any] = np.full(len(sizes), np.inf)
    picked: list[int] = []
    for _ in range(min(count, len(sizes))):
        if picked:
            chances = nearest.clip(0)
            chances[picked] = 0
            total = chances.sum()
            if total <= 0:
                rest = np.setdiff1d(np.arange(len(sizes)), picked)
                picked += rest[: count - len(picked)].tolist()
                break
            best = int(rng.choice(len(sizes), p=chances / total))
        else:
            best = int(sizes.argmax())
        picked.append(best)
        inner = (errors @ errors[best]) * (embeddings @ embeddings[best])
        nearest = np.minimum(nearest, (sizes + sizes[best] - 2 * inner).astype(np.float64))
    return np.array(picked, np.int64)


def _squares(points: Floats, others: Floats) -> Floats:
    """Squared distances (M, L)."""
    found = (points**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)[None] - 2 * points @ others.T
    return np.asarray(found, np.float32)
