"""How well people agree who name the same things: Cohen's kappa of two, Krippendorff's alpha of more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence


def cohen_kappa(pairs: Iterable[tuple[Hashable, Hashable]]) -> float | None:
    """Agreement of two people beyond chance: (pₒ − pₑ) / (1 − pₑ) (Cohen 1960).

    Args:
        pairs: What the one and the other said, for each thing that both named.

    Returns:
        1 for full agreement, 0 for as much as by chance; None without pairs, or where chance alone would
        agree always.

    Example:
        >>> cohen_kappa([("a", "a")] * 20 + [("a", "b")] * 5 + [("b", "a")] * 10 + [("b", "b")] * 15)
        0.4
    """
    said = list(pairs)
    if not said:
        return None
    total = len(said)
    first, second = Counter(a for a, _ in said), Counter(b for _, b in said)
    observed = sum(a == b for a, b in said) * total
    expected = sum(first[name] * second[name] for name in first)
    if expected == total * total:
        return None
    return (observed - expected) / (total * total - expected)


def krippendorff_alpha(units: Iterable[Sequence[Hashable]]) -> float | None:
    """Agreement of any number of people on names, where not all name everything: 1 − Dₒ / Dₑ.

    Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", nominal metric. In the matrix of
    coincidences, each ordered pair of answers about a unit of m answers counts 1 / (m − 1).

    Args:
        units: The answers about each thing; those with fewer than two say nothing and are passed over.

    Returns:
        1 for full agreement, 0 for as much as by chance; None without two answers about a thing, or where all
        answers are the same.

    Example:
        >>> krippendorff_alpha([["a", "a"], ["b", "b"], ["a", "b"], ["b"]])
        0.4444444444444444
    """
    together: Counter[Hashable] = Counter()
    disagreeing = 0.0
    for answers in units:
        count = len(answers)
        if count < 2:
            continue
        found = Counter(answers)
        together.update(found)
        disagreeing += sum(n * (count - n) for n in found.values()) / (count - 1)
    total = sum(together.values())
    expected = sum(n * (total - n) for n in together.values())
    if expected == 0:
        return None
    return 1 - (total - 1) * disagreeing / expected
