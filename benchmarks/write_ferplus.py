"""Write the compact ``ferplus.npz`` out in one of FERPlus's official layouts, for the real reader.

    python benchmarks/write_ferplus.py --npz ferplus.npz --out ferplus --layout folders

The compact copy lacks the rows that FERPlus gives no file name and those whose name is used twice. In the
layout ``csv`` these rows are kept, so that row numbers equal the official ones: black pixels, emotion −1, no
image name, ten votes for NF. The reader drops rows without a name. The column ``emotion`` is −1 too where
the copy does not know FER2013's own label; the reader does not use it.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
import tyro

from halfsmile.data.readers.ferplus import COLUMNS, FOLDERS, USAGES
from halfsmile.utils.files import atomic_write
from halfsmile.utils.parallel.threads import map_in_threads

NUM_ROWS = {"Training": 28_709, "PublicTest": 3_589, "PrivateTest": 3_589}


def write_csv(out: Path, data: dict[str, npt.NDArray[Any]], images: npt.NDArray[np.uint8]) -> None:
    """Write ``fer2013.csv`` and ``fer2013new.csv`` with equal rows in the official order."""
    text = [str(value) for value in range(256)]
    black = " ".join(["0"] * images[0].size)
    position = {int(row): i for i, row in enumerate(data["row"])}
    usages = [usage for usage, count in NUM_ROWS.items() for _ in range(count)]
    with (
        atomic_write(out / "fer2013.csv") as pixels_path,
        atomic_write(out / "fer2013new.csv") as votes_path,
        pixels_path.open("w", newline="") as pixels_file,
        votes_path.open("w", newline="") as votes_file,
    ):
        pixels, votes = csv.writer(pixels_file), csv.writer(votes_file)
        pixels.writerow(["emotion", "pixels", "Usage"])
        votes.writerow(["Usage", "Image name", *COLUMNS])
        for row, usage in enumerate(usages):
            i = position.get(row)
            if i is None:
                pixels.writerow([-1, black, usage])
                votes.writerow([usage, "", *[0] * (len(COLUMNS) - 1), 10])
            else:
                values = " ".join([text[value] for value in images[i].ravel().tolist()])
                pixels.writerow([data["fer2013"][i], values, usage])
                votes.writerow([usage, data["name"][i], *data["votes"][i]])


def write_folders(out: Path, data: dict[str, npt.NDArray[Any]], images: npt.NDArray[np.uint8]) -> None:
    """Write the PNG folders with their ``label.csv``."""
    side = images.shape[1]
    for number, folder in enumerate(FOLDERS.values()):
        (out / folder).mkdir(parents=True, exist_ok=True)
        rows = np.flatnonzero(data["split"] == number)

        def write(i: int, folder: str = folder) -> None:
            path = out / folder / str(data["name"][i])
            if not cv2.imwrite(str(path), images[i]):
                raise OSError(f"{path} could not be written.")

        list(map_in_threads(write, rows.tolist()))
        with atomic_write(out / folder / "label.csv") as path, path.open("w", newline="") as file:
            writer = csv.writer(file)
            for i in rows:
                writer.writerow([data["name"][i], f"(0, 0, {side}, {side})", *data["votes"][i]])


def main(npz: Path, out: Path, layout: Literal["csv", "folders"] = "csv") -> None:
    """Write FERPlus in an official layout.

    Args:
        npz: The compact copy: arrays images_d2, split, votes, fer2013, row, name.
        out: Folder to write into; made if missing.
        layout: ``csv`` for fer2013.csv and fer2013new.csv, ``folders`` for PNG files with label.csv.
    """
    with np.load(npz) as archive:
        names = ("images_d2", "split", "votes", "fer2013", "row", "name")
        data = {name: archive[name] for name in names}
    differences = data.pop("images_d2")
    images = np.cumsum(np.cumsum(differences, 1, dtype=np.uint8), 2, dtype=np.uint8)
    usages = list(USAGES)
    for i in np.unique(data["split"]):
        print(f"{usages[i]}: {int((data['split'] == i).sum()):,} images")
    (write_csv if layout == "csv" else write_folders)(out, data, images)
    print(f"Wrote {out} ({layout})")


if __name__ == "__main__":
    tyro.cli(main)
