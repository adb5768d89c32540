"""The training methods by name: which there are, what they were called, and what each one's help explains."""

from __future__ import annotations

import importlib.util
import textwrap
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated

import tyro

from halfsmile.utils.console import make_console

METHOD_NAMES = (
    "supervised",
    "ssfer",
    "abaw6",
    "temporal",
    "fixmatch",
    "freematch",
    "softmatch",
    "debias",
    "ada-cm",
    "mean-teacher",
    "feedback",
    "noisy-student",
    "soft-targets",
    "student",
    "default-model",
)
Method = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="{" + ",".join(METHOD_NAMES) + "}")]

RENAMED = {
    "ssfer-ferplus": "ssfer",
    "supervised-ferplus": "supervised",
    "ssfer-folders": "ssfer",
    "supervised-folders": "supervised",
    "semi-ferplus": "fixmatch",
    "abaw6-ferplus": "abaw6",
    "boxed-ferplus": "default-model",
    "boxed-enlarged-ferplus": "default-model",
    "sequences-synthetic": "temporal",
    "sequences-cpu": "temporal",
    "abaw6-affwild2": "abaw6",
}
"""Names from when a method's name carried its data set, as recipes know them, too."""


def require_method(name: str) -> None:
    """Refuse an unknown method before anything slow is imported.

    Raises:
        ValueError: With the nearest names, or with the new one.
    """
    if name in METHOD_NAMES:
        return
    if name in RENAMED:
        raise ValueError(
            f"{name} is now called by its method, and the data set is recognized: "
            f"halfsmile train {RENAMED[name]} --data DATA --out RUN"
        )
    near = get_close_matches(name, METHOD_NAMES, n=3)
    meant = f" Did you mean {' or '.join(near)}?" if near else ""
    raise ValueError(f"Unknown method {name!r}; known are {', '.join(METHOD_NAMES)}.{meant}")


def explain(arguments: Sequence[str]) -> None:
    """Behind the help: the stages of the method that is named, and what ``--set`` can replace in them."""
    method = next((word for word in arguments[1:2] if word in METHOD_NAMES), None)
    if method is None:
        make_console().print(
            "halfsmile train METHOD --help shows the stages of a method and its fields for --set as well."
        )
        return
    if importlib.util.find_spec("torch") is None:
        return
    from halfsmile.recipes.named import recipe_named
    from halfsmile.recipes.overrides import field_meanings, field_values
    from halfsmile.runs.stages import STAGES

    recipe, console = recipe_named(method), make_console()
    own = [stage for stage in STAGES if getattr(recipe, stage.name, None) is not None]
    console.print(f"\n{method} has {len(own)} stage{'s' if len(own) > 1 else ''}:")
    for stage in own:
        console.print(f"  {stage.name}: {stage.purpose}")
    console.print(
        "\nIts fields for --set, with values of the preset cpu for faces of one's own (--dry-run shows those "
        "for your data). What several parts have is explained once:"
    )
    meanings = field_meanings(recipe)
    for name, value in field_values(recipe):
        console.print(f"  {name}={value}", soft_wrap=True)
        for line in textwrap.wrap(meanings.get(name, ""), max(console.width - 6, 20)):
            console.print(f"      {line}", style="dim", soft_wrap=True)
