"""Load on a server at the loopback address: requests per second, times, failures, memory; batched or not.

    python benchmarks/serve.py --model runs/ferplus/export/model.onnx
    python benchmarks/serve.py --model MODEL --seconds 60 --clients 64
    python benchmarks/serve.py --against ../older --threads 2 --rounds 3

Clients send one picture with a generated face each, wait for the answer and send again. The server runs in a
process of its own, once with batches and once with one picture at a time; ``--stand-in`` replaces the
detector and the model by a wait, so that the server itself is measured.

``--against`` names another checkout of the project (``git worktree add --detach ../older COMMIT``). Then this
tree's ``halfsmile serve`` and that one's answer in turn, each as it comes: with its own detector, batches,
number of predictors and model in the box, unless ``--model`` names one for both.
"""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
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

ROOT = Path(__file__).resolve().parents[1]


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
        against: Another checkout of the project, whose server is measured in turn with this one's.
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
    against: Path | None = None
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


@dataclass(frozen=True)
class Side:
    """A server to measure.

    Args:
        names: What the table calls it, a column each.
        command: Starts it; a line that it prints ends in its port or has its address.
        sources: Comes first on PYTHONPATH.
    """

    names: tuple[str, ...]
    command: tuple[str, ...]
    sources: Path = ROOT / "src"


def own_sides(options: Options) -> list[Side]:
    """This program as a server, with each largest batch and number of predictors."""
    again = (str(Path(__file__).resolve()), *sys.argv[1:])
    return [
        Side((str(batch), str(n)), (*again, "--serve-batch", str(batch), "--serve-workers", str(n)))
        for batch in options.batches
        for n in options.workers
    ]


def compared_sides(options: Options, other: Path) -> list[Side]:
    """``halfsmile serve`` of this tree and of another, with what both understand.

    Raises:
        SystemExit: If the other folder holds no checkout of the project, or options don't fit.
    """
    if not (other / "src" / "halfsmile").is_dir():
        raise SystemExit(f"{other} has no src/halfsmile: name the folder of another checkout of the project.")
    own = (options.batches, options.workers, options.stand_in)
    if own != (Options.batches, Options.workers, Options.stand_in):
        raise SystemExit("--against takes servers as they come: leave out --batches, --workers, --stand-in.")
    model = () if options.model is None else ("--model", str(options.model.absolute()))
    command = ("-m", "halfsmile", "serve", "--port", "0", "--threads", str(options.threads), *model)
    sources = other.absolute() / "src"
    return [Side(("this tree",), command), Side((other.name,), command, sources)]


def port_of(line: str) -> int | None:
    """The port that a line tells, alone or in an address.

    Example:
        >>> port_of("8001"), port_of("serves x at http://127.0.0.1:8002 (Ctrl-C stops)"), port_of("Warning")
        (8001, 8002, None)
    """
    found = re.search(r"^(\d+)$|http://[\d.]+:(\d+)", line.strip())
    return found and int(found[1] or found[2])


def _drain(said: Iterable[str]) -> None:
    """Read what nobody needs: a pipe that is full stops who writes into it."""
    with suppress(ValueError):  # closed, once the server has ended
        for _ in said:
            pass


@contextmanager
def server(side: Side) -> Iterator[tuple[int, int]]:
    """Port and process of a server.

    Raises:
        SystemExit: If it did not start, with what it said.
    """
    path = os.pathsep.join([str(side.sources), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "300"}
    command = [sys.executable, *side.command]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        try:
            said = []
            for line in process.stdout or ():
                if port := port_of(line):
                    break
                said.append(line)
            else:
                raise SystemExit(f"The server ({', '.join(side.names)}) did not start: {''.join(said)}")
            threading.Thread(target=_drain, args=(process.stdout or (),), daemon=True).start()
            yield port, process.pid
        finally:
            process.terminate()


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
    connection.close()


def memory(process: int) -> float:
    """Resident memory of a process in MiB (Linux)."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def answerers(port: int) -> str:
    """Model and detector, as the server tells them."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/v1/model")
    told = json.loads(connection.getresponse().read())
    connection.close()
    return f"{told['name']}, {told.get('detector', 'detector not told')}"


def measure(options: Options, side: Side, pictures: list[bytes]) -> dict[str, Any]:
    with server(side) as (port, process):
        warm = Counter[str]()
        client(port, pictures[0], time.monotonic() + 1.0, [], warm)
        model, before = answerers(port), memory(process)
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
        "model": model,
    }


def in_turn(options: Options, sides: list[Side], pictures: list[bytes]) -> list[list[dict[str, Any]]]:
    """What was measured of each side, a round each; every other round begins with the last side."""
    found: list[list[dict[str, Any]]] = [[] for _ in sides]
    for number in range(options.rounds):
        order = range(len(sides)) if number % 2 == 0 else reversed(range(len(sides)))
        for index in order:
            found[index].append(measure(options, sides[index], pictures))
    return found


def ratio(first: list[float], last: list[float]) -> str:
    """How many times the rate of the last the first has: the median of the rounds, and their range.

    Example:
        >>> ratio([200.0, 190.0, 240.0], [100.0, 100.0, 100.0])
        '2.00 (1.90 to 2.40, rounds: 3)'
    """
    rounds = [one / other if other else math.nan for one, other in zip(first, last, strict=True)]
    return f"{np.median(rounds):.2f} ({min(rounds):.2f} to {max(rounds):.2f}, rounds: {len(rounds)})"


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    if options.serve_batch is not None:
        serve(options, options.serve_batch)
        return
    if options.against is None:
        sides, columns = own_sides(options), ["largest batch", "predictors"]
    else:
        sides, columns = compared_sides(options, options.against), ["server of"]
    pictures = [picture(seed, options.side) for seed in range(16)]
    found = in_turn(options, sides, pictures)
    table = Table(
        *columns, "requests/s", "p50 / p95 / p99, ms", "answers", "failures", "memory, MiB", "model, detector"
    )
    for side, rounds in zip(sides, found, strict=True):
        middle = sorted(rounds, key=lambda one: float(one["rate"]))[len(rounds) // 2]
        table.add_row(
            *side.names, f"{middle['rate']:.1f}", middle["times"], middle["statuses"],
            str(sum(one["failures"] for one in rounds)), middle["memory"], middle["model"],
        )  # fmt: skip
    console = make_console()
    console.print(table)
    if len(sides) > 1:
        first, last = ([one["rate"] for one in rounds] for rounds in (found[0], found[-1]))
        console.print(f"first / last: {ratio(first, last)}")


if __name__ == "__main__":
    main()
