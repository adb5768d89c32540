"""What a model file says of itself: labels, crop, temperature, threshold, as text in the file's metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

FORMAT = "1"
"""Version of inputs, outputs and metadata."""

WEIGHTS = "halfsmile.weights_sha256"
"""Entry of the metadata that says which weights a file is made from, or reads the features of."""

SETS = "halfsmile.sets"
VOTES = "halfsmile.votes"
PRIOR = "halfsmile.prior"
ENTRIES = "halfsmile.entries"
"""The first entry: how many there are, so that a file that was cut before the last ones is known."""

FAMILIAR = "halfsmile.feature_norm"
TEMPLATES = ("ferplus",)


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """How a face is cut out for the model, see :func:`halfsmile.faces.align.align`.

    Args:
        size: Side S of the aligned face in pixels.
        channels: C, 1 for gray or 3 for RGB.
        template: Where the landmarks go; ``ferplus`` is the template of :mod:`halfsmile.faces.align`.
        scale: Above 1 the face fills more of the crop.

    Raises:
        ValueError: If a value is unknown or out of range.
    """

    size: int
    channels: int
    template: str = "ferplus"
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.size < 1 or self.channels not in (1, 3) or not self.scale > 0:
            raise ValueError(
                f"size and scale must be positive and channels 1 or 3, found size {self.size}, "
                f"scale {self.scale}, channels {self.channels}."
            )
        if self.template not in TEMPLATES:
            raise ValueError(f"the template {self.template!r} is unknown; known are {', '.join(TEMPLATES)}.")


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What an exported file says of itself.

    Args:
        name: Short name.
        labels: Classes, in the order of the probabilities.
        taxonomy: Name of the taxonomy, ``custom`` for one of the user's own.
        preprocessing: How faces are cut out for it.
        temperature: What the graph divides logits by.
        threshold: Confidence from which an answer counts as certain; None where it was never measured.
        target_error: Largest share of wrong ones among the certain answers that the threshold was set for.
        recipe_sha256: SHA-256 of the recipe.json that it was trained from.
        card: What it is, in a few sentences.
        weights_sha256: SHA-256 of the model.safetensors that it was made from; None in older files.
        set_coverage: Share of faces, on average over all expressions, whose set of expressions holds the true
            one; None where sets were never calibrated, and in older files.
        set_floor: A set is the most probable expression and all of at least this probability; None likewise.
        vote_temperature: Logits divided by it give the shares of annotators who would name each expression;
            None where no votes were known, and in older files.
        feature_norm: Norm of the features below which a face is unlike those that it learned from (Park and
            others 2023, "Understanding the feature norm for out-of-distribution detection"); None likewise.
        prior: Shares of the classes among the labels that it learned from; None in older files.

    Raises:
        ValueError: If a value is out of range.
    """

    name: str
    labels: tuple[str, ...]
    taxonomy: str
    preprocessing: Preprocessing
    temperature: float
    threshold: float | None
    target_error: float | None
    recipe_sha256: str
    card: str
    weights_sha256: str | None = None
    set_coverage: float | None = None
    set_floor: float | None = None
    vote_temperature: float | None = None
    prior: tuple[float, ...] | None = None
    feature_norm: float | None = None

    def __post_init__(self) -> None:
        if len(self.labels) < 2 or len(set(self.labels)) < len(self.labels):
            raise ValueError(f"expected at least two different labels, found {list(self.labels)}.")
        if not 0 < self.temperature < float("inf"):
            raise ValueError(f"the temperature must be positive, found {self.temperature}.")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ValueError(f"the threshold must lie between 0 and 1, found {self.threshold}.")
        if self.set_floor is not None and not 0 <= self.set_floor <= 1:
            raise ValueError(f"the floor of sets must lie between 0 and 1, found {self.set_floor}.")
        if self.vote_temperature is not None and not 0 < self.vote_temperature < float("inf"):
            raise ValueError(f"the temperature of votes must be positive, found {self.vote_temperature}.")
        if self.prior is not None and (
            len(self.prior) != len(self.labels) or min(self.prior) < 0 or abs(sum(self.prior) - 1) > 1e-3
        ):
            raise ValueError(
                f"the prior must be {len(self.labels)} shares that sum to 1, found {self.prior}."
            )

    def to_metadata(self) -> dict[str, str]:
        """The same as text for a file's metadata."""
        crop = self.preprocessing
        threshold = {"target_error": self.target_error, "confidence": self.threshold}
        sets = {"coverage": self.set_coverage, "floor": self.set_floor}
        entries = {
            "halfsmile.format": FORMAT,
            "halfsmile.name": self.name,
            "halfsmile.labels": json.dumps(self.labels, ensure_ascii=False),
            "halfsmile.taxonomy": self.taxonomy,
            "halfsmile.preprocessing": json.dumps(
                {
                    "size": crop.size,
                    "channels": crop.channels,
                    "template": crop.template,
                    "scale": crop.scale,
                }
            ),
            "halfsmile.temperature": repr(self.temperature),
            "halfsmile.threshold": json.dumps(None if self.threshold is None else threshold),
            "halfsmile.recipe_sha256": self.recipe_sha256,
            "halfsmile.card": self.card,
            **({} if self.weights_sha256 is None else {WEIGHTS: self.weights_sha256}),
            **({} if self.set_floor is None else {SETS: json.dumps(sets)}),
            **({} if self.vote_temperature is None else {VOTES: repr(self.vote_temperature)}),
            **({} if self.prior is None else {PRIOR: json.dumps(self.prior)}),
            **({} if self.feature_norm is None else {FAMILIAR: repr(self.feature_norm)}),
        }
        return {ENTRIES: str(len(entries) + 1), **entries}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> ModelFacts:
        """Read what :meth:`to_metadata` wrote.

        Raises:
            ValueError: If an entry is missing, of another format, or not as described, or it is another kind
                of file.
        """
        if metadata.get("halfsmile.kind") == "temporal":
            raise ValueError(
                "it is the network over frames of a run, which reads what a model of single frames gives. "
                "Give it as --temporal, and as --model the model.onnx of the same export."
            )
        found = metadata.get("halfsmile.format")
        if found is None:
            raise ValueError(
                "it has no halfsmile metadata, so its labels and its crop are unknown. "
                "`halfsmile export RUN` writes a file that has."
            )
        if found != FORMAT:
            raise ValueError(
                f"it is of format {found!r} and this version of halfsmile reads {FORMAT!r}. "
                "Export it again, or bring halfsmile up to date."
            )
        try:
            threshold = json.loads(metadata["halfsmile.threshold"])
            sets = json.loads(metadata.get(SETS, "null"))
            votes = json.loads(metadata.get(VOTES, "null"))
            prior = json.loads(metadata.get(PRIOR, "null"))
            norm = json.loads(metadata.get(FAMILIAR, "null"))
            facts = cls(
                name=metadata["halfsmile.name"],
                labels=tuple(map(str, json.loads(metadata["halfsmile.labels"]))),
                taxonomy=metadata["halfsmile.taxonomy"],
                preprocessing=Preprocessing(**json.loads(metadata["halfsmile.preprocessing"])),
                temperature=float(metadata["halfsmile.temperature"]),
                threshold=None if threshold is None else float(threshold["confidence"]),
                target_error=None if threshold is None else float(threshold["target_error"]),
                recipe_sha256=metadata["halfsmile.recipe_sha256"],
                card=metadata["halfsmile.card"],
                weights_sha256=metadata.get(WEIGHTS),
                set_coverage=None if sets is None else float(sets["coverage"]),
                set_floor=None if sets is None else float(sets["floor"]),
                vote_temperature=None if votes is None else float(votes),
                prior=None if prior is None else tuple(map(float, prior)),
                feature_norm=None if norm is None else float(norm),
            )
        except KeyError as error:
            raise ValueError(f"its metadata lack {error}.") from error
        except (TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"its metadata are not as expected ({error}).") from error
        held = sum(name.startswith("halfsmile.") for name in metadata)
        if ENTRIES in metadata and metadata[ENTRIES] != str(held):
            raise ValueError(
                f"it has {held} of {metadata[ENTRIES]} entries of metadata, so it was cut. Copy it again, or "
                "export its run again."
            )
        return facts
