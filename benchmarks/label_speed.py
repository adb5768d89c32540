"""How quick is ``halfsmile label`` on 100,000 faces? Generated faces, the real server, 5,000 answers.

    python -m benchmarks.label_speed --faces 100000 --answers 5000 --folder speed

The store is made once: generated faces, each many times with another turn, size, light and noise, so that few
are near copies. Pixels are the features, since those of the face network take minutes that say nothing about
the page. The server is a process of its own, asked over a socket: the next eight faces whenever none is left,
their pictures, answers one by one, the state every two seconds; then lists, page after page, as somebody
scrolls. The page itself asks for more faces at once, and before none is left.
With ``--browser`` headless Chromium opens the page as well. Shows times, and the memory of the server.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import tyro
from rich.console import Console
from rich.table import Table

from halfsmile.data.preprocess import Image
from halfsmile.data.store.read import is_store
from halfsmile.data.store.write import StoredFace, StoreWriter
from halfsmile.data.synthetic import generate
from halfsmile.label.session import Labeling
from halfsmile.taxonomy import FERPLUS
from halfsmile.utils.console import make_console
from halfsmile.utils.progress import Progress

SIDE = 48
PEOPLE = 5000
SOURCE = 1000
"""Faces of one source of the store."""
DISTINCT = 2000
AHEAD = 8
"""Faces that are asked for at once; the page asks for up to 16, and again when fewer than 14 are left."""
NEXT_FACE = "answer to the next face"
"""An answer, and all that is asked until the next picture is there; every eighth time the next faces."""
TOLD = (500, 1000, 2000, 3000, 4000)
SCROLLED = 20
"""Pages of a list."""


class Pixels:
    """Gray pixels of a small picture as features."""

    name = "pixels"
    shape = (24, 1)
    width = 24 * 24

    def __call__(self, images: Image) -> npt.NDArray[np.float32]:
        """Features (B, 576)."""
        return (images.reshape(len(images), -1) / 255).astype(np.float32)


def changed(image: Image, rng: np.random.Generator) -> Image:
    """A face turned, moved, scaled, in another light and with noise."""
    angle, scale = rng.uniform(-15, 15), rng.uniform(0.85, 1.2)
    turn = np.asarray(cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), angle, scale), np.float64)
    turn[:, 2] += rng.uniform(-4, 4, 2)
    moved = cv2.warpAffine(image, turn, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT)
    shadow = np.linspace(rng.uniform(0.5, 1.3), rng.uniform(0.5, 1.3), SIDE)[None, :, None]
    noisy = moved * shadow + rng.normal(rng.uniform(-20, 20), 8, moved.shape)
    return np.asarray(noisy.clip(0, 255), np.uint8)


def make_store(root: Path, faces: int) -> None:
    """Write the store, or go on with it."""
    made = generate(min(DISTINCT, faces), size=SIDE, seed=3, people=400, difficulty=0.3)
    with (
        StoreWriter(root, taxonomy=FERPLUS) as writer,
        Progress("making faces", total=faces, active=True) as shown,
    ):
        for start in range(0, faces, SOURCE):
            source = f"faces {start:,}"
            if source not in writer:
                writer.add(source, some_faces(made, start, min(faces, start + SOURCE)))
            shown.advance(min(SOURCE, faces - start))


def some_faces(made: Any, start: int, stop: int) -> Iterator[StoredFace]:
    """Faces of one source."""
    for row in range(start, stop):
        rng = np.random.default_rng([3, row])
        image = changed(made.images[row % len(made)], rng)
        data = bytes(cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1])
        label = FERPLUS.labels[int(made.true_labels[row % len(made)])]
        yield StoredFace(data, SIDE, SIDE, person=f"person {row % PEOPLE}", label=label)


def serve(store: Path, out: Path) -> None:
    """The server's process; prints its address, and what it waited for."""
    import uvicorn

    from halfsmile.label.http.app import LIMITS, create_app
    from halfsmile.label.http.run import use_plain_memory
    from halfsmile.serve.run import PatientProtocol, address_of, listen

    listener = listen("127.0.0.1", 0)
    use_plain_memory()
    begin = time.monotonic()
    labeling = Labeling.open(store, out=out, extractor=Pixels)
    print(f"{address_of(listener)} {time.monotonic() - begin}", flush=True)
    config = uvicorn.Config(
        create_app(labeling),
        http=PatientProtocol,
        ws="none",
        log_level="warning",
        access_log=False,
        timeout_keep_alive=int(LIMITS.idle_seconds),
    )
    uvicorn.Server(config).run(sockets=[listener])


@dataclass
class Client:
    """One connection to the server, and how long each kind of request took.

    Each time is what went by and what the server's threads computed meanwhile, a training among them, in ms:
    on a machine that others use as well the second tells more.

    Args:
        address: Of the server.
        pid: Of its process.
    """

    address: str
    pid: int
    times: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection(self.address.split("/")[2], timeout=600)

    def ask(self, kind: str, path: str, body: Any = None) -> Any:
        """The answer to a request, JSON or bytes."""
        with self.timed(kind):
            return self._ask(path, body)

    @contextmanager
    def timed(self, kind: str) -> Iterator[None]:
        """Count what is done here as one of a kind."""
        begin, computed = time.monotonic(), self.computed()
        yield
        spent = 1000 * (time.monotonic() - begin), self.computed() - computed
        self.times.setdefault(kind, []).append(spent)

    def _ask(self, path: str, body: Any) -> Any:
        data = None if body is None else json.dumps(body)
        self._connection.request("POST" if data else "GET", path, data, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        found = response.read()
        if response.status >= 400:
            raise SystemExit(f"{path}: {response.status} {found.decode()[:300]}")
        is_json = response.headers["content-type"].startswith("application/json")
        return json.loads(found) if is_json else found

    def computed(self) -> float:
        """What all threads of the server have computed so far, in ms."""
        total = 0
        for path in Path(f"/proc/{self.pid}/task").glob("*/schedstat"):
            with suppress(OSError):  # a thread that has ended
                total += int(path.read_text(encoding="ascii").split()[0])
        return total / 1e6

    def memory(self) -> float:
        """Memory of the server that is its own, in MB: mapped files are not counted."""
        pages = Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()
        return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def table(self) -> Table:
        """The times of each kind of request, in ms."""
        table = Table("request", "number", "computed, p50", "p50", "p95", "longest", title="ms")
        for column in table.columns[1:]:
            column.justify = "right"
        for kind, values in self.times.items():
            went, computed = np.array(values).T
            middle, high, worst = np.percentile(went, [50, 95, 100])
            table.add_row(
                kind,
                f"{len(values):,}",
                f"{np.median(computed):.1f}",
                f"{middle:.1f}",
                f"{high:.1f}",
                f"{worst:.0f}",
            )
        return table


def wait_for_features(client: Client, file: Path, faces: int, until: float) -> float:
    """Wait until all faces were looked at and near copies are known.

    Returns:
        The most memory that the server had, in MB, looked at ten times a second.
    """
    most, asked = 0.0, -1.0
    with Progress("looking at faces", total=faces, active=True) as shown:
        done = 0
        while not file.is_file():
            most = max(most, client.memory())
            if time.monotonic() - asked > 1:
                found = client.ask("waiting", "/v1/project")["features"]
                now = found["done"] if found else faces  # from there on copies are sought
                shown.advance(now - done)
                done, asked = now, time.monotonic()
            if time.monotonic() > until:
                raise SystemExit("The features took too long.")
            time.sleep(0.1)
    return most


def answer(client: Client, truth: list[str | None], count: int, until: float, console: Console) -> None:
    """Answer so many faces: eight are asked for when none is left, one picture and one answer at a time."""
    given, polled, waiting = 0, 0.0, list[Any]()

    def next_face() -> str:
        if not waiting:
            waiting.extend(client.ask(f"next {AHEAD} faces", f"/v1/next?count={AHEAD}")["faces"])
        if not waiting:
            raise SystemExit(f"No face is left to ask: give many more --faces than {count:,}.")
        face = str(waiting.pop(0)["id"])
        client.ask("picture", f"/v1/faces/{face}/image")
        return face

    face = next_face()
    while given < count and time.monotonic() < until:
        said = {"face": face, "kind": "label", "labels": [truth[int(face)]], "token": f"t{given}"}
        with client.timed(NEXT_FACE):
            client.ask("answer", "/v1/answers", {"answers": [said]})
            face = next_face()
        given += 1
        if time.monotonic() - polled > 2:
            client.ask("state", "/v1/project")
            polled = time.monotonic()
        if given in TOLD or given == count:
            console.print(f"{given:,} answers: {client.memory():.0f} MB")
    if given < count:
        console.print(f"Time is up after {given:,} answers: {client.memory():.0f} MB")


def scroll(client: Client, faces: int) -> None:
    """Go through lists page by page."""
    for order in ("", "uncertainty", "newest", "disagreement", "doubt"):
        for page in range(SCROLLED):
            offset = page * faces // SCROLLED
            client.ask(
                f"list, {order or 'as they lie'}", f"/v1/faces?sort={order or 'order'}&offset={offset}"
            )
    for path, kind in (
        ("/v1/faces?guess=fear", "list, one guess"),
        ("/v1/grid?guess=fear", "grid"),
        ("/v1/curve", "curve"),
    ):
        client.ask(kind, path)


def browse(address: str, faces: int, console: Console) -> None:
    """Open the page in Chromium: the first face, then a list to its end."""
    from tests.browser import chromium

    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1200, "height": 820})

        def timed(what: str, act: Callable[[], Any], shown: str) -> None:
            begin = time.monotonic()
            act()
            while not page.evaluate(shown):
                page.wait_for_timeout(5)
            console.print(f"{what}: {1000 * (time.monotonic() - begin):.0f} ms")

        face = "document.querySelector('#stage img') !== null"
        timed("page to the first face", lambda: page.goto(address), face)
        all_there = (
            "((tiles) => tiles.length > 8 && tiles.every((tile) => tile.querySelector('img')?.complete))"
            "([...document.querySelectorAll('#browse-scroller .tile')].slice(0, 24))"
        )
        timed("the list, with pictures", lambda: page.click("nav a[href='#browse']"), all_there)
        page.focus("#browse-scroller .tile >> nth=0")
        at_end = f"document.activeElement.ariaLabel?.startsWith('Face {faces - 1},')"
        timed("from its first face to its last", lambda: page.keyboard.press("End"), at_end)
        page.close()


def main(
    faces: int = 100_000,
    answers: int = 5000,
    folder: Path | None = None,
    minutes: float = 10.0,
    browser: bool = False,
    serves: bool = False,
) -> None:
    """Measure.

    Args:
        faces: Number of faces.
        answers: Number of answers.
        folder: Where to keep the store and the features for the next call; a temporary one by default.
        minutes: Stop answering after so long.
        browser: Also open the page in headless Chromium.
        serves: Be the server; for the program itself.
    """
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(folder or temporary)
        store, out = root / f"store-{faces}", root / f"labels-{faces}"
        if serves:
            serve(store, out)
            return
        if not is_store(store) or not (store / "index.parquet").is_file():
            make_store(store, faces)
        for path in [*out.glob("answers.jsonl"), *(out / "models").glob("head-*.npz")]:
            path.unlink()
        measure(store, out, faces, answers, root, 60 * minutes, browser=browser)


def measure(
    store: Path, out: Path, faces: int, answers: int, root: Path, seconds: float, *, browser: bool
) -> None:
    """Everything, on a store."""
    from halfsmile.data.store.read import read

    truth = read(store).column("label")
    command = [sys.executable, __file__, "--serves", "--faces", str(faces), "--folder", str(root)]
    until, ready = time.monotonic() + 3600, out / "features" / "features.npy"
    console = make_console()
    for is_first in (True, False):
        begin = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                address, opened = (process.stdout.readline() if process.stdout else "").split()
                client = Client(address, process.pid)
                client.ask("state", "/v1/project")
                client.ask(f"next {AHEAD} faces", f"/v1/next?count={AHEAD}")
                if is_first and not ready.is_file():
                    looked = time.monotonic()
                    most = wait_for_features(client, ready, faces, until)
                    console.print(
                        f"features and near copies: {time.monotonic() - looked:.0f} s, computed "
                        f"{client.computed() / 1000:.0f} s, {most:.0f} MB at most; begun again"
                    )
                    continue
                console.print(
                    f"start of the process to the first faces: {time.monotonic() - begin:.1f} s, of which "
                    f"opening the session {float(opened):.2f} s; computed {client.computed() / 1000:.1f} s"
                )
                if browser:
                    browse(address, faces, console)
                    client = Client(address, process.pid)  # the old connection has been idle for too long
                answer(client, truth, answers, time.monotonic() + seconds, console)
                scroll(client, faces)
                console.print(client.table())
                model = client.ask("state", "/v1/project")["model"] or {"number": 0}
                console.print(f"{model['number']} trainings; {client.memory():.0f} MB at the end")
                return
            finally:
                process.terminate()


if __name__ == "__main__":
    tyro.cli(main)
