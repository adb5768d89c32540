"""What is told of faces: one, a list by some order, a grid of similar ones, doubts and disputes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from halfsmile.label.learn.acquisition import entropies
from halfsmile.label.state import Answer, State
from halfsmile.metrics.agreement import cohen_kappa, krippendorff_alpha

if TYPE_CHECKING:
    from halfsmile.label.session import Labeling

ORDERS = ("order", "uncertainty", "disagreement", "doubt", "newest")
SHOWN_GUESSES = 8
NOT_A_FACE = "not_a_face"


def face_of(labeling: Labeling, row: int, why: str | None = None) -> dict[str, Any]:
    """What is known of a face: FACE of the HTTP interface.

    Args:
        labeling: The session; its guard is held.
        row: Of the pool.
        why: Why it is asked.
    """
    pool, state, learning = labeling.pool, labeling.state, labeling.learning
    label, missing = state.label(row), pool.missing_context(row)
    doubt = None if label is None else learning.doubts().get(row)
    return {
        "id": str(row),
        "image": f"/v1/faces/{row}/image",
        "context": f"/v1/faces/{row}/context" if missing is None else None,
        "context_missing": missing,
        "guess": learning.guess(row),
        "why": why,
        "is_random": labeling.asking.is_random(row),
        "person": pool.people[row],
        "answers": {name: _told(answer) for name, answer in state.by_face.get(row, {}).items()},
        "label": label,
        "doubt": None if doubt is None else 1 - doubt[1],
        "suggested": None if doubt is None else doubt[0],
        "disputed": state.is_disputed(row),
        "left_out": state.is_left_out(row),
    }


def _told(answer: Answer) -> dict[str, Any]:
    told: dict[str, Any] = {"kind": answer.kind, "labels": list(answer.votes), "time": answer.time}
    return told | ({"votes": dict(answer.votes)} if answer.kind == "votes" else {})


def faces(
    labeling: Labeling,
    *,
    label: str | None = None,
    guess: str | None = None,
    person: str | None = None,
    annotator: str | None = None,
    answered: bool | None = None,
    kind: str | None = None,
    disputed: bool | None = None,
    sort: str = "order",
    offset: int = 0,
    limit: int = 60,
) -> dict[str, Any]:
    """Faces that fit all that is asked, sorted, a page of them: ``total`` and ``faces``.

    Raises:
        ValueError: If the order is unknown.
    """
    if sort not in ORDERS:
        raise ValueError(f"Faces can't be sorted by {sort!r}; orders are {', '.join(ORDERS)}.")
    wanted = label, guess, person, annotator, answered, kind, disputed, sort
    with labeling.guard:
        learned = labeling.learning.learned
        key = wanted, labeling.state.changes, learned.number if learned else 0
        if labeling.last_list is None or labeling.last_list[0] != key:
            labeling.last_list = key, _chosen(labeling, *wanted)
        chosen = labeling.last_list[1]
        page = chosen[offset : offset + limit].tolist()
        return {"total": len(chosen), "faces": [face_of(labeling, row) for row in page]}


def _chosen(
    labeling: Labeling,
    label: str | None,
    guess: str | None,
    person: str | None,
    annotator: str | None,
    answered: bool | None,
    kind: str | None,
    disputed: bool | None,
    sort: str,
) -> npt.NDArray[np.int64]:
    """The rows of :func:`faces`, all of them, sorted."""
    state, pool, learning = labeling.state, labeling.pool, labeling.learning
    rows: Iterable[int] = range(len(pool))
    if answered or label or annotator or kind or disputed:
        rows = sorted(state.by_face)
    if answered is not None:
        rows = [row for row in rows if state.is_answered(row) == answered]
    if label is not None:
        rows = [row for row in rows if state.label(row) == label]
    if annotator is not None:
        rows = [row for row in rows if annotator in state.by_face.get(row, {})]
    if kind is not None:
        rows = [row for row in rows if any(a.kind == kind for a in state.by_face.get(row, {}).values())]
    if disputed is not None:
        rows = [row for row in rows if state.is_disputed(row) == disputed]
    if person is not None:
        rows = [row for row in rows if pool.people[row] == person]
    if guess is not None:
        guesses = learning.guessed(guess)
        rows = [row for row in rows if guesses[row]]
    return _sorted(labeling, np.fromiter(rows, np.int64), sort)


def _sorted(labeling: Labeling, rows: npt.NDArray[np.int64], sort: str) -> npt.NDArray[np.int64]:
    state, learning = labeling.state, labeling.learning
    if sort == "uncertainty":
        probabilities = learning.probabilities()
        keys = np.zeros(len(rows)) if probabilities is None else -entropies(probabilities[rows])
    elif sort == "doubt":
        doubts = learning.doubts()
        keys = _keys(rows, {row: confidence for row, (_, confidence) in doubts.items()}, otherwise=2.0)
    elif sort == "disagreement":
        keys = _keys(rows, {row: -_spread(state, row) for row in state.by_face})
    elif sort == "newest":
        newest = {
            row: -max(answer.seq for answer in answers.values()) for row, answers in state.by_face.items()
        }
        keys = _keys(rows, newest)
    else:
        return rows
    return rows[np.argsort(keys, kind="stable")]


def _keys(
    rows: npt.NDArray[np.int64], known: Mapping[int, float], otherwise: float = 0.0
) -> npt.NDArray[np.float64]:
    """What rows are sorted by, of which few have a key of their own."""
    found = np.full(int(rows.max(initial=0)) + 1, otherwise)
    for row, key in known.items():
        if row < len(found):
            found[row] = key
    return found[rows]


def _spread(state: State, row: int) -> float:
    """How far the answers about a face are from one class: 1 less the largest share of the votes."""
    votes = state.votes(row)
    if state.is_disputed(row) and not votes:
        return 1.0
    share = 1 - max(votes.values()) / sum(votes.values()) if votes else 0.0
    return share + state.is_disputed(row)


def grid(labeling: Labeling, *, guess: str | None = None, count: int = 40) -> dict[str, Any]:
    """Similar faces that are not answered and guessed to be of one class, the surest among them.

    The surest face, and those whose features are closest to it among the surest ten times as many. Faces of
    the random share are left out, since what is shown for a guess is no sample.
    """
    with labeling.guard:
        learning = labeling.learning
        rows = labeling.asking.open_rows()
        probabilities = learning.probabilities()
        names = learning.class_names()
        if probabilities is None or not len(rows):
            return {"guess": guess, "faces": []}
        best = probabilities[rows].argmax(axis=1)
        sure = probabilities[rows].max(axis=1)
        if guess is None:
            mass = [sure[best == k].sum() for k in range(len(names))]
            guess = names[int(np.argmax(mass))]
        if guess not in names:
            return {"guess": guess, "faces": []}
        k = names.index(guess)
        mine = rows[(best == k) & (sure > 0)]
        mine = mine[np.argsort(-probabilities[mine, k], kind="stable")][: 10 * count]
        chosen = learning.closest(mine, count)
        for row in chosen:
            labeling.asking.lease(row, "")
        return {"guess": guess, "faces": [face_of(labeling, row, f"like {guess}") for row in chosen]}


def doubted(labeling: Labeling, *, offset: int = 0, limit: int = 60) -> dict[str, Any]:
    """Faces whose label the model doubts, worst first."""
    with labeling.guard:
        doubts = labeling.learning.doubts()
        rows = sorted(doubts, key=lambda row: doubts[row][1])
        note = (
            "Labels that models contradict which did not learn from them; what you give again is kept."
            if labeling.learning.learned
            else "There is no model yet."
        )
        page = rows[offset : offset + limit]
        return {"total": len(rows), "faces": [face_of(labeling, row) for row in page], "note": note}


def disputed(labeling: Labeling, *, offset: int = 0, limit: int = 60) -> dict[str, Any]:
    """Faces that two people name differently."""
    found = faces(labeling, disputed=True, sort="disagreement", offset=offset, limit=limit)
    return found | {"note": "Faces that people name differently; one more answer may settle it."}


def agreement(labeling: Labeling) -> dict[str, Any]:
    """Cohen's kappa of each two people and of all pairs together, Krippendorff's alpha of all."""
    with labeling.guard:
        state = labeling.state
        units: list[dict[str, str]] = []
        for answers in state.by_face.values():
            said = {
                name: name_of
                for name, answer in answers.items()
                if (name_of := _named(state, answer)) is not None
            }
            if len(said) > 1:
                units.append(said)
    people = sorted({name for unit in units for name in unit})
    pairs: list[dict[str, Any]] = []
    for a, b in combinations(people, 2):
        both = [(unit[a], unit[b]) for unit in units if a in unit and b in unit]
        if both:
            pairs.append({"annotators": [a, b], "kappa": cohen_kappa(both), "faces": len(both)})
    weighed = [(pair["kappa"], pair["faces"]) for pair in pairs if pair["kappa"] is not None]
    total = sum(count for _, count in weighed)
    return {
        "kappa": sum(kappa * count for kappa, count in weighed) / total if total else None,
        "alpha": krippendorff_alpha([list(unit.values()) for unit in units]),
        "faces": len(units),
        "pairs": pairs,
    }


def _named(state: State, answer: Answer) -> str | None:
    """The one name that an answer comes to; None where it names nothing."""
    if answer.kind == NOT_A_FACE:
        return NOT_A_FACE
    labels = state.labels_of(answer) if answer.votes else {}
    return max(labels, key=lambda name: (labels[name], name)) if labels else None


def persons(pool_persons: Sequence[tuple[str, int]], limit: int = 200) -> dict[str, Any]:
    """People and how many faces each has, most first."""
    return {"persons": [{"name": name, "faces": count} for name, count in pool_persons[:limit]]}
