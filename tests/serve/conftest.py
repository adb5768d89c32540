"""A server around a predictor that is cheap and says the same of the same picture."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs halfsmile[serve]")
pytest.importorskip("uvicorn", reason="needs halfsmile[serve]")

from fastapi import FastAPI
from fastapi.testclient import TestClient

from halfsmile.data.preprocess import Image
from halfsmile.data.synthetic import generate
from halfsmile.faces.detect import Detector
from halfsmile.faces.video.frames import VideoFrame
from halfsmile.faces.video.writer import write_video
from halfsmile.faces.yunet import YuNet
from halfsmile.predict.answers.baseline import Baseline
from halfsmile.predict.face import Face, NoFace
from halfsmile.predict.model_facts import ModelFacts, Preprocessing
from halfsmile.serve.app import create_app
from halfsmile.serve.limits import ServerLimits
from halfsmile.serve.run import listen, make_server

LABELS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
FACTS = ModelFacts(
    name="tiny",
    labels=LABELS,
    taxonomy="ferplus",
    preprocessing=Preprocessing(size=48, channels=1),
    temperature=1.5,
    threshold=0.6,
    target_error=0.1,
    recipe_sha256="0" * 64,
    card="A stand-in for tests.",
)


@dataclass
class StandInModel:
    """Facts without a network."""

    facts: ModelFacts = FACTS
    device: str = "cpu"


@dataclass
class StandIn:
    """One face in the middle of each picture that is not of one color; the expression follows the brightness.

    ``seconds`` is what a batch takes, ``batches`` how large each was, ``gate`` blocks until it is set.
    """

    seconds: float = 0.0
    model: StandInModel = field(default_factory=StandInModel)
    threshold: float | None = 0.6
    detector: Detector = field(default_factory=lambda: YuNet())
    batches: list[int] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)
    baselines: list[str | None] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def faces(self, images: Sequence[Image], sources: Sequence[str]) -> list[list[Face]]:
        self.gate.wait(20)
        self.batches.append(len(images))
        self.threads.add(threading.get_ident())
        time.sleep(self.seconds)
        return [self.look(image, source) for image, source in zip(images, sources, strict=True)]

    def look(self, image: Image, source: str) -> list[Face]:
        if "explode" in source:
            raise RuntimeError("a library failed")
        if int(image.max()) - int(image.min()) < 16:
            return []
        height, width = image.shape[:2]
        best = int(image.mean()) % len(LABELS)
        confidence = 0.9 if image.mean() > 100 else 0.5
        rest = (1 - confidence) / (len(LABELS) - 1)
        probabilities = {name: confidence if i == best else rest for i, name in enumerate(LABELS)}
        left, top, right, bottom = width / 4, height / 4, 3 * width / 4, 3 * height / 4
        middle = (left + right) / 2
        points = (
            (left + width / 8, top + height / 8),
            (right - width / 8, top + height / 8),
            (middle, (top + bottom) / 2),
            (left + width / 8, bottom - height / 8),
            (right - width / 8, bottom - height / 8),
        )
        return [
            Face(
                source=source,
                box=(left, top, right, bottom),
                landmarks=points,
                score=0.99,
                expression=LABELS[best],
                probabilities=probabilities,
                confidence=confidence,
                uncertain=None if self.threshold is None else confidence < self.threshold,
            )
        ]

    def video(
        self, source: Iterable[VideoFrame], *, baseline: Baseline | None = None, frames_without_face: bool
    ) -> Iterator[Face | NoFace]:
        self.baselines.append(baseline)
        for frame in source:
            time.sleep(self.seconds)
            self.threads.add(threading.get_ident())
            faces = self.look(frame.image, "frames")
            for face in faces:
                yield replace(face, frame=frame.index, time=frame.time, track=1)
            if not faces and frames_without_face:
                yield NoFace(source="frames", frame=frame.index, time=frame.time)


@pytest.fixture
def predictor() -> StandIn:
    return StandIn()


@pytest.fixture(scope="session")
def photo() -> bytes:
    """A JPEG with a generated face in the middle, 256 × 192."""
    face = generate(1, size=160, seed=4, people=4, difficulty=0.5).images[0]
    image = np.full((192, 256, 3), 128, np.uint8)
    image[16:176, 48:208] = face
    return encode(image, ".jpg")


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A video of 30 frames in 3 s, brightening; the first six without a face."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    face = generate(1, size=160, seed=4, people=4, difficulty=0.5).images[0].astype(np.float32)
    with write_video(path) as write:
        for i in range(30):
            image = np.full((192, 256, 3), 128, np.uint8)
            if i >= 6:
                image[16:176, 48:208] = np.clip(face * (0.5 + i / 30), 0, 255)
            write(image, i / 10)
    return path.read_bytes()


def encode(image: Image, suffix: str = ".png") -> bytes:
    """An RGB picture as an image file."""
    done, data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    assert done
    return bytes(data)


MakeClient = Callable[..., TestClient]


@pytest.fixture
def client(predictor: StandIn) -> Iterator[TestClient]:
    """The application in this thread, with the usual limits."""
    with TestClient(create_app(predictor), base_url="http://localhost") as opened:
        yield opened


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The application behind a real socket; gives its address, and stops it as SIGTERM does."""
    listener = listen("127.0.0.1", 0)
    server = make_server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
        assert not thread.is_alive(), "the server did not stop"


def wait_until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for a condition, or fail."""
    end = time.monotonic() + seconds
    for _ in itertools.count():
        if holds():
            return
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


Serve = Callable[..., AbstractContextManager[str]]


@pytest.fixture
def serve(predictor: StandIn) -> Serve:
    """Serve the stand-in with given limits."""

    def start(limits: ServerLimits | None = None, **options: object) -> AbstractContextManager[str]:
        return serving(create_app(predictor, limits, **options))  # type: ignore[arg-type]

    return start


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go; empty at the beginning."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder
