"""Rates of a face store: writing, opening its index, shuffling, reading at random, raw and decoded.

Generated faces are used over and over under names of their own. The store is made below ``--folder`` and
removed afterwards; each part of the reading runs in a process of its own, so that its memory can be told.

    python benchmarks/store.py --folder /tmp --faces 1000000 --size 64
    python benchmarks/store.py --folder /tmp --faces 20000 --size 112 --threads 2
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import tyro
from rich.table import Table

from halfsmile.data.samplers import ShuffledSampler
from halfsmile.data.store.read import FaceStore, read
from halfsmile.data.store.write import StoredFace, StoreWriter
from halfsmile.data.synthetic import generate
from halfsmile.utils.console import make_console

BATCH = 256


@dataclass(frozen=True)
class Options:
    """What to measure.

    Args:
        folder: Where the store is made; it needs about 4 kB a face at 112 pixels.
        faces: Number of faces.
        size: Their side in pixels.
        threads: Threads that decode.
        quality: Of the JPEG files.
        seconds: How long to read.
    """

    folder: Path
    faces: int = 100_000
    size: int = 64
    threads: int = 2
    quality: int = 90
    seconds: float = 10.0


Pool = list[tuple[bytes, list[float]]]


def make_pool(options: Options) -> Pool:
    made = generate(1000, size=options.size, seed=0, people=1000)
    settings = [cv2.IMWRITE_JPEG_QUALITY, options.quality]
    return [
        (bytes(cv2.imencode(".jpg", image[:, :, ::-1], settings)[1]), landmarks.ravel().tolist())
        for image, landmarks in zip(made.images, made.landmarks, strict=True)
    ]


def faces(pool: Pool, numbers: range, size: int) -> Iterator[StoredFace]:
    for number in numbers:
        data, landmarks = pool[number % len(pool)]
        data += number.to_bytes(8, "big")  # behind the JPEG's end: every face has a hash of its own
        person = str(number % 5000)
        box = (0, 0, size, size)
        yield StoredFace(
            data, size, size, box=box, landmarks=landmarks, score=0.9, person=person, split="train"
        )


def peak_megabytes() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def measure(part: str, root: Path, options: Options) -> dict[str, float]:
    before, start, processor = peak_megabytes(), time.perf_counter(), time.process_time()
    if part == "manifest":
        rows = len(read(root))
        seconds, processor = time.perf_counter() - start, time.process_time() - processor
        return {"rows": rows, "s": seconds, "processor s": processor, "MB": peak_megabytes() - before}
    store = FaceStore(root, threads=options.threads)
    opened, processor = time.perf_counter() - start, time.process_time() - processor
    sampler = ShuffledSampler(len(store), batch_size=BATCH, seed=0)

    def batch(step: int) -> None:
        if part == "raw":
            for row in sampler(step):
                store.read(row)
        else:
            store.images(sampler(step), size=options.size, channels=3)

    batch(0)
    first = time.perf_counter() - start - opened
    for step in range(max(len(store) // BATCH, 1) if len(store) < 50_000 else 20):
        batch(step)  # warm
    start, used, step = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - start < options.seconds:
        batch(step := step + 1)
    rate = step * BATCH / (time.perf_counter() - start)
    return {
        "open s": opened,
        "processor s": processor,
        "first batch s": first,
        "faces/s": rate,
        "faces per processor s": step * BATCH / (time.process_time() - used),
        "MB": peak_megabytes() - before,
        "MB of process": peak_megabytes(),
    }


def main() -> None:
    if sys.argv[1:2] == ["--part"]:
        options = Options(Path(), **json.loads(sys.argv[4]))
        print(json.dumps(measure(sys.argv[2], Path(sys.argv[3]), options)))
        return
    options = tyro.cli(Options, description=__doc__)
    table = Table("part", "result")
    folder = Path(tempfile.mkdtemp(prefix="store-benchmark-", dir=options.folder))
    root = folder / "store"
    try:
        pool = make_pool(options)
        start = time.perf_counter()
        with StoreWriter(root) as writer:
            for source in range(0, options.faces, 50):
                numbers = range(source, min(source + 50, options.faces))
                writer.add(f"album/{source:08d}", faces(pool, numbers, options.size))
        seconds = time.perf_counter() - start
        size = sum(path.stat().st_size for path in root.iterdir())
        rate = f"{options.faces / seconds:,.0f} faces/s, {size / options.faces:,.0f} bytes a face"
        table.add_row("write", rate)
        index = (root / "index.parquet").stat().st_size
        table.add_row("index file", f"{index / 2**20:.1f} MB")
        for part in ("manifest", "raw", "decoded"):
            settings = {n: getattr(options, n) for n in ("faces", "size", "threads", "seconds")}
            command = [sys.executable, __file__, "--part", part, str(root), json.dumps(settings)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found = json.loads(done.stdout)
            table.add_row(part, ", ".join(f"{name} {value:,.3g}" for name, value in found.items()))
    finally:
        shutil.rmtree(folder)
    make_console().print(table)


if __name__ == "__main__":
    main()
