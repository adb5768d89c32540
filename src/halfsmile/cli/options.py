"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated, Literal

import tyro

Device = Annotated[
    Literal["cpu", "cuda"] | None,
    tyro.conf.arg(metavar="{cpu,cuda}", help_behavior_hint="(default: what is there)"),
]
Text = Annotated[str | None, tyro.conf.arg(metavar="TEXT", help_behavior_hint="(default: the recipe's)")]
Threshold = Annotated[
    float | None, tyro.conf.arg(metavar="NUMBER", help_behavior_hint="(default: the model's)")
]
