"""What a file of another program says: a name of each face and what people called it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from halfsmile.data.exchange.matching import is_address

PREFERRED = ("label", "expression", "choice")
NAMES = ("locator", "image", "file_upload")
"""Fields that say which face it is, the first that is there."""
_SHOWN = 6


@dataclass(frozen=True)
class Answer:
    """What one line, task or picture of a file says.

    Args:
        name: Of the face, as the file has it.
        labels: By one annotator or several; may be empty.
        votes: Distribution over the taxonomy, where the file has one.
        boxes: Boxes with a label in the picture, by one annotator: each is a face.
        others: What is said of it and is no label.
    """

    name: str
    labels: tuple[str, ...] = ()
    votes: tuple[float, ...] | None = None
    boxes: int = 0
    others: tuple[str, ...] = ()


IsLabel = Callable[[str], bool]


def choose_field(
    path: Path, values: Mapping[str, Sequence[str]], is_label: IsLabel, field: str | None
) -> str:
    """The field that holds the labels.

    Args:
        path: For messages.
        values: What each field holds.
        is_label: Whether a text is one of the labels.
        field: As it was named.

    Raises:
        ValueError: If the named one is not there, none holds labels, or several do.
    """
    if field is not None:
        if field not in values:
            raise ValueError(f"{path} has no field {field!r}; it has {_listed(values)}.")
        return field
    fitting = [name for name, said in values.items() if said and all(map(is_label, said))]
    partly = [name for name, said in values.items() if any(map(is_label, said))]
    for found in (fitting, partly, [name for name in values if values[name]]):
        preferred = [name for name in PREFERRED if name in found]
        if len(found) == 1 or preferred:
            return (preferred or found)[0]
        if found:
            raise ValueError(
                f"{path} has several fields that may be the label: {_listed({n: values[n] for n in found})}. "
                "Name it: --field NAME."
            )
    raise ValueError(f"{path} holds no label; its fields are {_listed(values)}.")


def texts(value: Any) -> list[str]:
    """The labels in a cell or field: a text, a list, or ``{"choices": […]}``, also as JSON in a text."""
    if isinstance(value, str):
        if value.lstrip().startswith(("{", "[")):
            try:
                return texts(json.loads(value))
            except (ValueError, RecursionError):
                return [value]
        return [value] if value else []
    if isinstance(value, Mapping):
        return [text for inner in value.values() if isinstance(inner, list) for text in texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in texts(inner)]
    return []


def name_in(fields: Mapping[str, Any]) -> str | None:
    """What says which face it is: the locator, the image, or the only field with an address."""
    for name in NAMES:
        if isinstance(fields.get(name), str) and fields[name]:
            return str(fields[name])
    found = [value for value in fields.values() if isinstance(value, str) and is_address(value)]
    return found[0] if len(found) == 1 else None


def _listed(values: Mapping[str, Iterable[str]]) -> str:
    said = [f"{name} ({', '.join(sorted(set(found))[:3]) or 'empty'})" for name, found in values.items()]
    return ", ".join(said[:_SHOWN]) + (" …" if len(said) > _SHOWN else "") or "none"
