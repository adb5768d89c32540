"""Load on a server at the loopback address: requests per second, times, failures, memory; batched or not.

    python benchmarks/serve.py --model runs/ferplus/export/model.onnx
    python benchmarks/serve.py --model MODEL --seconds 60 --clients 64

Clients send one picture with a generated face each, wait for the answer and send again. The server runs in a
process of its own, once with batches and once with one picture at a time; ``--stand-in`` replaces the
detector and the model by a wait, so that the server itself is measured.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import tyro
from rich.table import Table

from halfsmile.data.synthetic import generate
from halfsmile.utils.console import make_console


@dataclass(frozen=True)
class Options:
    """What to measure.

    Args:
        model: An exported model; None for the model in the box.
        seconds: Length of each measurement.
        clients: Clients at once.
        side: Side of the pictures in pixels.
        batches: Largest batches to compare.
        workers: Numbers of predictors side by side to compare, each with its share of the threads.
        rounds: How often all are measured in turn; the median counts.
        threads: Threads of all predictors together.
        stand_in: Milliseconds that a stand-in takes for a batch, and half of that for each picture; None uses
            the real predictor.
        serve_batch: Used by the program itself: serve with this batch.
        serve_workers: Likewise, with so many predictors.
    """

    model: Path | None = None
    seconds: float = 10.0
    clients: int = 64
    side: int = 256
    batches: tuple[int, ...] = (8, 1)
    workers: tuple[int, ...] = (1,)
    rounds: int = 1
    threads: int = 1
    stand_in: float | None = None
    serve_batch: int | None = None
    serve_workers: int = 1


class StandIn:
    """Finds nothing, in a given time: what is left is the server's own."""

    def __init__(self, milliseconds: float) -> None:
        facts = SimpleNamespace(name="stand-in", labels=("neutral",), temperature=1.0, card="")
        self.model: Any = SimpleNamespace(facts=facts)
        self.threshold = None
        self.seconds = milliseconds / 1e3

    def faces(self, images: Sequence[Any], sources: Sequence[str]) -> list[list[Any]]:
        """None, after a while."""
        time.sleep(self.seconds * (1 + len(images) / 2))
        return [[] for _ in images]

    def video(self, source: Any, *, frames_without_face: bool) -> Iterator[Any]:
        """None."""
        return iter(())


def serve(options: Options, batch: int) -> None:
    """Serve on a free port, whose number is printed."""
    from halfsmile.predict.predictor import Predictor
    from halfsmile.serve.app import create_app
    from halfsmile.serve.limits import ServerLimits
    from halfsmile.serve.run import listen, make_server

    def make() -> Any:
        if options.stand_in is not None:
            return StandIn(options.stand_in)
        return Predictor(options.model, threads=max(1, options.threads // options.serve_workers))

    predictor, *more = (make() for _ in range(options.serve_workers))
    listener = listen("127.0.0.1", 0)
    print(listener.getsockname()[1], flush=True)
    with suppress(KeyboardInterrupt):
        make_server(create_app(predictor, ServerLimits(batch=batch), more=more)).run(sockets=[listener])


@contextmanager
def server(batch: int, workers: int) -> Iterator[tuple[int, int]]:
    """Port and process of a server."""
    own = ["--serve-batch", str(batch), "--serve-workers", str(workers)]
    command = [sys.executable, __file__, *sys.argv[1:], *own]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = process.stdout.readline() if process.stdout else ""
            if not port:
                raise SystemExit("The server did not start.")
            yield int(port), process.pid
        finally:
            process.send_signal(signal.SIGINT)


def picture(seed: int, side: int) -> bytes:
    face = generate(1, size=side // 2, seed=seed, people=20).images[0]
    image = np.full((side, side, 3), 128, np.uint8)
    image[side // 4 : side // 4 + side // 2, side // 4 : side // 4 + side // 2] = face
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return bytes(data)


def client(port: int, data: bytes, until: float, times: list[float], statuses: Counter[str]) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    while time.monotonic() < until:
        start = time.monotonic()
        try:
            connection.request("POST", "/v1/predict", data, {"Content-Type": "image/jpeg"})
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, HTTPException) as error:
            statuses[type(error).__name__] += 1
            connection.close()
            continue
        statuses[str(answer.status)] += 1
        if answer.status == 200:
            times.append(time.monotonic() - start)
            statuses["in time"] += time.monotonic() < until
            if json.loads(body)["results"][0]["error"]:
                statuses["error in a result"] += 1


def memory(process: int) -> float:
    """Resident memory of a process in MiB (Linux)."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure(options: Options, batch: int, workers: int, pictures: list[bytes]) -> dict[str, Any]:
    with server(batch, workers) as (port, process):
        warm = Counter[str]()
        client(port, pictures[0], time.monotonic() + 1.0, [], warm)
        before = memory(process)
        times: list[float] = []
        statuses = Counter[str]()
        until = time.monotonic() + options.seconds
        threads = [
            threading.Thread(target=client, args=(port, pictures[i % len(pictures)], until, times, statuses))
            for i in range(options.clients)
        ]
        for thread in threads:
            thread.start()
        time.sleep(options.seconds / 2)
        middle = memory(process)
        for thread in threads:
            thread.join()
        after = memory(process)
    p50, p95, p99 = np.percentile(times, [50, 95, 99]) * 1e3 if times else (np.nan,) * 3
    return {
        "rate": statuses.pop("in time", 0) / options.seconds,
        "times": f"{p50:.0f} / {p95:.0f} / {p99:.0f}",
        "statuses": ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items())),
        "failures": sum(count for status, count in statuses.items() if status not in ("200", "429")),
        "memory": f"{before:.0f} → {middle:.0f} → {after:.0f}",
    }


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    if options.serve_batch is not None:
        serve(options, options.serve_batch)
        return
    pictures = [picture(seed, options.side) for seed in range(16)]
    table = Table(
        "largest batch",
        "predictors",
        "requests/s",
        "p50 / p95 / p99, ms",
        "answers",
        "failures",
        "memory, MiB",
    )
    kinds = [(batch, workers) for batch in options.batches for workers in options.workers]
    rounds = [[measure(options, *kind, pictures) for kind in kinds] for _ in range(options.rounds)]
    rates = []
    for kind, alike in zip(kinds, zip(*rounds, strict=True), strict=True):
        found = sorted(alike, key=lambda one: float(one["rate"]))[len(alike) // 2]
        rates.append(found["rate"])
        table.add_row(
            *map(str, kind), f"{found['rate']:.1f}", found["times"], found["statuses"],
            str(found["failures"]), found["memory"],
        )  # fmt: skip
    console = make_console()
    console.print(table)
    if len(rates) > 1 and rates[-1]:
        console.print(f"first / last: {rates[0] / rates[-1]:.2f}")


if __name__ == "__main__":
    main()
