"""What a manifest holds: faces per class, split and person; if asked, sizes and light of the pictures."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from halfsmile.data.decode import BadImageError, read_image
from halfsmile.data.manifest import SPLITS, Manifest
from halfsmile.utils.console import plain
from halfsmile.utils.parallel.threads import map_in_threads
from halfsmile.utils.progress import Progress

PERCENTILES = (0, 5, 25, 50, 75, 95, 100)
_CHUNK = 256

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Stats:
    """Numbers about a manifest.

    Args:
        faces: Number of rows.
        per_split: Faces by split; ``none`` are those without one.
        per_class: Faces by split and class; ``none`` are those without a label.
        people: Number of people by split; ``none`` where the split is not known.
        named_people: Number of different people; one who stands in two splits counts once.
        videos: Number of videos.
        faces_per_person: Percentiles of the number of faces of a person, as ``measures``.
        with_box: Rows with a face box.
        with_landmarks: Rows with landmarks.
        with_votes: Rows with votes.
        measures: Percentiles by name of the measure, such as ``width``, ``brightness`` or ``quality_size``;
            the keys are 0, 5, 25, 50, 75, 95 and 100.
        bad: (locator, reason) of the pictures that could not be read.
    """

    faces: int
    per_split: dict[str, int]
    per_class: dict[str, dict[str, int]]
    people: dict[str, int]
    named_people: int
    videos: int
    faces_per_person: dict[int, float]
    with_box: int
    with_landmarks: int
    with_votes: int
    measures: dict[str, dict[int, float]]
    bad: tuple[tuple[str, str], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def counts(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows of a table: faces of each class in each split, and of all classes."""
        found = self.per_class
        labels = [
            n for n in next(iter(found.values()), {}) if n != "none" or any(f[n] for f in found.values())
        ]
        rows = [
            [
                "no label" if label == "none" else label,
                *(f"{of_split[label]:,}" for of_split in found.values()),
            ]
            for label in labels
        ]
        rows.append(["all", *(f"{count:,}" for count in self.per_split.values())])
        return ["class", *("no split" if split == "none" else split for split in found)], rows

    def render(self, console: Console) -> None:
        """Print as tables."""
        console.print(f"{self.faces:,} faces, {self.named_people:,} people, {self.videos:,} videos")
        header, rows = self.counts()
        table = Table(*header, title="Faces per class")
        for row in rows:
            table.add_row(*plain(row), style="bold" if row is rows[-1] else None)
        console.print(table)
        if self.measures:
            table = Table(
                "measure", *(f"{p} %" for p in PERCENTILES), title="Percentiles: so many faces have less"
            )
            for name, found in self.measures.items():
                told = name.replace("quality_", "quality, ").replace("_", " ")
                table.add_row(*plain((told, *(f"{value:.3g}" for value in found.values()))))
            console.print(table)
        if self.bad:
            console.print(f"{len(self.bad):,} pictures can't be read, first {self.bad[0][1]}", markup=False)


def describe(
    manifest: Manifest, *, pixels: bool = False, index: pa.Table | None = None, progress: bool = True
) -> Stats:
    """Count.

    Args:
        manifest: Rows to count.
        pixels: Also read every picture and measure width, height, brightness (mean gray value) and contrast
            (its standard deviation), each from 0 to 255.
        index: Rows of a face store's index; its numeric measures (``score``, ``quality_*``, and sizes) are
            added.
        progress: Show progress on standard error when it takes more than two seconds.
    """
    labels = [*(manifest.taxonomy.labels if manifest.taxonomy else ()), "none"]
    splits = [value or "none" for value in manifest.column("split")]
    found = Counter(zip(splits, (value or "none" for value in manifest.column("label")), strict=True))
    per_split = Counter(splits)
    ordered = [name for name in (*SPLITS, "none") if name in per_split]
    named = [p for p in zip(splits, manifest.column("person"), strict=True) if p[1] is not None]
    people = Counter(split for split, _ in set(named))
    measures: dict[str, Values] = {}
    if index is not None:
        names = [
            n for n in index.column_names if n in ("width", "height", "score") or n.startswith("quality_")
        ]
        measures |= {n: index[n].drop_null().to_numpy().astype(np.float64) for n in names}
    measured, bad = _measure(manifest, progress=progress) if pixels else ({}, ())
    return Stats(
        faces=len(manifest),
        per_split={name: per_split[name] for name in ordered},
        per_class={split: {label: found[split, label] for label in labels} for split in ordered},
        people={name: people[name] for name in ordered if people[name]},
        named_people=len({person for _, person in named}),
        videos=len(set(manifest.column("video")) - {None}),
        faces_per_person=_percentiles(np.array([*Counter(p for _, p in named).values()], np.float64)),
        with_box=len(manifest) - manifest.table["box"].null_count,
        with_landmarks=len(manifest) - manifest.table["landmarks"].null_count,
        with_votes=len(manifest) - manifest.table["votes"].null_count,
        measures={n: _percentiles(values) for n, values in (measures | measured).items() if len(values)},
        bad=bad,
    )


def _percentiles(values: Values) -> dict[int, float]:
    if not len(values):
        return {}
    found = np.percentile(values, PERCENTILES).tolist()
    return dict(zip(PERCENTILES, found, strict=True))


def _measure(manifest: Manifest, *, progress: bool) -> tuple[dict[str, Values], tuple[tuple[str, str], ...]]:
    locators, root = manifest.column("image"), Path(manifest.root)
    values = np.full((len(locators), 4), np.nan)
    bad: dict[int, str] = {}

    def load(start: int) -> int:
        rows = range(start, min(start + _CHUNK, len(locators)))
        for row in rows:
            try:
                image = read_image(root, locators[row])
            except BadImageError as error:
                bad[row] = str(error)
                continue
            gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.shape[2] == 3 else image[:, :, 0]
            mean, deviation = cv2.meanStdDev(gray)
            values[row] = image.shape[1], image.shape[0], mean.item(), deviation.item()
        return len(rows)

    with Progress("measuring pictures", total=len(locators), active=progress) as shown:
        for count in map_in_threads(load, range(0, len(locators), _CHUNK)):
            shown.advance(count)
    kept = values[~np.isnan(values[:, 0])]
    names = ("width", "height", "brightness", "contrast")
    return {name: kept[:, i] for i, name in enumerate(names)}, tuple(
        (locators[row], bad[row]) for row in sorted(bad)
    )
