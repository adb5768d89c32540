"""Generated faces to label, and features that cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from halfsmile.data.preprocess import Image
from halfsmile.data.synthetic import generate
from halfsmile.data.synthetic.folders import encode_png
from halfsmile.label.session import Labeling

NAMES = ("neutral", "happiness", "surprise")
COUNT = 120


class Pixels:
    """Gray pixels of a small picture as features."""

    name = "pixels"
    shape = (24, 1)
    width = 576

    def __call__(self, images: Image) -> npt.NDArray[np.float32]:
        return (images.reshape(len(images), -1) / 255).astype(np.float32)


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder of generated faces, and what each shows, in the order of the rows."""
    root = tmp_path_factory.mktemp("drawn")
    weights = dict.fromkeys(NAMES, 1.0)
    made = generate(COUNT, size=32, seed=3, people=40, difficulty=0.3, class_weights=weights)
    for i, image in enumerate(made.images):
        (root / f"{i:04d}.png").write_bytes(encode_png(image))
    return root, [made.names[label] for label in made.labels]


Opened = Callable[..., Labeling]


@pytest.fixture
def opened(drawn: tuple[Path, list[str]], tmp_path: Path) -> Iterator[Opened]:
    """Opens sessions on the generated faces, and closes them."""
    sessions = []

    def open_session(**options: Any) -> Labeling:
        settings: dict[str, Any] = {
            "out": tmp_path / "labels",
            "classes": list(NAMES),
            "aligned": True,
            "extractor": Pixels,
        }
        sessions.append(Labeling.open(options.pop("faces", drawn[0]), **(settings | options)))
        return sessions[-1]

    yield open_session
    for session in sessions:
        session.close()


def say(labeling: Labeling, face: str | int, label: str, annotator: str = "me") -> dict[str, int]:
    """Answer one face."""
    return labeling.answer(annotator, [{"face": str(face), "kind": "label", "labels": [label]}])


def click(labeling: Labeling, truth: list[str], count: int, annotator: str = "me") -> list[int]:
    """Answer so many faces as they are asked; their rows."""
    rows = []
    for _ in range(count):
        (face,) = labeling.next(annotator)
        say(labeling, face["id"], truth[int(face["id"])], annotator)
        rows.append(int(face["id"]))
    return rows
