"""What the help explains of each method: its stages, and what ``--set`` can replace in them."""

from __future__ import annotations

import importlib.util
import textwrap
from collections.abc import Sequence
from typing import Annotated

import tyro

from halfsmile.method_names import METHOD_NAMES
from halfsmile.utils.console import make_console

Method = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="{" + ",".join(METHOD_NAMES) + "}")]


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
