"""What YuNet and MTCNN find in the same pictures, how far their landmarks lie apart, and how fast they are.

    python benchmarks/detect.py photos faces.zip --model face_detection_yunet_2026may.onnx --sheet sheet.png

Faces of the two are the same where their boxes overlap by more than 0.4. Distances are shares of YuNet's
eye distance, the mean of the five points. Speeds are of detection alone, without decoding, by processor time
of one thread, so that other programs on the machine change little. On the contact sheet YuNet is green and
MTCNN red; pictures on which they disagree come first.
"""

from __future__ import annotations

import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import numpy.typing as npt
import tyro
from rich.console import Console
from rich.table import Table
from scipy.optimize import linear_sum_assignment

from halfsmile.data.decode import read_image
from halfsmile.data.preprocess import Image, preprocess
from halfsmile.faces.boxes import overlaps
from halfsmile.faces.detect import Detection, Detector
from halfsmile.faces.mtcnn import Mtcnn
from halfsmile.faces.yunet import YuNet
from halfsmile.utils.progress import Progress

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
BATCH, TILE, COLUMNS, TILES, SAME = 32, 160, 10, 80, 0.4
GREEN, RED = (0, 200, 0), (230, 0, 0)


@dataclass(frozen=True)
class Options:
    """What to search for faces.

    Args:
        sources: Folders or zip archives of pictures.
        model: YuNet's ONNX file; downloaded once if not given.
        limit: Pictures per source, spread evenly over it.
        canvas: Paste every picture onto a gray square so many pixels large, at a place that its number draws.
        size: Longer side of the pictures that are pasted.
        pad: Add this share of each side around every picture, with copies of its edge (for tight crops).
        faces: How many faces every picture holds, if that is known.
        min_face: MTCNN's smallest face in pixels.
        sheet: Where to write a contact sheet.
    """

    sources: Annotated[tuple[Path, ...], tyro.conf.Positional]
    model: Path | None = None
    limit: int = 400
    canvas: int | None = None
    size: int = 64
    pad: float = 0.0
    faces: int | None = None
    min_face: int = 40
    sheet: Path | None = None


@dataclass
class Finding:
    """What the two found in one picture: faces, and pairs (row of YuNet's, row of MTCNN's)."""

    image: Image
    found: tuple[list[Detection], list[Detection]]
    pairs: list[tuple[int, int]]

    @property
    def alone(self) -> int:
        """Faces that only one of the two found."""
        return sum(map(len, self.found)) - 2 * len(self.pairs)


@dataclass
class Tally:
    """Findings of one source and the seconds that each detector took."""

    findings: list[Finding] = field(default_factory=list)
    seconds: list[float] = field(default_factory=lambda: [0.0, 0.0])
    unreadable: int = 0


def pictures(source: Path, options: Options) -> Iterator[Image | None]:
    """The source's pictures, None for one that can't be read."""
    if source.is_dir():
        names = [str(path.relative_to(source)) for path in source.rglob("*")]
    else:
        names = zipfile.ZipFile(source).namelist()
    names = sorted(name for name in names if name.lower().endswith(SUFFIXES))
    rows = np.linspace(0, len(names) - 1, min(options.limit, len(names))).astype(int)
    for row, name in [(int(row), names[row]) for row in rows]:
        try:
            image = read_image(source, name)
        except ValueError:
            yield None
            continue
        image = np.repeat(image, 3, 2) if image.shape[2] == 1 else image
        y, x = (round(options.pad * side) for side in image.shape[:2])
        image = np.pad(image, ((y, y), (x, x), (0, 0)), "edge")
        yield image if options.canvas is None else pasted(image, options.size, options.canvas, seed=row)


def pasted(image: Image, size: int, canvas: int, *, seed: int) -> Image:
    """A picture, ``size`` pixels large, somewhere on a gray square of ``canvas`` pixels."""
    scale = size / max(image.shape[:2])
    height, width = (max(1, round(scale * side)) for side in image.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(image, (width, height), interpolation=method)
    left, top = np.random.default_rng(seed).integers(0, canvas - size, 2, endpoint=True)
    found = np.full((canvas, canvas, 3), 128, np.uint8)
    found[top : top + height, left : left + width] = small
    return found


def match(first: Sequence[Detection], second: Sequence[Detection]) -> list[tuple[int, int]]:
    """Pairs of the same face, one to one, with the largest sum of overlaps."""
    if not first or not second:
        return []
    shares = overlaps(np.stack([face.box for face in first]), np.stack([face.box for face in second]))
    pairs = zip(*linear_sum_assignment(-shares), strict=True)
    return [(int(a), int(b)) for a, b in pairs if shares[a, b] > SAME]


def compare(source: Path, detectors: Sequence[Detector], options: Options) -> Tally:
    tally = Tally()
    images = list(pictures(source, options))
    readable = [image for image in images if image is not None]
    tally.unreadable = len(images) - len(readable)
    for one in detectors:
        one.detect(readable[:2])
    with Progress(f"{source.name}", total=len(readable)) as shown:
        for start in range(0, len(readable), BATCH):
            batch, found = readable[start : start + BATCH], []
            for index, one in enumerate(detectors):
                begin = time.process_time()
                found.append(one.detect(batch))
                tally.seconds[index] += time.process_time() - begin
            for image, first, second in zip(batch, *found, strict=True):
                tally.findings.append(Finding(image, (first, second), match(first, second)))
            shown.advance(len(batch))
    return tally


def distances(findings: Sequence[Finding]) -> npt.NDArray[np.float64]:
    """(N, 5) distances of the landmarks of the faces that both found, in eye distances."""
    rows = []
    for finding in findings:
        for a, b in finding.pairs:
            points, others = (
                np.asarray(side[row].landmarks) for side, row in zip(finding.found, (a, b), strict=True)
            )
            rows.append(np.linalg.norm(points - others, axis=1) / np.linalg.norm(points[0] - points[1]))
    return np.array(rows).reshape(-1, 5)


def show(tallies: dict[str, Tally], options: Options, console: Console) -> None:
    table = Table(
        "source", "pictures", "faces of both", "YuNet only", "MTCNN only", "landmarks apart, median", "95 %"
    )
    for name in ("YuNet", "MTCNN"):
        if options.faces is not None:
            table.add_column(f"{name} missed / extra")
        table.add_column(f"{name} pictures/s")
    for source, tally in tallies.items():
        both = sum(len(finding.pairs) for finding in tally.findings)
        counts = np.array([[len(side) for side in finding.found] for finding in tally.findings])
        apart = distances(tally.findings).mean(1)
        middle, high = np.percentile(apart, (50, 95)) if len(apart) else (np.nan, np.nan)
        row = [source, str(len(counts)), str(both)]
        row += [str(only) for only in counts.sum(0) - both] + [f"{middle:.3f}", f"{high:.3f}"]
        for index in range(2):
            if options.faces is not None:
                off = counts[:, index] - options.faces
                row.append(f"{-off[off < 0].sum()} / {off[off > 0].sum()}")
            row.append(f"{len(counts) / tally.seconds[index]:.0f}")
        table.add_row(*row)
        if tally.unreadable:
            console.print(f"{source}: {tally.unreadable} pictures can't be read")
    console.print(table)


def write_sheet(path: Path, findings: Sequence[Finding]) -> None:
    tiles = []
    for finding in sorted(findings, key=lambda finding: -finding.alone)[:TILES]:
        zoom = TILE * 2 / max(finding.image.shape[:2])
        canvas = preprocess(finding.image, TILE * 2, 3)
        corner = (TILE * 2 - np.array(finding.image.shape[1::-1]) * zoom) // 2
        for faces, color in zip(finding.found, (GREEN, RED), strict=True):
            for face in faces:
                left, top, right, bottom = (int(v) for v in face.box * zoom + np.tile(corner, 2))
                cv2.rectangle(canvas, (left, top), (right, bottom), color, 2)
                for x, y in np.asarray(face.landmarks) * zoom + corner:
                    cv2.circle(canvas, (int(x), int(y)), 3, color, -1)
        tiles.append(preprocess(canvas, TILE, 3))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    rows = [np.concatenate(tiles[start : start + COLUMNS], 1) for start in range(0, len(tiles), COLUMNS)]
    cv2.imwrite(str(path), cv2.cvtColor(np.concatenate(rows), cv2.COLOR_RGB2BGR))


def main(options: Options) -> None:
    cv2.setNumThreads(1)
    detectors = YuNet(options.model), Mtcnn(min_face=options.min_face, threads=1)
    tallies = {source.name: compare(source, detectors, options) for source in options.sources}
    show(tallies, options, Console(width=200))
    if options.sheet is not None:
        write_sheet(options.sheet, [finding for tally in tallies.values() for finding in tally.findings])


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
