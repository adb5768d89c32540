"""What the fields of a recipe mean, as the docstrings of their classes say."""

from __future__ import annotations

import dataclasses
import inspect
import re
from functools import cache
from typing import Any

from halfsmile.recipes.config import Recipe


def field_meanings(recipe: Recipe) -> dict[str, str]:
    """Meaning by dotted name, in the order of :func:`~halfsmile.recipes.overrides.field_values`.

    Fields that several parts of a recipe share, as those of every optimizer, are told where they stand first.

    Args:
        recipe: Any recipe.
    """
    told: set[tuple[type, str]] = set()
    found: dict[str, str] = {}

    def walk(value: Any, prefix: str) -> None:
        for field in dataclasses.fields(value):
            kind = next((base for base in type(value).__mro__ if field.name in arguments(base)), type(value))
            if (kind, field.name) not in told:
                told.add((kind, field.name))
                found[prefix + field.name] = arguments(kind).get(field.name, "")
            inner = getattr(value, field.name)
            if dataclasses.is_dataclass(inner):
                walk(inner, f"{prefix}{field.name}.")

    walk(recipe, "")
    return found


@cache
def arguments(kind: type) -> dict[str, str]:
    """The arguments that a class's docstring describes, each in one line.

    Example:
        >>> from halfsmile.recipes.config import FineTuneConfig
        >>> arguments(FineTuneConfig)["epochs"]
        'Passes over the labeled faces.'
    """
    text = inspect.cleandoc(kind.__doc__ or "")
    described = re.split(r"^(?:Args|Attributes):\n", text, maxsplit=1, flags=re.MULTILINE)[-1]
    found: dict[str, str] = {}
    name = ""
    for line in described.splitlines():
        if line and not line.startswith(" "):
            break
        start = re.match(r" {4}(\w+)(?: \([^)]*\))?:(.*)", line)
        if start:
            name, line = start[1], start[2]
        if name:
            found[name] = f"{found.get(name, '')} {line.strip()}".strip()
    return {name: _plain(said) for name, said in found.items()}


def _plain(text: str) -> str:
    """Without marks, and with ``none`` as ``--set`` takes it."""
    return re.sub(r"\b(?:None|null)\b", "none", re.sub(r":\w+:`~?([^`]*)`", r"\1", text)).replace("`", "")
