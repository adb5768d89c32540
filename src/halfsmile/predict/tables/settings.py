"""How the rows of a table were made: ``faces.csv.settings.json`` beside ``faces.csv``.

It holds what changes rows and nothing else: neither sources nor what is written besides. A table is only gone
on with by the same settings; readers of the table may look up how it came to be.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from halfsmile import __version__
from halfsmile.faces.detect import innermost
from halfsmile.utils.files import read_json, write_json

if TYPE_CHECKING:
    from halfsmile.predict.options.selection import Selection
    from halfsmile.predict.predictor import Predictor
    from halfsmile.predict.video_options import VideoOptions

Settings = dict[str, Any]
_VERSIONS = "halfsmile"


def settings_path(table: Path) -> Path:
    """Where the settings of a table are."""
    return table.with_name(f"{table.name}.settings.json")


def settings_of(
    predictor: Predictor,
    video: VideoOptions,
    selection: Selection,
    *,
    frames_without_face: bool,
    fps: float | None = None,
) -> Settings:
    """What the rows of a run depend on; a detector of one's own may tell its model's ``sha256``.

    ``fps`` is that of folders of pictures that are recordings; None where they are not.
    """
    temporal, detector = video["temporal"], innermost(predictor.detector)
    return {
        _VERSIONS: [__version__],
        "model": predictor.model.name,
        "model_sha256": predictor.model.sha256,
        "temporal_sha256": None if temporal is None else temporal.sha256,
        "detector": type(detector).__name__,
        "detector_sha256": getattr(detector, "sha256", None),
        "threshold": predictor.threshold,
        "prior": None if predictor.model.prior is None else str(predictor.model.prior),
        "quality": predictor.quality,
        "start": video["start"],
        "end": video["end"],
        "every": video["every"],
        "every_seconds": video["every_seconds"],
        "largest_only": selection.largest_only,
        "min_score": selection.min_score,
        "region": None if selection.region is None else list(selection.region),
        "clip_boxes": predictor.clip_boxes,
        "detect_every": video["detect_every"],
        "smoothing": video["smoothing"],
        "baseline": video["baseline"],
        "neutral": None if video["neutral"] is None else dict(video["neutral"].probabilities),
        "same_people": video["people"] is not None,
        "frames_without_face": frames_without_face,
        "fps": fps,
    }


def resumed_settings(table: Path, settings: Settings) -> Settings | None:
    """The settings of a table that a run with these settings goes on with.

    Args:
        table: The table, whole or partial.
        settings: Of the run.

    Returns:
        Those of the table, with the run's version of halfsmile added; None where the table has none.

    Raises:
        ValueError: If one differs, other than the version; those that only one side knows are not compared.
    """
    path = settings_path(table)
    if not path.exists():
        return None
    found = read_json(path)
    if not isinstance(found, dict) or not isinstance(found.get(_VERSIONS), list):
        raise ValueError(f"{path} holds no settings of a table. Remove it to go on with {table} unchecked.")
    differing = [
        f"{name} was {_shown(found[name])}, now {_shown(value)}"
        for name, value in settings.items()
        if name != _VERSIONS and name in found and found[name] != value
    ]
    if differing:
        raise ValueError(
            f"{table} can't be resumed, since its rows were made otherwise: {'; '.join(differing)}. "
            f"Give the settings of {path.name}, choose another --out, or make it anew without --resume."
        )
    return found | {_VERSIONS: list(dict.fromkeys([*found[_VERSIONS], *settings[_VERSIONS]]))}


def write_settings(table: Path, settings: Settings | None) -> None:
    """Write the settings of a table, atomically; with None there shall be none."""
    if settings is None:
        settings_path(table).unlink(missing_ok=True)
    else:
        write_json(settings_path(table), settings)


def move_settings(table: Path, to: Path) -> None:
    """Make the settings of a table, if it has some, those of the table that it becomes."""
    if settings_path(table).exists():
        settings_path(table).replace(settings_path(to))
    else:
        settings_path(to).unlink(missing_ok=True)


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)
