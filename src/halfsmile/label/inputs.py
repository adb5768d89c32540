"""What comes into a session: faces of any kind, classes, answers from outside, labels that exist already."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from halfsmile.data.exchange.import_labels import UnknownLabelsError, import_labels
from halfsmile.data.manifest import Manifest
from halfsmile.data.readers.registry import recognize
from halfsmile.data.store.read import is_store
from halfsmile.label.names import AnswerError, require_class_names
from halfsmile.label.pool import Pool
from halfsmile.label.preparing import Preparing
from halfsmile.label.state import KINDS
from halfsmile.taxonomy import FERPLUS, from_labels

if TYPE_CHECKING:
    from halfsmile.label.parts import Parts

FACES_NAME = "faces"
"""Store of the faces that were cut out for labeling, below the folder of the answers."""
_CROPPED = ("ferplus", "rafdb", "affwild2", "store")
_MOST_VOTES = 1e6


def open_faces(
    path: Path, out: Path, *, aligned: bool | None, detector: str
) -> tuple[Pool | None, Preparing | None]:
    """The faces behind a path, or what will cut them out first.

    Raises:
        ValueError: If there is nothing.
    """
    if not path.exists():
        raise ValueError(
            f"{path} does not exist; give a folder, an archive, a video, a data set or a store of faces."
        )
    if is_store(path) or aligned or (aligned is None and _are_faces(path)):
        return Pool.open(path), None
    store = out / FACES_NAME
    preparing = Preparing(path, store, detector=detector)
    if preparing.is_finished:
        return Pool.open(store), None
    return None, preparing


def _are_faces(path: Path) -> bool:
    """Whether the layout tells that pictures are faces already."""
    try:
        return recognize(path).name in _CROPPED
    except ValueError:
        return False


def first_classes(pool: Pool) -> Sequence[str]:
    """The classes of the data, or the eight of FERPlus."""
    return (pool.manifest.taxonomy or FERPLUS).labels


def import_answers(labeling: Parts, path: Path) -> int:
    """Take labels that exist: of a file, or of the faces' own data where the path is theirs.

    The annotator is called like the file. What was imported before is not taken twice.

    Returns:
        Number of labels that were taken.

    Raises:
        ValueError: If the file can't be read, names none of these faces, or has a label that is no class.
    """
    if not path.exists():
        raise ValueError(f"--labels: {path} does not exist.")
    pool, state = labeling.pool, labeling.state
    if path.is_dir() or path.resolve() == pool.root.resolve():
        labeled = _own_labels(pool, path)
    else:
        bare = Manifest(pool.manifest.without_labels().table, pool.root, from_labels(state.classes))
        try:
            labeled = import_labels(bare, path)
        except UnknownLabelsError as error:
            raise ValueError(_what_to_start_with(path, state.classes, error.labels)) from error
    who = f"file {path.name}"[:60]
    names = labeled.taxonomy.labels if labeled.taxonomy else ()
    events: list[dict[str, Any]] = []
    for row, (label, votes) in enumerate(zip(labeled.column("label"), labeled.column("votes"), strict=True)):
        if label is None and votes is None:
            continue
        said: dict[str, Any] = {"kind": "label", "labels": [label]}
        if votes is not None:
            said = {"kind": "votes", "votes": {n: v for n, v in zip(names, votes, strict=True) if v > 0}}
        for name in said.get("votes", said.get("labels", ())):
            state.resolve(name)
        token = hashlib.sha256(f"{who} {row} {said}".encode()).hexdigest()[:32]
        if token not in state.tokens:
            image = pool.locators[row]
            events.append(
                {"event": "answer", "face": row, "image": image, "annotator": who, **said, "token": token}
            )
    if events:
        batch = labeling.journal.next_number
        labeling.record([{**event, "batch": batch} for event in events])
        labeling.mark([event["face"] for event in events])
    return len(events)


def _what_to_start_with(path: Path, classes: Sequence[str], labels: Sequence[str]) -> str:
    """What to do where a file has labels that are no classes, as it can be typed."""
    said = (
        f"{path} has the labels {', '.join(labels)}, which are no classes here; those are "
        f"{', '.join(classes)}."
    )
    every: dict[str, str] = {}
    for name in [*classes, *labels]:
        every.setdefault(name.casefold(), name)
    try:
        require_class_names(list(every.values()))
    except ValueError as error:
        return f"{said} {error} Rename it in the file."
    return (
        f"{said} Start with all of them, --classes {shlex.quote(','.join(every.values()))}, or, where faces "
        "were answered already, add them on the page first; what belongs together is merged there."
    )


def _own_labels(pool: Pool, path: Path) -> Manifest:
    if path.resolve() != pool.root.resolve() and pool.root.resolve() not in path.resolve().parents:
        raise ValueError(
            f"{path} is not the place of these faces ({pool.root}). Give a file of labels (a table, Label "
            "Studio, CVAT), or the path of the faces themselves."
        )
    if not any(pool.manifest.counts().values()):
        raise ValueError(f"{path} has no labels to start from; leave --labels away.")
    return pool.manifest


def checked_answer(labeling: Parts, annotator: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The event of an answer from outside.

    Raises:
        AnswerError: If it is malformed.
        UnknownFaceError: If there is no such face.
        UnknownClassError: If there is no such class.
    """
    row = labeling.row(str(given.get("face", "")))
    kind, token = given.get("kind"), given.get("token")
    if kind not in KINDS:
        raise AnswerError(f"The kind of an answer is one of {', '.join(KINDS)}, found {kind!r}.")
    if token is not None and (not isinstance(token, str) or not 0 < len(token) <= 100):
        raise AnswerError("A token has 1 to 100 letters.")
    event: dict[str, Any] = {
        "event": "answer",
        "face": row,
        "image": labeling.pool.locators[row],
        "annotator": annotator,
        "kind": kind,
    }
    if kind == "label":
        labels = list(dict.fromkeys(labeling.state.resolve(name) for name in given.get("labels") or ()))
        if not labels:
            raise AnswerError("An answer of the kind label has one or more `labels`.")
        event["labels"] = labels
    elif kind == "votes":
        event["votes"] = _checked_votes(labeling, given.get("votes") or {})
    if labeling.asking.is_random(row):
        event["random"] = True
    return event | ({"token": token} if token else {})


def _checked_votes(labeling: Parts, votes: Mapping[str, Any]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, weight in votes.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= _MOST_VOTES:
            raise AnswerError(
                f"Votes are numbers from 0 to {_MOST_VOTES:,.0f}, found {weight!r} for {name!r}."
            )
        if weight:
            now = labeling.state.resolve(name)
            found[now] = found.get(now, 0) + weight
    if not found:
        raise AnswerError("An answer of the kind votes has `votes` of which one is positive.")
    return found
