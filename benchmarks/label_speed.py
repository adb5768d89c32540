"""How quick is ``halfsmile label`` on 100,000 faces? Made-up pictures and features, 5,000 answers over HTTP.

    python benchmarks/label_speed.py --faces 100000 --answers 5000

Prints how long the start, the first view and each next face take while trainings go on beside them, and the
memory of the process after 500 answers and later.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import tyro

from halfsmile.data.manifest import Manifest
from halfsmile.data.preprocess import Image
from halfsmile.label.journal import Journal
from halfsmile.label.pool import Pool
from halfsmile.label.session import Labeling
from halfsmile.label.state import State
from halfsmile.taxonomy import FERPLUS

SIDE = 24
CLASSES = len(FERPLUS)


class MadeUpPool(Pool):
    """Faces that are noise around one of eight patterns."""

    def image(self, row: int) -> Image:
        """The picture of a row, (24, 24, 1)."""
        rng = np.random.default_rng(row)
        pattern = (
            np.random.default_rng(10**9 + truth(row)).integers(60, 190, (6, 6)).repeat(4, 0).repeat(4, 1)
        )
        return np.asarray((pattern + rng.normal(0, 60, (SIDE, SIDE))).clip(0, 255)[:, :, None], np.uint8)

    def picture(self, row: int) -> tuple[bytes, str]:
        """The same as a PNG file."""
        return bytes(cv2.imencode(".png", self.image(row))[1]), "image/png"


class Pixels:
    """Pixels as features."""

    name = "pixels"
    shape = (SIDE, 1)
    width = SIDE * SIDE

    def __call__(self, images: Image) -> npt.NDArray[np.float32]:
        """Features (B, 576)."""
        return (images.reshape(len(images), -1) / 255).astype(np.float32)


def truth(row: int) -> int:
    """Class of a row."""
    return (row * 2_654_435_761 >> 7) % CLASSES


def resident() -> float:
    """Memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


def open_session(faces: int, out: Path) -> Labeling:
    """A session on made-up faces."""
    names = [f"faces/{row:07d}.png" for row in range(faces)]
    people = [f"person {row % 5000}" for row in range(faces)]
    pool = MadeUpPool(Manifest.from_columns({"image": names, "person": people}, out, FERPLUS))
    journal = Journal(out)
    return Labeling(pool, out, journal, State.of(journal.events()), extractor=Pixels)


def main(faces: int = 100_000, answers: int = 5000, folder: Path | None = None) -> None:
    """Measure.

    Args:
        faces: Number of faces.
        answers: Number of answers.
        folder: Where to keep the features for the next call; a temporary one by default.
    """
    from fastapi.testclient import TestClient

    from halfsmile.label.app import create_app

    with tempfile.TemporaryDirectory() as temporary:
        out = Path(folder or temporary)
        begin = time.monotonic()
        with open_session(faces, out) as labeling:
            if not labeling.learning.wait(3600):
                raise SystemExit("The features took too long.")
        print(f"features of {faces:,} faces: {time.monotonic() - begin:.0f} s", flush=True)

        begin = time.monotonic()
        labeling = open_session(faces, out)
        opened = time.monotonic() - begin
        with TestClient(create_app(labeling), base_url="http://127.0.0.1") as client:

            def timed(path: str, **asked: Any) -> tuple[float, Any]:
                start = time.monotonic()
                answer = client.get(path, params=asked)
                return 1000 * (time.monotonic() - start), answer

            first = [timed(path)[0] for path in ("/v1/project", "/v1/next?count=8", "/v1/faces?limit=60")]
            print(f"start {opened:.2f} s; first answers: {', '.join(f'{ms:.0f}' for ms in first)} ms")
            waits: dict[str, list[float]] = {"next": [], "answer": [], "image": [], "project": []}
            for number in range(answers):
                spent, answer = timed("/v1/next", count=1)
                waits["next"].append(spent)
                face = answer.json()["faces"][0]["id"]
                waits["image"].append(timed(f"/v1/faces/{face}/image")[0])
                label = FERPLUS.labels[truth(int(face))]
                start = time.monotonic()
                body = {
                    "answers": [{"face": face, "kind": "label", "labels": [label], "token": f"t{number}"}]
                }
                client.post("/v1/answers", json=body).raise_for_status()
                waits["answer"].append(1000 * (time.monotonic() - start))
                if number % 10 == 0:
                    waits["project"].append(timed("/v1/project")[0])
                if number + 1 in (500, 1000, 2000, 3000, 4000, answers):
                    print(f"{number + 1:,} answers: {resident():.0f} MB", flush=True)
            for asked in ({}, {"sort": "uncertainty"}, {"guess": "fear"}, {"offset": faces // 2}):
                print(f"list {asked}: {timed('/v1/faces', **asked)[0]:.0f} ms")
            print(f"grid: {timed('/v1/grid', guess='fear')[0]:.0f} ms; curve: {timed('/v1/curve')[0]:.0f} ms")
            number = labeling.learning.learned.number if labeling.learning.learned else 0
        print(f"{number} trainings")
        for name, values in waits.items():
            middle, high, worst = np.percentile(values, [50, 99, 100])
            print(f"{name}: median {middle:.1f} ms, 99 % below {high:.1f} ms, longest {worst:.1f} ms")


if __name__ == "__main__":
    tyro.cli(main)
