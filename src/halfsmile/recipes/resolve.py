"""From what a person asks for to a resolved recipe: method, data, size, labels, weights, settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from halfsmile.data.protocols.protocol import DataSet, Protocol
from halfsmile.data.protocols.recognize import protocol_of
from halfsmile.data.split import LabelBudget
from halfsmile.methods.noisy_student import NoisyStudent
from halfsmile.models.face_network import FaceNetworkConfig
from halfsmile.models.pretrained import published_encoder
from halfsmile.models.weight_files import FACE
from halfsmile.recipes.changes.face import with_face_network
from halfsmile.recipes.changes.matching import with_matching
from halfsmile.recipes.config import Preset, Recipe
from halfsmile.recipes.named import recipe_named
from halfsmile.recipes.overrides import override
from halfsmile.recipes.sequences import temporal

_LEAST_STEPS: dict[Preset, int] = {"cpu": 400, "gpu": 400}


def resolve(
    recipe: str | Recipe,
    *,
    data: Path,
    preset: Preset | None = None,
    data_set: DataSet | None = None,
    label_rule: str | None = None,
    num_classes: int | None = None,
    labels: str | None = None,
    budget: LabelBudget | None = None,
    seed: int | None = None,
    init: str | None = None,
    init_network: str | None = None,
    teacher: str | None = None,
    teachers: Sequence[Path] = (),
    settings: Sequence[str] = (),
) -> Recipe:
    """The recipe that is followed for the data at a path.

    Args:
        recipe: A method by name, one of :data:`~halfsmile.recipes.named.METHODS`, then made for the data,
            with at least 400 steps on very few labels in the presets ``cpu`` and ``gpu``; or a recipe, then
            taken as it is.
        data: Labeled data set; its protocol is recognized, see
            :func:`~halfsmile.data.protocols.recognize.protocol_of`.
        preset: Size, where the recipe is given by name; ``cpu`` by default.
        data_set: Takes the place of what is recognized.
        label_rule: Label rule of FERPlus.
        num_classes: Classes of AffectNet.
        labels: Label budget; the recipe's by default.
        budget: Which labels may be used, in place of ``labels``.
        seed: Of the budget and of every stage; the recipe's by default.
        init: Weights in place of Stage I; ``face`` is the face network that the package brings, and changes
            the recipe as :func:`~halfsmile.recipes.changes.face.with_face_network` says.
        init_network: Whose network they are, see :func:`~halfsmile.models.pretrained.published_encoder`.
        teacher: What Stage I matches instead of painting, see
            :class:`~halfsmile.recipes.config.PretrainConfig`.
        teachers: Run folders that name the faces of Stage III, which is
            :class:`~halfsmile.methods.noisy_student.NoisyStudent` then.
        settings: See :func:`~halfsmile.recipes.overrides.override`; they come last.

    Raises:
        ValueError: If a name is unknown, or choices do not fit each other or the data.
    """
    if isinstance(recipe, Recipe) and recipe.protocol is not None:
        data_set = data_set or recipe.protocol.data_set
    if isinstance(recipe, Recipe) and preset not in (None, recipe.preset):
        raise ValueError(
            f"The recipe {recipe.name} is of the preset {recipe.preset}, and {preset} was asked for. Give "
            "the preset where the recipe is made, or name the method instead."
        )
    preset = preset or "cpu"
    is_named = isinstance(recipe, str)
    if isinstance(recipe, str):
        recipe_named(recipe, preset)  # an unknown name is told before the data are read
    protocol = protocol_of(data, data_set=data_set, label_rule=label_rule, num_classes=num_classes)
    if recipe == "temporal" and init is not None:
        recipe = temporal(preset, from_trained=True)
    if isinstance(recipe, str):
        recipe = recipe_named(recipe, preset, data_set=protocol.data_set)
    recipe = _with_protocol(recipe, protocol, label_rule, num_classes)
    recipe = replace(recipe, labels=labels or recipe.labels, seed=recipe.seed if seed is None else seed)
    if budget is not None:
        if labels is not None:
            raise ValueError("--labels and --budget both say which labels may be used; give one of them.")
        drawn_by = replace(recipe.resolved_protocol, group=budget.group)
        recipe = replace(recipe, labels=budget.amount, protocol=drawn_by)
    if init == FACE and not isinstance(recipe.encoder, FaceNetworkConfig):
        recipe = with_face_network(recipe, data_set=protocol.data_set)
    elif init is not None:
        recipe = replace(recipe, init=init, pretrain=None)
    if init_network is not None:
        if init is None:
            raise ValueError("--init-network says whose weights --init gives; there is no --init.")
        recipe = replace(recipe, encoder=published_encoder(recipe.encoder, init_network))
    if teacher is not None:
        recipe = with_matching(recipe, teacher)
    if teachers:
        recipe = _with_teachers(recipe, teachers)
    if is_named and preset in _LEAST_STEPS:
        recipe = _with_least_steps(recipe, _LEAST_STEPS[preset])
    recipe = override(recipe, *settings)
    _require_teachers(recipe)
    return recipe


def _with_least_steps(recipe: Recipe, steps: int) -> Recipe:
    """Stages on labels that also learn where these are very few."""
    finetune = replace(recipe.finetune, least_steps=steps)
    return replace(recipe, finetune=finetune, tune=recipe.tune and replace(recipe.tune, least_steps=steps))


def _require_teachers(recipe: Recipe) -> None:
    """Refuse a student whom nobody teaches."""
    method = None if recipe.semi is None else recipe.semi.method
    if recipe.name == "student" and isinstance(method, NoisyStudent) and not method.teachers:
        raise ValueError(
            "A student learns what finished runs say of unlabeled faces: give them with --teachers RUN RUN …"
        )


def _with_teachers(recipe: Recipe, teachers: Sequence[Path]) -> Recipe:
    """The recipe with other runs as teachers.

    Raises:
        ValueError: If nothing is named by a teacher that has finished.
    """
    if recipe.semi is None or not isinstance(recipe.semi.method, NoisyStudent):
        method = "no Stage III" if recipe.semi is None else f"{recipe.semi.method.name} as Stage III"
        raise ValueError(
            f"Teachers name faces for noisy-student and student; the recipe {recipe.name} has {method}. "
            "Train noisy-student instead (or student, which is small)."
        )
    named = replace(recipe.semi.method, teachers=tuple(map(str, teachers)))
    return replace(recipe, semi=replace(recipe.semi, method=named))


def _with_protocol(
    recipe: Recipe, protocol: Protocol, label_rule: str | None, num_classes: int | None
) -> Recipe:
    """The recipe with the protocol of its data, unless it has one of its own for this data set.

    Its own rule and number of classes stay where none is asked for.

    Raises:
        ValueError: If it has one for another data set.
    """
    own = recipe.protocol
    if own is None:
        return replace(recipe, protocol=protocol)
    if own.data_set != protocol.data_set:
        raise ValueError(
            f"The recipe {recipe.name} is for {own.title}; the data are recognized as {protocol.title}. Give "
            "other data or another method."
        )
    kept = replace(own, label_rule=label_rule or own.label_rule, num_classes=num_classes or own.num_classes)
    return replace(recipe, protocol=kept)
