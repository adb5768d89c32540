"""How fast `halfsmile pseudo-label` is on one processor, and what a face costs on the disk.

    python benchmarks/pseudo_label.py store --faces 2000 --repeats 5

Ranges of the store are classified in this process; of several repeats the fastest counts, in seconds of
processor time, so that other programs on the machine change little. Faces are read from the page cache. Bytes
are those of all faces of the store in its shards, beside the same faces as `prepare` encodes them at several
sizes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.console import Console

from halfsmile.data.preprocess import preprocess
from halfsmile.data.store.read import FaceStore, read_index
from halfsmile.data.store.shards import BLOCK, padded
from halfsmile.faces.prepare.face import encode
from halfsmile.faces.prepare.settings import Settings
from halfsmile.predict.model import read_model
from halfsmile.predict.pseudo_labels.parts import RANGE
from halfsmile.predict.pseudo_labels.work import Labeler


@dataclass(frozen=True)
class Options:
    """What to measure.

    Args:
        store: A face store.
        model: An exported model; that in the box if missing.
        faces: Faces that are labeled, from the beginning of the store.
        repeats: The fastest of so many counts.
        sizes: Sides of faces whose bytes are counted.
    """

    store: Annotated[Path, tyro.conf.Positional]
    model: Path | None = None
    faces: int = 2048
    repeats: int = 5
    sizes: tuple[int, ...] = (112, 64)


def main(options: Options) -> None:
    rows = read_index(options.store, ["shard", "offset", "length"])[0].slice(0, options.faces)
    label = Labeler(options.store, read_model(options.model))
    ranges = [rows.slice(start, RANGE) for start in range(0, len(rows), RANGE)]
    seconds = []
    for _ in range(options.repeats):
        start = time.process_time()
        for part in ranges:
            list(label(part))
        seconds.append(time.process_time() - start)
    console = Console()
    console.print(f"{len(rows) / min(seconds):,.0f} faces/s on one processor, {len(rows):,} faces")
    faces = FaceStore(options.store, threads=1)
    images = [faces.image(row) for row in range(len(rows))]
    index = (options.store / "index.parquet").stat().st_size / len(faces)
    console.print(f"index: {index:,.0f} bytes a face")
    for size in options.sizes:
        lengths = np.array([len(encode(preprocess(image, size, 3), Settings())) for image in images])
        stored = np.mean([BLOCK + padded(int(length)) for length in lengths])
        console.print(f"{size} px: {lengths.mean():,.0f} bytes of JPEG, {stored:,.0f} in a shard")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
