"""How alike descriptors of faces are: of different people, and of one person in two takes.

    python -m benchmarks.descriptors --sequences SEQUENCES --photos lfw.zip

Two pictures of each person are compared with all others, in focus and blurred by a share of the face's width.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tyro
from benchmarks.cut_films import Cast, GeneratedCast, PhotoCast, SequenceCast
from rich.table import Table

from halfsmile.data.preprocess import Image
from halfsmile.faces.detect import Detector
from halfsmile.faces.mtcnn import Mtcnn
from halfsmile.faces.tracking.descriptor import Descriptor, describe
from halfsmile.faces.tracking.gallery import Gallery
from halfsmile.faces.yunet import YuNet
from halfsmile.utils.console import make_console

BLURS = (0.0, 0.03, 0.06)
MARGIN = 40  # pixels that the edge is repeated by, for the detector


@dataclass(frozen=True)
class Options:
    """What to compare.

    Args:
        sequences: A folder of expression sequences; generated people by default.
        photos: Photographs named as those of LFW.
        yunet: YuNet's model; MTCNN by default.
        people: At most, of each cast.
    """

    sequences: Path | None = None
    photos: Path | None = None
    yunet: Path | None = None
    people: int = 200


def described(picture: Image, detector: Detector, blur: float) -> Descriptor | None:
    """The descriptor of the surest face of a picture."""
    image = cv2.copyMakeBorder(picture, MARGIN, MARGIN, MARGIN, MARGIN, cv2.BORDER_REPLICATE)
    faces = detector.detect([np.asarray(image, np.uint8)])[0]
    if faces and blur:
        image = cv2.GaussianBlur(image, (0, 0), blur * faces[0].width)
    return describe(np.asarray(image, np.uint8), faces[0]) if faces else None


def compare(cast: Cast, detector: Detector, people: int, title: str) -> Table:
    """Similarities of all pairs of people, and of the two takes of each."""
    least = Gallery().min_similarity
    table = Table(
        "blur, face widths", "pairs", "median", "99 %", "largest", f"over {least}", "same, over", title=title
    )
    for blur in BLURS:
        first, second = [], []
        for person in range(min(people, cast.num_people)):
            found = described(cast.take(person, 0)[0], detector, blur)
            again = described(cast.take(person, 1)[-1], detector, blur)
            if found is not None and again is not None:
                first.append(found)
                second.append(again)
        similarity = np.array(first) @ np.array(second).T
        is_same = np.eye(len(first), dtype=bool)
        others = similarity[~is_same]
        marks = [f"{mark:.3f}" for mark in np.quantile(others, (0.5, 0.99, 1))]
        wrong, right = (others >= least).mean(), (similarity[is_same] >= least).mean()
        table.add_row(f"{blur}", f"{len(others):,}", *marks, f"{wrong:.2%}", f"{right:.0%}")
    return table


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    detector: Detector = Mtcnn(threads=1) if options.yunet is None else YuNet(options.yunet)
    casts: dict[str, Cast] = {}
    if options.sequences is not None:
        casts["sequences"] = SequenceCast(options.sequences)
    if options.photos is not None:
        casts["photographs"] = PhotoCast(options.photos)
    console = make_console()
    for name, cast in (casts or {"generated": GeneratedCast()}).items():
        console.print(compare(cast, detector, options.people, name))


if __name__ == "__main__":
    main()
