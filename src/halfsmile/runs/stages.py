"""The stages of a run, in the order in which they run: the one place that names them.

A new stage is a line in :data:`STAGES` and its name in :data:`StageName`; tests then ask for its part of the
recipe and for the function that trains it (``training/run.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from halfsmile.utils.percent import percent, percent_number

StageName = Literal["pretrain", "finetune", "semi", "tune", "temporal"]
"""Name of a stage: of its folder in a run, of its part of a recipe, and for ``--last-stage``."""


ROUNDING = 1e-9  # what floating point may add to a score


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage.

    Args:
        name: Its name.
        seed: Sets its random numbers apart from those of the other stages. Never changed: a run that is
            resumed, or trained again, must draw the same ones.
        classifies: Whether it ends in a classifier of single faces.
        title: Name for readers.
        purpose: One sentence on what it does.
    """

    name: StageName
    seed: int
    classifies: bool
    title: str
    purpose: str


STAGES: tuple[Stage, ...] = (
    Stage(
        name="pretrain",
        seed=1,
        classifies=False,
        title="Pretraining",
        purpose="Stage I: learns what faces look like by painting hidden parts of them, or from a teacher; "
        "no label is used.",
    ),
    Stage(
        name="finetune",
        seed=2,
        classifies=True,
        title="Fine-tuning",
        purpose="Stage II: learns the expressions from the labeled faces.",
    ),
    Stage(
        name="semi",
        seed=3,
        classifies=True,
        title="Semi-supervised",
        purpose="Stage III: adds the unlabeled faces. A teacher, as a rule a running average (EMA) of the "
        "network that learns, names them, and what it is sure of is learned: pseudo-labels.",
    ),
    Stage(
        name="tune",
        seed=5,
        classifies=True,
        title="Final fine-tuning",
        purpose="Goes back to the labeled faces, from the weights of the stage before.",
    ),
    Stage(
        name="temporal",
        seed=4,
        classifies=False,
        title="Temporal",
        purpose="Stage IV: reads each frame together with its neighbors in the video.",
    ),
)
STAGE_BY_NAME: dict[str, Stage] = {stage.name: stage for stage in STAGES}
CLASSIFYING: tuple[StageName, ...] = tuple(stage.name for stage in STAGES if stage.classifies)
LAST_STAGE: StageName = STAGES[-1].name


def better_stages(chosen: str, scores: Mapping[str, float]) -> list[str]:
    """Stages with a higher score than the chosen one, the best first; none where that is not known.

    Example:
        >>> better_stages("semi", {"finetune": 0.7, "semi": 0.6})
        ['finetune']
    """
    if chosen not in scores:
        return []
    better = [stage for stage, score in scores.items() if score > scores[chosen]]
    return sorted(better, key=lambda stage: -scores[stage])


def better_line(chosen: str, better: Sequence[str], scores: Mapping[str, float], faces: str) -> str:
    """Say that another stage was better than the chosen one, and how to export it.

    Args:
        chosen: The stage that is used.
        better: See :func:`better_stages`; not empty.
        scores: Of each stage, shares.
        faces: What they were measured on.
    """
    values = ", ".join(f"{stage} {percent_number(scores[stage], 1)} %" for stage in [*better, chosen])
    return (
        f"Stage {better[0]} was better than {chosen} on {faces}: {values}. To export it: "
        f"halfsmile export RUN --stage {better[0]}"
    )


def stages_until(last: StageName) -> tuple[StageName, ...]:
    """Names of the stages up to this one and with it, in their order.

    Raises:
        ValueError: If there is no such stage.
    """
    names = tuple(stage.name for stage in STAGES)
    if last not in names:
        raise ValueError(f"There is no stage {last!r}; a run may stop after {', '.join(names)}.")
    return names[: names.index(last) + 1]


def setbacks(scores: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Where a later stage scores below an earlier one, in words.

    Args:
        scores: Of each stage, by its name and in the order of the stages: shares in [0, 1] by name of the
            score, all on the same test faces.

    Returns:
        A sentence for each such stage, with the best of the earlier ones.

    Example:
        >>> setbacks({"finetune": {"accuracy": 0.8}, "semi": {"accuracy": 0.79}})
        ['semi scores below an earlier stage on the same faces: accuracy 79.00 % after 80.00 % (finetune).']
    """
    found = []
    for place, (stage, values) in enumerate(scores.items()):
        lower = []
        for score, value in values.items():
            best = max(list(scores)[: place + 1], key=lambda name: scores[name][score])
            if scores[best][score] - value > ROUNDING:
                lower.append(f"{score} {percent(value, 2)} after {percent(scores[best][score], 2)} ({best})")
        if lower:
            found.append(f"{stage} scores below an earlier stage on the same faces: {', '.join(lower)}.")
    return found
