"""The rows of the table of few labels on FERPlus: what each is trained by, and on top of which other row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from halfsmile.methods.noisy_student import NoisyStudent
from halfsmile.models.resnet import ResNetConfig
from halfsmile.recipes import override, ssfer, student, supervised
from halfsmile.recipes.changes.face import with_face_network
from halfsmile.recipes.changes.matching import with_matching
from halfsmile.recipes.config import Preset, Recipe


@dataclass(frozen=True)
class Row:
    """One row.

    Args:
        title: For readers.
        method: Which recipe, for a row that stands on none.
        face: From the face network.
        base: Row that this one is on top of: its settings hold here, too, its first stages are taken over
            where they are the same, and the gain is also told against it.
        settings: As for ``--set``, after those of the base.
        stage_one_of: Row whose Stage I, of the first seed, this one starts from.
        teachers: Rows whose runs, of the same seed, teach this one.
        matched: What Stage I of a residual network matches in place of painting.
    """

    title: str
    method: Literal["supervised", "ssfer", "student"] = "ssfer"
    face: bool = False
    base: str | None = None
    settings: tuple[str, ...] = ()
    stage_one_of: str | None = None
    teachers: tuple[str, ...] = ()
    matched: str | None = None


ROWS: dict[str, Row] = {
    "scratch": Row("labels alone, from scratch", "supervised"),
    "plain": Row(
        "Stage I, labels without mixing",
        settings=("semi=none", "tune=none", "finetune.mixing=none"),
        stage_one_of="ssfer",
    ),
    "mixup": Row(
        "Stage I, mixup", settings=("semi=none", "tune=none", "finetune.mixing=mixup"), stage_one_of="ssfer"
    ),
    "facemix": Row(
        "Stage I, FaceMix",
        settings=("semi=none", "tune=none", "finetune.mixing=facemix"),
        stage_one_of="ssfer",
    ),
    "ssfer": Row("all stages, no outside network"),
    "taught": Row(
        "Stage I matches the face network, mixup", settings=("semi=none", "tune=none"), matched="face"
    ),
    "face": Row("labels alone, from the face network", "supervised", face=True),
    "face-ssfer": Row("all stages from the face network", face=True),
    "student": Row(
        "a small network taught by the face network, then by the row of all stages",
        "student",
        teachers=("face-ssfer",),
        matched="face",
    ),
}
LEVERS: dict[str, tuple[str, ...]] = {
    "natural": ("finetune.sampling=natural", "semi.sampling=natural"),
    "no-tune": ("tune=none",),
    "no-names": ("tune.named.batch_size=0",),
    "sqrt": ("finetune.sampling=sqrt", "semi.sampling=sqrt"),
    "regmixup": ("semi.regmixup=1",),
    "soft": ("semi.method=soft-targets",),
    "tune": ("tune=yes",),
    "tune-named": ("tune=yes", "tune.named.batch_size=64"),
    "prior": ("prior_shift=0.2",),
    "blank": ("blank_shift=0.5",),
}
"""Settings of the ablation: each lever alone, on top of one row; one that its recipe pulls already changes
nothing, and is let go of instead."""


def all_rows(levers: Sequence[str] = (), *, base: str) -> dict[str, Row]:
    """The rows by name, with those of :data:`LEVERS` and of levers of one's own on top of ``base``.

    Args:
        levers: Each ``NAME: SETTING SETTING …``.
        base: Name of the row that levers are pulled on.

    Raises:
        ValueError: If a lever is not of that form, its name is taken, or there is no such base.
    """
    if base not in ROWS:
        raise ValueError(f"--base must be one of {', '.join(ROWS)}; found {base!r}.")
    found = dict(ROWS)
    for name, settings in LEVERS.items():
        found[name] = Row(f"{base} + {' '.join(settings)}", base=base, settings=settings)
    for text in levers:
        name, colon, settings_text = (part.strip() for part in text.partition(":"))
        if not colon or not settings_text or not name.replace("-", "").isalnum():
            raise ValueError(f"A lever is written 'name: stage.field=value …', found {text!r}.")
        if name in found:
            raise ValueError(f"There is a row named {name!r} already; call the lever {text!r} otherwise.")
        settings = tuple(settings_text.split())
        found[name] = Row(f"{base} + {' '.join(settings)}", base=base, settings=settings)
    return found


def recipe_of(name: str, rows: Mapping[str, Row], *, preset: Preset, runs: Mapping[str, Path]) -> Recipe:
    """The recipe of a row, without labels and seed.

    Args:
        name: Of the row.
        rows: All rows.
        preset: Size.
        runs: Folder of each row's run that others may start from or learn from.
    """
    chain = [rows[name]]
    while chain[0].base is not None:
        chain.insert(0, rows[chain[0].base])
    first = chain[0]
    recipe = {"supervised": supervised, "ssfer": ssfer, "student": student}[first.method](preset)
    if first.face:
        recipe = with_face_network(recipe, data_set="ferplus")
    if first.matched is not None and isinstance(recipe.encoder, ResNetConfig):  # which ``tiny`` is not
        recipe = with_matching(recipe, first.matched)
    if first.stage_one_of is not None:
        recipe = replace(recipe, init=str(runs[first.stage_one_of]), pretrain=None)
    if first.teachers and recipe.semi is not None and isinstance(recipe.semi.method, NoisyStudent):
        taught = replace(recipe.semi.method, teachers=tuple(str(runs[row]) for row in first.teachers))
        recipe = replace(recipe, semi=replace(recipe.semi, method=taught))
    return override(recipe, *(setting for row in chain for setting in row.settings))


def shares_stages(row: Row) -> bool:
    """Whether the run of a row begins with the stages of its base: none of its settings changes the first."""
    early = ("encoder", "standardize", "init", "pretrain", "finetune", "labels", "held_out", "protocol")
    return row.base is not None and not any(setting.startswith(early) for setting in row.settings)
