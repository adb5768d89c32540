"""Any field of a recipe by its name: ``finetune.epochs=10 semi.batch_size=32``, typed, checked, explained."""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
import types
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from halfsmile.methods.semi import Method
from halfsmile.recipes.changes.tuning import named_alignment, with_tune
from halfsmile.recipes.config import Recipe
from halfsmile.recipes.semi import with_semi

_FIXED = ("name", "preset")
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")


def override(recipe: Recipe, *settings: str) -> Recipe:
    """The same recipe with some fields replaced.

    Args:
        recipe: Any recipe.
        settings: ``stage.field=value``, deeper fields likewise. Numbers, words, true and false are written
            plainly, several numbers with commas between, ``none`` for what may be left out (``semi=none`` is
            a run without Stage III). ``semi.method=NAME`` brings that method's own hyper-parameters and must
            come before settings of them, as must ``tune=yes``, which adds a last fine-tuning.

    Raises:
        ValueError: If a field is unknown, with the nearest names, or a value does not fit it.

    Example:
        >>> from halfsmile.recipes.ssfer import ssfer
        >>> override(ssfer(), "finetune.epochs=10", "semi.method=freematch").finetune.epochs
        10.0
    """
    for text in settings:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise ValueError(
                f"Can't read the setting {text!r}: give stage.field=value, as in finetune.epochs=10."
            )
        if name == "semi.method":
            recipe = with_semi(recipe, method=value.strip())
        elif name == "tune" and value.strip().lower() in _TRUE:
            recipe = with_tune(recipe)
        else:
            before = recipe
            recipe = _replaced(recipe, name.split("."), value.strip(), name, recipe)
            recipe = _as_many_epochs_as_asked(recipe, before, settings)
            recipe = _tuned_alike(recipe, before, settings)
    return recipe


def _as_many_epochs_as_asked(recipe: Recipe, before: Recipe, settings: tuple[str, ...]) -> Recipe:
    """No least number of steps where other epochs were just set: who sets them means them."""
    for stage in ("finetune", "tune"):
        old, new = getattr(before, stage), getattr(recipe, stage)
        if old is None or new is None or old.epochs == new.epochs:
            continue
        if not any(text.strip().startswith(f"{stage}.least_steps") for text in settings):
            recipe = dataclasses.replace(recipe, **{stage: dataclasses.replace(new, least_steps=0)})
    return recipe


def _tuned_alike(recipe: Recipe, before: Recipe, settings: tuple[str, ...]) -> Recipe:
    """The last fine-tuning follows a change of Stage III, whose faces it learns, unless it is set itself.

    Without Stage III there is none that learns what Stage III said; after ``feedback`` classes are drawn as
    in that stage.
    """
    tune, old, new = recipe.tune, before.semi, recipe.semi
    if tune is None or old is None or old == new:
        return recipe
    if new is None:
        return dataclasses.replace(recipe, tune=None) if tune.named.batch_size else recipe
    set_itself = {text.partition("=")[0].strip() for text in settings}
    named = tune.named
    if named.unlabeled == old.unlabeled and "tune.named.unlabeled" not in set_itself:
        if named.alignment == named_alignment(old.unlabeled) and "tune.named.alignment" not in set_itself:
            named = dataclasses.replace(named, alignment=named_alignment(new.unlabeled))
        tune = dataclasses.replace(tune, named=dataclasses.replace(named, unlabeled=new.unlabeled))
    is_drawn_alike = new.method.name == "feedback" and new.sampling != old.sampling
    if is_drawn_alike and "tune.sampling" not in set_itself:
        tune = dataclasses.replace(tune, sampling=new.sampling)
    return dataclasses.replace(recipe, tune=tune)


def field_values(recipe: Recipe) -> list[tuple[str, str]]:
    """Dotted names and values of the fields that can be set, as :func:`override` reads them.

    A stage that a recipe lacks is ``none``.
    """
    return [
        (name, _text(value))
        for name, value in _fields(recipe)
        if (name not in _FIXED and not dataclasses.is_dataclass(value)) or name == "semi.method"
    ]


def field_meanings(recipe: Recipe) -> dict[str, str]:
    """Meaning by dotted name, in the order of :func:`field_values`.

    Fields that several parts of a recipe share, as those of every optimizer, are told where they stand first.

    Args:
        recipe: Any recipe.
    """
    told: set[tuple[type, str]] = set()
    found: dict[str, str] = {}

    def walk(value: Any, prefix: str) -> None:
        for field in dataclasses.fields(value):
            kind = next(
                (base for base in type(value).__mro__ if field.name in arguments_of(base)), type(value)
            )
            if (kind, field.name) not in told:
                told.add((kind, field.name))
                found[prefix + field.name] = arguments_of(kind).get(field.name, "")
            inner = getattr(value, field.name)
            if dataclasses.is_dataclass(inner):
                walk(inner, f"{prefix}{field.name}.")

    walk(recipe, "")
    return found


@cache
def arguments_of(kind: type) -> dict[str, str]:
    """The arguments that a class's docstring describes, each in one line.

    Example:
        >>> from halfsmile.recipes.config import FineTuneConfig
        >>> arguments_of(FineTuneConfig)["epochs"]
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


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(_text, value))
    return str(getattr(value, "name", value)) if dataclasses.is_dataclass(value) else str(value)


def _fields(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for field in dataclasses.fields(value):
        inner = getattr(value, field.name)
        yield prefix + field.name, inner
        if dataclasses.is_dataclass(inner):
            yield from _fields(inner, f"{prefix}{field.name}.")


def _replaced(value: Any, path: Sequence[str], text: str, name: str, recipe: Recipe) -> Any:
    first, *rest = path
    names = [field.name for field in dataclasses.fields(value)] if dataclasses.is_dataclass(value) else []
    if first not in names or name in _FIXED:
        raise ValueError(_unknown(name, recipe))
    inner = getattr(value, first)
    if rest:
        if inner is None:
            whole = name.rpartition(".")[0]
            hint = " Set tune=yes first, which brings its usual values." if first == "tune" else ""
            raise ValueError(f"The recipe {recipe.name} has no {whole}, so {name} can't be set.{hint}")
        new = _replaced(inner, rest, text, name, recipe)
    else:
        new = _parsed(get_type_hints(type(value))[first], text, name)
    return dataclasses.replace(value, **{first: new})


def _unknown(name: str, recipe: Recipe) -> str:
    known = [known for known, _ in _fields(recipe) if known not in _FIXED]
    last = name.rpartition(".")[2]
    same = [other for other in known if other.rpartition(".")[2] == last]
    near = list(dict.fromkeys([*get_close_matches(name, known, n=3), *same[:3]]))
    meant = f" Did you mean {' or '.join(near[:4])}?" if near else ""
    return (
        f"The recipe {recipe.name} has no field {name!r}.{meant} "
        "`halfsmile train … --dry-run` shows all fields."
    )


def _parsed(kind: Any, text: str, name: str) -> Any:
    """The value that a text stands for in a field of some type."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if text.lower() in ("none", "null"):
            if types.NoneType in parts:
                return None
            raise ValueError(f"{name} can't be left out; give a value.")
        kinds = [part for part in parts if part is not types.NoneType]
        return _parsed(kinds[0], text, name)
    if origin is Literal:
        return _one_of(parts, text, name)
    if origin is tuple:
        items = [item.strip() for item in text.strip("()[]").split(",") if item.strip()]
        inner = parts[0] if len(parts) == 2 and parts[1] is Ellipsis else None
        if inner is None and len(items) != len(parts):
            raise ValueError(f"{name} takes {len(parts)} values with commas between, found {text!r}.")
        kinds = [inner] * len(items) if inner is not None else list(parts)
        return tuple(_parsed(part, item, name) for part, item in zip(kinds, items, strict=True))
    if kind is bool:
        if text.lower() in (*_TRUE, *_FALSE):
            return text.lower() in _TRUE
        raise ValueError(f"{name} is true or false, found {text!r}.")
    if kind in (int, float):
        try:
            number = kind(text)
            if not math.isfinite(number):
                raise ValueError
            return number
        except (ValueError, OverflowError):
            what = "a whole number" if kind is int else "a number"
            raise ValueError(f"{name} is {what}, found {text!r}.") from None
    if kind is str:
        return text
    if kind is Method or dataclasses.is_dataclass(kind):
        raise ValueError(f"{name} has fields of its own; set one of them, as in {name}.field=value.")
    raise ValueError(f"{name} can't be set from the command line.")


def _one_of(choices: Sequence[Any], text: str, name: str) -> Any:
    for choice in choices:
        if str(choice) == text:
            return choice
    raise ValueError(f"{name} is one of {', '.join(map(str, choices))}; found {text!r}.")
