"""Names that people give: classes and their changes, rules, annotators."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from halfsmile.label.learn.acquisition import RULES
from halfsmile.taxonomy import TAXONOMIES

JOINER = "\u200d"
"""Joins signs into one, as in many emoji."""


class AnswerError(ValueError):
    """An answer that can't be taken; the message says why."""


def checked_change(
    known: Sequence[str],
    *,
    add: str | None = None,
    rename: tuple[str, str] | None = None,
    merge: tuple[str, str] | None = None,
) -> dict[str, Any]:
    """What the event of a change of the classes holds.

    Raises:
        ValueError: If not exactly one is asked for, a name is bad or taken, or a class is unknown.
    """
    if sum(part is not None for part in (add, rename, merge)) != 1:
        raise ValueError("Say one of add, rename and merge.")
    new = add if add is not None else rename[1] if rename else None
    if new is not None:
        new = unicodedata.normalize("NFC", new)
        require_class_names([new])
        if new.casefold() in {name.casefold() for name in known if not rename or name != rename[0]}:
            raise ValueError(f"There is a class {new!r} already; the classes are {', '.join(known)}.")
    for old in (rename[:1] if rename else merge) or ():
        if old not in known:
            raise ValueError(f"There is no class {old!r}; the classes are {', '.join(known)}.")
    if merge is not None and (merge[0] == merge[1] or len(known) < 3):
        raise ValueError("Merge two different classes, of three or more: two must be left.")
    if new is not None:
        return {"rename": [rename[0], new]} if rename else {"add": new}
    return {"merge": list(merge or ())}


def named_classes(classes: Sequence[str] | str | None) -> list[str] | None:
    """Classes by their names, or by the name of a taxonomy.

    Raises:
        ValueError: If there are fewer than two, one is there twice, or one can't be a name.
    """
    if classes is None:
        return None
    names = [part.strip() for part in classes.split(",")] if isinstance(classes, str) else list(classes)
    if len(names) == 1 and names[0] in TAXONOMIES:
        names = list(TAXONOMIES[names[0]].labels)
    names = [unicodedata.normalize("NFC", name) for name in names]
    require_class_names(names)
    if len(names) < 2 or len({name.casefold() for name in names}) < len(names):
        raise ValueError(
            f"Give two different classes or more (--classes calm,glad), or one of {', '.join(TAXONOMIES)}; "
            f"found {', '.join(names)}."
        )
    return names


def require_class_names(names: Sequence[str]) -> None:
    """Refuse names that can't be classes: they become columns and folders.

    Raises:
        ValueError: With the name.
    """
    for name in names:
        if (
            not 0 < len(name) <= 60
            or name != name.strip()
            or name.startswith(".")
            or any(c in '/\\:*?"<>|,' or not (c.isprintable() or c == JOINER) for c in name)
        ):
            raise ValueError(
                f"{name!r} can't be a class: names have 1 to 60 letters and signs, and become folders, "
                'so none of / \\ : * ? " < > | , and no point at the beginning.'
            )


def require_rule(rule: str) -> None:
    """Refuse a rule that isn't there.

    Raises:
        ValueError: With those that are.
    """
    if rule not in RULES:
        raise ValueError(f"There is no rule {rule!r}; there are {', '.join(RULES)}.")


def checked_name(annotator: str, known: Iterable[str] = ()) -> str:
    """The name of an annotator, its letters composed (Unicode's NFC).

    Args:
        annotator: As it was given.
        known: Those who have answered.

    Raises:
        AnswerError: If it can't be one, or is one of those in another spelling: the same person would count
            as two, who agree with each other.
    """
    name = unicodedata.normalize("NFC", annotator)
    if not 0 < len(name) <= 60 or not name.isprintable() or name != name.strip():
        raise AnswerError(f"A name has 1 to 60 letters and signs, found {annotator[:80]!r}.")
    known = list(known)
    if name not in known:
        for other in known:
            if other.casefold() == name.casefold():
                raise AnswerError(f"{other} has answered here already: write the name so, or another one.")
    return name
