"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated, Literal

import tyro

Device = Annotated[
    Literal["cpu", "cuda"] | None,
    tyro.conf.arg(metavar="{cpu,cuda}", help_behavior_hint="(default: what is there)"),
]
Text = Annotated[str | None, tyro.conf.arg(metavar="TEXT", help_behavior_hint="(default: the recipe's)")]
DataSetName = Annotated[
    Literal["ferplus", "rafdb", "affectnet", "affwild2", "sequences", "faces"] | None,
    tyro.conf.arg(metavar="NAME", help_behavior_hint="(default: recognized)"),
]
Classes = Annotated[
    Literal[7, 8] | None, tyro.conf.arg(metavar="{7,8}", help_behavior_hint="(default: the data set's)")
]
Threshold = Annotated[
    float | None, tyro.conf.arg(metavar="NUMBER", help_behavior_hint="(default: the model's)")
]
