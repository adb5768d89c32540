"""Small trees in the true layouts of published data sets, with generated faces."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from halfsmile.data.readers.ferplus import FOLDERS
from halfsmile.data.synthetic.stills import generate
from halfsmile.taxonomy import AFFECTNET8, FERPLUS, RAFDB, Taxonomy

Image = npt.NDArray[np.uint8]


def _faces(taxonomy: Taxonomy, per_class: int, *, size: int, seed: int) -> list[tuple[str, Image]]:
    """As many generated faces of each class."""
    found: list[tuple[str, Image]] = []
    for label in taxonomy.labels:
        faces = generate(
            per_class, size=size, seed=seed, people=20, class_weights={label: 1.0}, difficulty=0.2
        )
        found += [(label, image) for image in faces.images]
    return found


def _write(path: Path, image: Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR)):
        raise AssertionError(path)


def write_ferplus(root: Path, *, train: int = 4, test: int = 1) -> None:
    """``FER2013Train/label.csv`` and so on: name, box and ten votes, without header."""
    for seed, (split, folder) in enumerate(FOLDERS.items()):
        rows = []
        faces = _faces(FERPLUS, train if split == "train" else test, size=48, seed=seed)
        for number, (label, image) in enumerate(faces):
            name = f"fer{1000 * seed + number:07d}.png"
            _write(root / folder / name, image)
            votes = [0] * 10
            votes[FERPLUS.index(label)], votes[8] = 9, 1
            rows.append([name, "(0, 0, 48, 48)", *votes])
        with (root / folder / "label.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)


def write_rafdb(root: Path, *, train: int = 4, test: int = 1) -> None:
    """``basic/EmoLabel/list_patition_label.txt`` and ``basic/Image/aligned``."""
    lines = []
    for seed, (split, count) in enumerate((("train", train), ("test", test))):
        for number, (label, image) in enumerate(_faces(RAFDB, count, size=100, seed=seed), start=1):
            stem = f"{split}_{number:05d}"
            _write(root / "basic/Image/aligned" / f"{stem}_aligned.jpg", image)
            lines.append(f"{stem}.jpg {RAFDB.index(label) + 1}")
    path = root / "basic/EmoLabel/list_patition_label.txt"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(lines) + "\n")


def write_affectnet(root: Path, *, train: int = 4, test: int = 1) -> None:
    """The release of March 2021: ``train_set/images``, and ``annotations/<id>_{exp,lnd}.npy`` as text."""
    for seed, (folder, count) in enumerate((("train_set", train), ("val_set", test))):
        for number, (label, image) in enumerate(_faces(AFFECTNET8, count, size=112, seed=seed)):
            _write(root / folder / "images" / f"{number}.jpg", image)
            annotations = root / folder / "annotations"
            annotations.mkdir(exist_ok=True)
            np.save(annotations / f"{number}_exp.npy", np.array(str(AFFECTNET8.index(label))))
            points = np.linspace(20, 90, 136).astype(str)
            np.save(annotations / f"{number}_lnd.npy", points)
