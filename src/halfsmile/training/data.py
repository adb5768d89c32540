"""The faces of a run, read and decoded by role; labels outside the budget never get here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from halfsmile.data.copies import Pixels, notes_on_test_faces, require_no_test_faces, without_copies
from halfsmile.data.frames import Frames
from halfsmile.data.images import DecodedFaces, load_faces
from halfsmile.data.manifest import Manifest
from halfsmile.data.sets import DataSets
from halfsmile.data.split import LabelBudget
from halfsmile.recipes.config import Recipe, Unlabeled
from halfsmile.runs.stages import StageName
from halfsmile.taxonomy import Taxonomy
from halfsmile.training.temporal.frames import temporal_groups, training_frames
from halfsmile.utils.files import read_json

Part = TypeVar("Part")

_TITLES: dict[StageName, str] = {"semi": "Stage III", "tune": "The last fine-tuning"}
_FIELDS: dict[StageName, str] = {"semi": "semi.unlabeled", "tune": "tune.named.unlabeled"}


@dataclass(frozen=True)
class Unused:
    """Unlabeled faces that no stage of a recipe learns from.

    Args:
        own: How many of the training split.
        extra: How many of each other source.
    """

    own: int = 0
    extra: Mapping[str, int] = field(default_factory=dict)

    def describe(self, recipe: Recipe) -> str | None:
        """One line for people, with what learns from them; None where all are used."""
        own = f"{self.own:,} more training faces without their labels" if self.own else ""
        parts = [own, *(f"{count:,} unlabeled faces of {source}" for source, count in self.extra.items())]
        if not any(parts):
            return None
        way = "" if recipe.temporal is not None else " `halfsmile train ssfer` does."
        if recipe.semi is not None:
            way = " --set semi.unlabeled=all does."
        return (
            f"Not read, for no stage of {recipe.name} learns from them: "
            f"{', '.join(filter(None, parts))}.{way}"
        )


@dataclass(frozen=True)
class TrainingFaces:
    """Decoded faces of a run, by role.

    Args:
        labeled: Faces whose labels are in the budget.
        unlabeled: The rest of the training rows, without labels.
        held_out: Rows whose labels only watch; may be None.
        test: Test faces.
        extra: Unlabeled faces from other sources.
        taxonomy: Classes.
        frames: Videos that train Stage IV; those that train it alone are in no other part.
        pseudo: Faces with the labels of a model, by source; they train with the labeled ones.
        left_out: Notes on pseudo-labeled faces, and on those from other sources, that were left out.
        unused: What no stage learns from, which is not decoded.
    """

    labeled: DecodedFaces
    unlabeled: DecodedFaces | None
    held_out: DecodedFaces | None
    test: DecodedFaces
    extra: dict[str, DecodedFaces]
    taxonomy: Taxonomy
    frames: Frames | None = None
    pseudo: dict[str, DecodedFaces] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    unused: Unused = Unused()

    @property
    def supervised(self) -> dict[str | None, DecodedFaces]:
        """All faces that train with labels: those of the budget (under None), then pseudo-labeled ones."""
        parts: dict[str | None, DecodedFaces] = {None: self.labeled}
        return parts | dict(self.pseudo)

    def pseudo_counts(self) -> dict[str, int]:
        """Number of pseudo-labeled faces of each class; empty where there are none."""
        found = [faces.manifest.counts() for faces in self.pseudo.values()]
        return {name: sum(counts[name] for counts in found) for name in self.taxonomy.labels} if found else {}

    @property
    def parts(self) -> list[DecodedFaces]:
        """All that was decoded."""
        frames = self.frames.faces if self.frames is not None else None
        parts = [self.labeled, self.unlabeled, self.held_out, self.test, *self.extra.values()]
        parts += [*self.pseudo.values(), frames]
        return [part for part in parts if part is not None]


def draw_budget(recipe: Recipe, sets: DataSets, given: LabelBudget | None = None) -> LabelBudget:
    """Which labels may be used: the given budget, or one drawn by the recipe.

    Raises:
        ValueError: If the given one is of other data, or a class would be left without a label.
    """
    drawn = given or LabelBudget.draw(
        sets.train,
        recipe.labels,
        seed=recipe.seed,
        held_out=recipe.held_out,
        group=recipe.resolved_protocol.group,
    )
    drawn.require_same_data(sets.train)
    return drawn


def divide(recipe: Recipe, sets: DataSets, budget: LabelBudget) -> tuple[dict[str, Manifest], frozenset[str]]:
    """Training rows by role, and whose videos train Stage IV.

    Returns:
        ``labeled``, ``unlabeled`` and ``held_out`` rows for the stages before Stage IV, and the people (or
        videos) of Stage IV, who are in none of them where it has a share of its own.

    Raises:
        ValueError: If Stage IV has no videos, or nobody to learn from.
    """
    roles = {role: budget.rows(sets.train, role) for role in ("labeled", "unlabeled", "held_out")}
    if recipe.temporal is None:
        return roles, frozenset()
    if sets.videos is None:
        raise ValueError(
            f"The recipe {recipe.name} has a Stage IV, which needs frames of videos; this is "
            f"{recipe.resolved_protocol.title}. Leave it out with --set temporal=none, or train another "
            "method."
        )
    people = temporal_groups(recipe, roles["labeled"])
    if recipe.temporal.own_share:
        for role, rows in roles.items():
            names = rows.column(recipe.resolved_protocol.group or "person")
            roles[role] = rows.take([i for i, name in enumerate(names) if name not in people])
    return roles, people


def load_roles(recipe: Recipe, sets: DataSets, budget: LabelBudget, *, cache: Path) -> TrainingFaces:
    """Decode every face of a run once, at the encoder's size.

    Raises:
        ValueError: If a class has no readable labeled face, unlabeled faces from other sources contain test
            faces, or Stage IV has nobody to learn from.
    """
    size, channels = recipe.encoder.image_size, recipe.encoder.channels

    def load(manifest: Manifest) -> DecodedFaces:
        return load_faces(manifest, size=size, channels=channels, cache=cache)

    roles, people = divide(recipe, sets, budget)
    frames = None
    if sets.videos is not None and recipe.temporal is not None:
        frames = training_frames(recipe, sets.videos.split("train"), budget, people, cache=cache)
    labeled = load(roles["labeled"])
    missing = [name for name, count in labeled.manifest.counts().items() if not count]
    if missing:
        raise ValueError(
            f"No labeled face of {missing} could be read: {labeled.bad[:3]}. Mend or replace the files."
        )
    test = load(sets.test)
    unused = unused_faces(recipe, sets, len(roles["unlabeled"]))
    extra = {source: load(manifest) for source, manifest in sets.extra.items() if source not in unused.extra}
    for source, faces in extra.items():
        require_no_test_faces(source, Pixels.of(faces), Pixels.of(test))
    unlabeled = load(roles["unlabeled"]) if len(roles["unlabeled"]) > unused.own else None
    held_out = load(roles["held_out"]) if len(roles["held_out"]) else None
    own_share = recipe.temporal is not None and recipe.temporal.own_share
    stage_four = frames.faces if frames is not None and own_share else None
    apart = {"held-out faces": held_out, "faces of Stage IV": stage_four}
    known = {"test faces": test, **apart, "labeled faces": labeled}
    pseudo, notes = {}, list[str]()
    for source, faces in extra.items():
        extra[source], said = without_copies(source, faces, apart)
        notes += said
        if not len(extra[source]):
            raise ValueError(f"No unlabeled face of {source} is left. {' '.join(said)}")
    for source, found in sets.pseudo.items():
        pseudo[source], said = without_copies(source, load(found.manifest), known)
        notes += [*found.manifest.notes, *said]
        if not len(pseudo[source]):
            raise ValueError(f"No pseudo-labeled face of {source} is left. {' '.join(notes)}")
    return TrainingFaces(
        labeled, unlabeled, held_out, test, extra, sets.taxonomy, frames, pseudo, tuple(notes), unused
    )


def wanted_unlabeled(recipe: Recipe) -> dict[StageName, Unlabeled]:
    """Which unlabeled faces each stage learns from beside labeled ones; those that take none are left out."""
    wanted: dict[StageName, Unlabeled] = {}
    if recipe.semi is not None:
        wanted["semi"] = recipe.semi.unlabeled
    if recipe.tune is not None and recipe.tune.named.batch_size:
        wanted["tune"] = recipe.tune.named.unlabeled
    return wanted


def unused_faces(recipe: Recipe, sets: DataSets, own: int) -> Unused:
    """Which unlabeled faces no stage learns from: Stage I learns from all, others from what they ask for.

    Args:
        recipe: It chooses.
        sets: What was read.
        own: Training faces whose label may not be used.
    """
    if recipe.pretrain is not None:
        return Unused()
    choices = set(wanted_unlabeled(recipe).values())
    extra = {} if choices & {"extra", "all"} else {name: len(rows) for name, rows in sets.extra.items()}
    return Unused(0 if choices & {"own", "all"} else own, extra)


def unlabeled_faces(recipe: Recipe, stage: StageName, faces: TrainingFaces) -> list[DecodedFaces]:
    """The unlabeled faces of a stage, see :func:`unlabeled_parts`."""
    own = [] if faces.unlabeled is None else [faces.unlabeled]
    return unlabeled_parts(recipe, stage, own, list(faces.extra.values()))


def unlabeled_parts(recipe: Recipe, stage: StageName, own: list[Part], extra: list[Part]) -> list[Part]:
    """What a stage learns from: of the training split, from other sources, or what there is of both.

    Args:
        recipe: It chooses, see :func:`wanted_unlabeled`.
        stage: One that takes unlabeled faces beside labeled ones.
        own: Faces, or their number, of the training split; empty where the budget covers all of it.
        extra: The same of each other source.

    Raises:
        ValueError: If the recipe asks for faces that are not there.
    """
    choice, title = wanted_unlabeled(recipe)[stage], _TITLES[stage]
    found = (own if choice != "extra" else []) + (extra if choice != "own" else [])
    if found:
        return found
    if choice == "extra":
        raise ValueError(
            f"{title} of the recipe {recipe.name} takes unlabeled faces from other sources (unlabeled: "
            f"{choice}), and none are given. Name a folder or an archive of them with --unlabeled."
        )
    raise ValueError(
        f"{title} needs unlabeled faces, but the label budget covers all of the training split. Give fewer "
        f"--labels, or unlabeled faces from other sources: --unlabeled FACES --set {_FIELDS[stage]}=extra."
    )


def describe(recipe: Recipe, sets: DataSets, faces: TrainingFaces, *, data: Path) -> dict[str, Any]:
    """What ``data.json`` says: sources, counts, what was dropped, and the fingerprint."""
    protocol = recipe.resolved_protocol
    bad = dict.fromkeys(item for part in faces.parts for item in part.bad)
    temporal = faces.frames if recipe.temporal is not None and recipe.temporal.own_share else None
    trained = [part for part in (faces.labeled, faces.unlabeled) if part is not None]
    own = sum(map(len, trained))
    return {
        "data_set": protocol.data_set,
        "label_rule": protocol.label_rule,
        "protocol": protocol.describe(),
        "taxonomy": list(sets.taxonomy.labels),
        "path": str(data),
        "test_splits": list(protocol.test_splits),
        "labeled": faces.labeled.manifest.counts(),
        "held_out": faces.held_out.manifest.counts() if faces.held_out is not None else {},
        "temporal": temporal.counts() if temporal is not None else {},
        "test": faces.test.manifest.counts(),
        "unlabeled": len(faces.unlabeled) if faces.unlabeled is not None else 0,
        "pseudo_labeled": faces.pseudo_counts(),
        "pseudo_labels": [
            {**sets.pseudo[source].facts, "faces": len(part)} for source, part in faces.pseudo.items()
        ],
        "unused": {"own": faces.unused.own, "extra": dict(faces.unused.extra)},
        "pretrain_images": {str(data): own, **_counts(faces.pseudo), **_counts(faces.extra)},
        "notes": [
            *sets.train.notes,
            *(note for manifest in sets.extra.values() for note in manifest.notes),
            *faces.left_out,
            *notes_on_test_faces(list(map(Pixels.of, trained)), Pixels.of(faces.test)),
            *(f"Stage IV: {note}" for note in (faces.frames.notes if faces.frames is not None else ())),
        ],
        "bad_images": [list(item) for item in bad],
        "fingerprint": sets.train.fingerprint(),
        "test_fingerprint": sets.test.fingerprint(),
        "unlabeled_fingerprints": {
            source: part.manifest.fingerprint() for source, part in faces.extra.items()
        },
    }  # fmt: skip


def _has_unused(facts: Mapping[str, Any]) -> bool:
    """Whether ``data.json`` tells of unlabeled faces that no stage learns from."""
    return bool(facts["unused"]["own"] or facts["unused"]["extra"])


def _counts(parts: Mapping[str, DecodedFaces]) -> dict[str, int]:
    return {source: len(part) for source, part in parts.items()}


def _fingerprints(facts: Mapping[str, Any]) -> list[str]:
    return list(facts["unlabeled_fingerprints"].values())


def require_same_faces(path: Path, facts: dict[str, Any]) -> None:
    """Refuse to go on with a run on other faces than it began with; where they lie does not matter.

    As many others from another source are other faces, too: their names or pixel hashes tell.

    Args:
        path: The run's ``data.json``; may be missing.
        facts: What :func:`describe` says now.

    Raises:
        ValueError: If the numbers of faces, by role, class or source, the test split, or the faces from
            other sources differ.
    """
    if not path.exists():
        return
    before = read_json(path)
    names = (
        "labeled", "held_out", "temporal", "unlabeled", "pseudo_labeled", "test", "test_fingerprint"
    )  # fmt: skip
    before = {"temporal": {}, "pseudo_labeled": {}, **before}  # older runs don't say
    if "unused" not in before and _has_unused(facts):  # and counted what no stage learned from
        before |= {name: facts[name] for name in ("unlabeled", "pretrain_images")}
    changed = [name for name in names if before[name] != facts[name]]
    if list(before["pretrain_images"].values()) != list(facts["pretrain_images"].values()):
        changed.append("pretrain_images")
    elif "unlabeled_fingerprints" in before and _fingerprints(before) != _fingerprints(facts):
        raise ValueError(
            "This run began with other unlabeled faces, though as many: what --unlabeled gives has other "
            "names or pixels since. Give the faces that it began with to go on, or use a new folder for "
            "--out."
        )
    tables = [[table["sha256"] for table in found.get("pseudo_labels", [])] for found in (before, facts)]
    if tables[0] != tables[1] and "pseudo_labeled" not in changed:
        raise ValueError(
            "This run began with other pseudo-labels: a table given by --pseudo-labels has changed since. "
            "Give the one that it began with to go on, or use a new folder for --out."
        )
    if changed:
        found = ", ".join(f"{name} ({before[name]} / {facts[name]})" for name in changed)
        raise ValueError(
            f"This run began with other faces; it differs in {found} (then / now). Give the same --data, "
            "--unlabeled and --pseudo-labels to go on, or use a new folder for --out."
        )
