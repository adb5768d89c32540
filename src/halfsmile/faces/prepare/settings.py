"""How faces are prepared: what decides which bytes end up in the store, and nothing else."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from halfsmile.faces import yunet
from halfsmile.faces.align import TEMPLATE_SIZE
from halfsmile.utils.download import download, is_url
from halfsmile.utils.files import read_json, write_json

SETTINGS_NAME = "prepare.json"
RULE = "argmax"
"""FERPlus's label rule where none is given."""
JPEG_QUALITY = 95
QUALITY = ("size", "sharpness", "frontal", "exposure", "yaw", "pitch", "roll")
"""Measures of every face, columns ``quality_*`` of the store; see :mod:`halfsmile.faces.quality`."""
ALIGNED = "aligned"
"""Measure of a crop: 1 where landmarks aligned it, 0 where it was kept as it was."""
COUNTS = "crops"
"""Entry of the record that counts both kinds."""


@dataclass(frozen=True)
class Settings:
    """What makes a store.

    Args:
        detector: ``yunet``, ``mtcnn``, or ``auto``, which is YuNet. ``given`` takes the boxes and landmarks
            that the data set has; ``aligned`` takes every picture for one aligned face.
        model: Another ONNX file of YuNet, or its address; None for the one in the package.
        size: Side of the aligned faces in pixels. None means 112, and leaves aligned pictures as they are,
            to the byte where they are JPEG, PNG or WebP files.
        min_score: Faces with a lower score of the detector are dropped.
        min_quality: Faces whose worst quality (size, sharpness, frontal, exposure) is lower are dropped.
        largest_only: Keep only the largest face of a picture or frame.
        every: Look for faces in every n-th frame of a video, and in the first of a part that has none of
            these.
        is_lossless: PNG instead of JPEG.
        are_crops: Every picture is a crop of one face. It is aligned by its landmarks, or, where none are
            found or given, kept as it is and scaled. ``min_score`` then says which landmarks count.

    Raises:
        ValueError: If a setting is out of range, or two of them don't go together.
    """

    detector: Literal["auto", "yunet", "mtcnn", "given", "aligned"] = "auto"
    model: str | Path | None = None
    size: int | None = None
    min_score: float = 0.0
    min_quality: float = 0.0
    largest_only: bool = False
    every: int = 3
    is_lossless: bool = False
    are_crops: bool = False

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 16:
            raise ValueError(f"Faces have a side of at least 16 pixels, found {self.size}.")
        if not (0 <= self.min_score <= 1 and 0 <= self.min_quality <= 1):
            raise ValueError(
                f"The least score and quality lie between 0 and 1, found {self.min_score} and "
                f"{self.min_quality}."
            )
        if self.every < 1:
            raise ValueError(f"Every n-th frame needs n of at least 1, found {self.every}.")
        if self.model is not None and self.detector not in ("auto", "yunet"):
            raise ValueError(f"The model {self.model} is for YuNet, but the detector is {self.detector}.")
        if self.detector in ("given", "aligned") and self.largest_only:
            raise ValueError(
                f"With the detector {self.detector!r} each picture or box is one face: there is no largest "
                "to keep."
            )
        if self.detector in ("given", "aligned") and self.min_score:
            raise ValueError(f"With the detector {self.detector!r} faces have no score to select them by.")
        if self.are_crops and self.detector == "aligned":
            raise ValueError("Pictures are crops to be aligned, or aligned already, not both.")

    @property
    def side(self) -> int:
        """Side of detected faces in pixels."""
        return TEMPLATE_SIZE if self.size is None else self.size

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of the measures in the store; of crops also whether they were aligned, 1 or 0."""
        return (*QUALITY, ALIGNED) if self.are_crops else QUALITY

    def resolved(self) -> Settings:
        """The same with a detector in place of ``auto`` and a model file that is there.

        Raises:
            ValueError: If the model does not exist or can't be downloaded.
        """
        if self.detector not in ("auto", "yunet"):
            return self
        if self.model is None:
            return dataclasses.replace(self, detector="yunet")
        source = str(self.model)
        path = download(source) if is_url(source) else Path(source)
        if not path.is_file():
            raise ValueError(f"YuNet's model {path} does not exist.")
        return dataclasses.replace(self, detector="yunet", model=path)

    def record(self) -> dict[str, Any]:
        """What two runs must have in common to write the same store; for resolved settings."""
        found = dataclasses.asdict(self)
        del found["model"]
        if self.detector == "yunet":
            model = yunet.MODEL if self.model is None else self.model
            found["model_sha256"] = hashlib.sha256(Path(model).read_bytes()).hexdigest()
        return {"format": 1, **found}


def save_settings(
    store: Path, settings: Settings, label_rule: str | None = None, *, has_videos: bool = True
) -> None:
    """Write down with what a store is made, as far as that has not been done.

    Args:
        store: The store.
        settings: Resolved.
        label_rule: Of FERPlus.
        has_videos: Whether there are videos; how many of their frames are looked at counts for nothing else.
    """
    path = Path(store) / SETTINGS_NAME
    known = read_json(path) if path.exists() else {}
    record = {**settings.record(), "label_rule": label_rule}
    if not has_videos:
        del record["every"]
    if record.keys() - known.keys():
        write_json(path, {**record, **known})


def save_counts(store: Path, *, aligned: int, kept: int) -> None:
    """Add to the record of a store of crops how many were aligned and how many kept as they were."""
    path = Path(store) / SETTINGS_NAME
    write_json(path, {**read_json(path), COUNTS: {"aligned": aligned, "kept": kept}})


def require_same_settings(
    store: Path, settings: Settings, label_rule: str | None = None, *, has_videos: bool = True
) -> None:
    """Refuse other settings than those that a store was begun with.

    Args:
        store: It need not exist.
        settings: Resolved.
        label_rule: Of FERPlus; None for the default. Stores from before it was written down take any.
        has_videos: Whether videos are to be looked at; otherwise ``every`` may differ.

    Raises:
        ValueError: If a setting differs; the message names each.
    """
    path, wanted = Path(store) / SETTINGS_NAME, {**settings.record(), "label_rule": label_rule or RULE}
    if not has_videos:
        del wanted["every"]
    found = {**wanted, "are_crops": False, **read_json(path)} if path.exists() else wanted
    found = {name: value for name, value in found.items() if name != COUNTS}
    found["label_rule"] = found["label_rule"] or RULE
    differ = [
        f"{name} ({found.get(name)} / {wanted.get(name)})"
        for name in sorted({*found, *wanted} if has_videos else {*found, *wanted} - {"every"})
        if found.get(name) != wanted.get(name)
    ]
    if differ:
        raise ValueError(
            f"The store {store} was begun with other settings: {', '.join(differ)}. Give the same, or "
            "another store."
        )
