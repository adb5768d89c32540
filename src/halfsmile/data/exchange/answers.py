"""What a file of another program says: a name of each face and what people called it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from halfsmile.data.exchange.matching import is_address
from halfsmile.data.tables.labels import MISSING

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


def choose_fields(
    path: Path, values: Mapping[str, Sequence[str]], is_label: IsLabel, named: str | None
) -> tuple[str, ...]:
    """The fields of a table that hold labels: one, or one for each person where they are named so.

    Args:
        path: For messages.
        values: What each field holds.
        is_label: Whether a text is one of the labels.
        named: As for :func:`choose_field`, or several with commas between.

    Raises:
        ValueError: As of :func:`choose_field`, or if one is named twice.
    """
    if named is None or named in values or "," not in named:
        return (choose_field(path, values, is_label, named, may_be_several=True),)
    fields = tuple(choose_field(path, values, is_label, name.strip()) for name in named.split(","))
    if len(set(fields)) < len(fields):
        raise ValueError(f"--field {named} names a field twice, so one person would count twice.")
    return fields


def choose_field(
    path: Path,
    values: Mapping[str, Sequence[str]],
    is_label: IsLabel,
    field: str | None,
    *,
    may_be_several: bool = False,
) -> str:
    """The field that holds the labels.

    Args:
        path: For messages.
        values: What each field holds.
        is_label: Whether a text is one of the labels.
        field: As it was named.
        may_be_several: Whether all that fit could be named, as the answers of several people.

    Raises:
        ValueError: If the named one is not there, none holds labels, or several do.
    """
    if field is not None:
        if field not in values:
            raise ValueError(f"{path} has no field {field!r}; it has {_listed(values)}.")
        return field
    values = {name: labels_among(said, is_label) for name, said in values.items()}
    fitting = [name for name, said in values.items() if said and all(map(is_label, said))]
    partly = [name for name, said in values.items() if any(map(is_label, said))]
    for found in (fitting, partly, [name for name in values if values[name]]):
        preferred = [name for name in PREFERRED if name in found]
        if len(found) == 1 or preferred:
            return (preferred or found)[0]
        if found:
            all_of_them = f", or all of them if they are people's answers: --field {','.join(found)}"
            raise ValueError(
                f"{path} has several fields that may be the label: {_listed({n: values[n] for n in found})}. "
                f"Name it: --field NAME{all_of_them if may_be_several and found is fitting else ''}."
            )
    raise ValueError(f"{path} holds no label; its fields are {_listed(values)}.")


def texts(value: Any) -> list[str]:
    """The texts in a cell or field: a text, a list, or ``{"choices": […]}``, also as JSON in a text."""
    if isinstance(value, str):
        if value.lstrip().startswith(("{", "[")):
            try:
                return texts(json.loads(value))
            except (ValueError, RecursionError):
                return [value.strip()]
        return [value.strip()] if value.strip() else []
    if isinstance(value, Mapping):
        return [text for inner in value.values() if isinstance(inner, list) for text in texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in texts(inner)]
    return []


def labels_among(found: Iterable[str], is_label: IsLabel) -> list[str]:
    """Texts without those that say that there is no label, as ``-``, unless these are labels themselves."""
    return [text for text in found if text.casefold() not in MISSING or is_label(text)]


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
