"""Generated faces as files: class folders, a whole small data set for the demo, and sequences."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from halfsmile.data.synthetic.scene import Strengths
from halfsmile.data.synthetic.sequences import SyntheticSequence
from halfsmile.data.synthetic.stills import SyntheticFaces, generate
from halfsmile.utils.files import atomic_write
from halfsmile.utils.progress import Progress

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can hold; equal data make equal archives


def encode_png(image: npt.NDArray[np.uint8]) -> bytes:
    """An RGB picture, shape (H, W, 3), as the bytes of a PNG file.

    Raises:
        ValueError: If OpenCV can't encode it.
    """
    done, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise ValueError(f"A picture of shape {image.shape} and type {image.dtype} can't be written as PNG.")
    return bytes(data)


def write_folders(faces: SyntheticFaces, root: Path, *, split: str) -> list[Path]:
    """Write faces as ``root/<split>/<observed label>/<person>_<i>.png``.

    Args:
        faces: The faces; ``i`` is the row.
        root: Folder, made if missing.
        split: Name of the folder below it, such as ``train``.

    Returns:
        The files, in the order of the faces.

    Raises:
        OSError: If a file can't be written.
    """
    paths = []
    for i, (image, label, person) in enumerate(zip(faces.images, faces.labels, faces.person, strict=True)):
        path = Path(root) / split / faces.names[label] / f"{person:05d}_{i:06d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(image))
        paths.append(path)
    return paths


def write_data_set(
    root: Path,
    *,
    train: int,
    test: int,
    unlabeled: int,
    size: int = 64,
    seed: int = 0,
    people: int = 200,
    class_weights: Mapping[str, float] | None = None,
    label_noise: float = 0.0,
    difficulty: float = 1.0,
    strengths: Strengths | None = None,
    progress: bool = False,
) -> None:
    """Write a complete small data set: labeled folders and an archive of unlabeled faces of other people.

    ``root/labeled/train/<label>/*.png``, ``root/labeled/test/<label>/*.png`` and ``root/unlabeled.zip``. The
    three parts share no person. Label noise goes into the training labels only; the test set is clean.

    Args:
        root: Folder, made if missing.
        train: Number of labeled training faces.
        test: Number of test faces.
        unlabeled: Number of unlabeled faces.
        size: Side of a picture in pixels.
        seed: Population and run.
        people: Number of people in each of the three parts.
        class_weights: Class name to weight, in all three parts alike.
        label_noise: Share of wrong labels in the training part.
        difficulty: Multiplies all strengths, see :func:`stills.generate`.
        strengths: Disturbances one by one.
        progress: Show on standard error how many are drawn.

    Raises:
        ValueError: If ``root`` already holds such a data set, or a number is out of its range.
        OSError: If a file can't be written.
    """
    root = Path(root)
    if (root / "labeled").exists() or (root / "unlabeled.zip").exists():
        raise ValueError(f"{root} already holds a data set. Remove it or choose another folder.")

    shown = Progress("drawing faces", total=train + test + unlabeled, active=progress)

    def faces(count: int, part: int, noise: float) -> SyntheticFaces:
        return generate(
            count,
            size=size,
            seed=seed,
            people=people,
            first_person=part * people,
            class_weights=class_weights,
            label_noise=noise,
            difficulty=difficulty,
            strengths=strengths,
            drawn=shown.advance,
        )

    with shown:
        write_folders(faces(train, 0, label_noise), root / "labeled", split="train")
        write_folders(faces(test, 1, 0.0), root / "labeled", split="test")
        with (
            atomic_write(root / "unlabeled.zip") as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive,
        ):
            pool = faces(unlabeled, 2, 0.0)
            for i, (image, person) in enumerate(zip(pool.images, pool.person, strict=True)):
                archive.writestr(zipfile.ZipInfo(f"{person:05d}_{i:06d}.png", _EPOCH), encode_png(image))


def write_sequences(
    sequences: Iterable[SyntheticSequence], root: Path, *, frame_rate: float = 25.0
) -> list[Path]:
    """Write sequences as ``data/readers/sequences`` reads them: ``frames.csv`` beside a folder of each.

    The table appears when all pictures are written.

    Args:
        sequences: Need not be in memory together; the n-th one is named by its number.
        root: Folder, made if missing.
        frame_rate: Frames a second.

    Returns:
        The pictures, in the order of the table.

    Raises:
        ValueError: If ``root`` already holds sequences, or the frame rate is not positive.
        OSError: If a file can't be written.
    """
    root = Path(root)
    if (root / "frames.csv").exists():
        raise ValueError(f"{root} already holds sequences. Remove it or choose another folder.")
    if not frame_rate > 0:
        raise ValueError(f"frame_rate is {frame_rate}; give the frames a second, such as 25.")
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("sequence", "person", "frame", "time", "file", "intensity", "label", "corruption"))
    paths = []
    for number, sequence in enumerate(sequences):
        folder = root / f"{number:05d}"
        folder.mkdir(parents=True, exist_ok=True)
        for t, image in enumerate(sequence.images):
            path = folder / f"{t:04d}.png"
            path.write_bytes(encode_png(image))
            paths.append(path)
            table.writerow(
                (
                    folder.name,
                    f"{sequence.person:05d}",
                    t,
                    f"{t / frame_rate:.4f}",
                    path.relative_to(root).as_posix(),
                    f"{sequence.intensity[t]:.4f}",
                    sequence.labels[t] or "transition",
                    "spoiled" if sequence.spoiled[t] else "",
                )
            )
    with atomic_write(root / "frames.csv") as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
    return paths
