"""How fast `halfsmile data prepare` is, and where the time goes: reading, finding, aligning, writing.

    python benchmarks/prepare.py photos faces.zip clip.mp4 --model face_detection_yunet_2026may.onnx
    python benchmarks/prepare.py faces.zip --detector mtcnn --side 250

The store is made below ``--folder`` and removed afterwards. One process does the work, in turn: rates are for
each second of processor time, so that other programs on the machine change little. Workers multiply them as
long as there are processors. ``--side`` enlarges every picture, edges continued by ``--pad``, to that many
pixels: photographs can be made of aligned faces that way.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import cv2
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from halfsmile.data.decode import read_image
from halfsmile.data.preprocess import Image
from halfsmile.faces.prepare.pipeline import prepare
from halfsmile.faces.prepare.settings import Settings
from halfsmile.faces.prepare.sources import FaceSource, find
from halfsmile.faces.video.frames import probe

KINDS = ("decode", "detect", "track", "align", "write")


@dataclass(frozen=True)
class Options:
    """What to measure.

    Args:
        sources: Pictures, folders, archives and videos; each is measured by itself.
        detector: Who finds the faces.
        model: YuNet's ONNX file.
        aligned: Take pictures for aligned faces.
        limit: Pictures per source, spread evenly over it.
        side: Make all pictures squares of this side.
        pad: Share of a side that is added all around before that.
        every: Take every n-th frame of a video.
        folder: Where the store is made.
    """

    sources: Annotated[tuple[Path, ...], tyro.conf.Positional]
    detector: Literal["auto", "yunet", "mtcnn"] = "auto"
    model: Path | None = None
    aligned: bool = False
    limit: int = 1000
    side: int | None = None
    pad: float = 0.6
    every: int = 3
    folder: Path = Path(tempfile.gettempdir())


def pictures(source: Path, options: Options, folder: Path) -> Path:
    """Some pictures of a source as files in a folder of their own."""
    found = [item for item in find([source], layout="folder") if not item.is_video]
    folder.mkdir()
    for row in np.linspace(0, len(found) - 1, min(options.limit, len(found))).astype(int).tolist():
        cv2.imwrite(str(folder / f"{row:07d}.jpg"), _picture(found[row], options))
    return folder


def _picture(source: FaceSource, options: Options) -> Image:
    image = read_image(source.root, source.locator)
    image = np.ascontiguousarray(image[:, :, ::-1])
    if options.side is None:
        return image
    y, x = (round(options.pad * side) for side in image.shape[:2])
    padded = np.pad(image, ((y, y), (x, x), (0, 0)), "edge")
    return np.asarray(cv2.resize(padded, (options.side, options.side), interpolation=cv2.INTER_CUBIC))


def main(options: Options) -> None:
    settings = Settings(
        detector="aligned" if options.aligned else options.detector, model=options.model, every=options.every
    )
    table = Table("source", "pictures", "faces", "faces/s", "rate", *(f"{kind}, ms" for kind in KINDS))
    folder = Path(tempfile.mkdtemp(prefix="prepare-benchmark-", dir=options.folder))
    try:
        for number, source in enumerate(options.sources):
            is_video = source.is_file() and all(item.is_video for item in find([source]))
            names = source if is_video else pictures(source, options, folder / f"{number}")
            start = time.process_time()
            summary = prepare(
                [names], folder / f"store-{number}", settings=settings, layout="folder", workers=0
            )
            seconds = time.process_time() - start
            video = probe(source) if is_video else None
            count = round((video.duration or 0) * (video.rate or 0)) if video else summary.sources
            rate = f"{count / seconds:,.0f} pictures/s"
            if video:
                size = f"{video.width} × {video.height}"
                rate = f"{(video.duration or 0) / seconds:.1f} × real time, {size}, every {options.every}"
            kinds = (f"{1000 * summary.seconds.get(kind, 0.0) / count:.2f}" for kind in KINDS)
            table.add_row(
                source.name,
                f"{count:,}",
                f"{summary.faces:,}",
                f"{summary.faces / seconds:,.0f}",
                rate,
                *kinds,
            )
    finally:
        shutil.rmtree(folder)
    Console(width=180).print(table)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
