"""How far answers for gray, 16-bit and color pictures of the same face lie apart, end to end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from benchmarks.real_faces import rgb_picture, table_rows

from halfsmile.data.decode import read_image
from halfsmile.data.preprocess import Image
from halfsmile.predict.face import Face
from halfsmile.predict.inputs import read_picture
from halfsmile.predict.model import ExpressionModel
from halfsmile.predict.predictor import Predictor
from halfsmile.utils.files import read_json, write_json
from halfsmile.utils.markdown import markdown_table

FIRST = "color, 8 bit"


def formats_of(image: Image) -> dict[str, Image | bytes]:
    """The same picture (H, W, 3) as pixels and as PNG files, by name of the format; color, 8 bit first."""
    gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    return {
        FIRST: image,
        "gray, 8 bit": gray,
        "color, 16 bit": _png(image[:, :, ::-1].astype(np.uint16) * 257),
        "gray, 16 bit": _png(gray.astype(np.uint16) * 257),
    }


def _png(pixels: npt.NDArray[np.uint16]) -> bytes:
    return bytes(cv2.imencode(".png", pixels)[1])


def differences(predictor: Predictor, image: Image) -> dict[str, tuple[float, bool] | None]:
    """By format, the largest difference of a probability from :data:`FIRST`, and whether the answer changes.

    None where one of the two has no face.
    """
    found: dict[str, Face | None] = {}
    for name, picture in formats_of(image).items():
        faces = predictor.faces([read_picture(picture)[0]], [name])[0]
        found[name] = faces[0] if faces else None
    plain = found.pop(FIRST)
    results: dict[str, tuple[float, bool] | None] = {}
    for name, face in found.items():
        if face is None or plain is None:
            results[name] = None
            continue
        gaps = [abs(face.probabilities[label] - value) for label, value in plain.probabilities.items()]
        results[name] = (max(gaps), face.expression != plain.expression)
    return results


def pictures(shared: Path, count: int) -> Iterator[tuple[str, Image]]:
    """Photographs of the demo, and so many faces each of LFW and UTKFace, with the name of their set."""
    demo = shared / "demo"
    for row in table_rows(demo / "london" / "labels.csv"):
        yield "photographs", rgb_picture(demo / "london", row["file"])
    for name in ("astronaut.png", "obama.jpg"):
        yield "photographs", read_image(demo, name)
    for name, folder, archive in (("LFW", "faces_lfw", "lfw112"), ("UTKFace", "faces_utk", "utk112")):
        rows = table_rows(shared / folder / f"{archive}.csv")
        for place in np.unique(np.linspace(0, len(rows) - 1, count).astype(int)):
            yield name, rgb_picture(shared / folder, f"{archive}.zip!{rows[place]['file']}")


def all_differences(
    model: ExpressionModel, shared: Path, cache: Path, count: int
) -> dict[str, list[tuple[float, bool] | None]]:
    """:func:`differences` of all pictures by format and set, from ``cache`` where it has them."""
    path = cache / f"formats-{count}-{(model.sha256 or '')[:12]}.json"
    if not path.exists():
        predictor = Predictor(model, threads=1)
        measured: dict[str, list[tuple[float, bool] | None]] = {}
        for name, image in pictures(shared, count):
            for kind, difference in differences(predictor, image).items():
                measured.setdefault(f"{kind}, {name}", []).append(difference)
        write_json(path, measured)
    found: dict[str, list[tuple[float, bool] | None]] = read_json(path)
    return found


def in_words(found: Mapping[str, Sequence[tuple[float, bool] | None]]) -> list[str]:
    """The section of the card, of :func:`all_differences`."""
    rows = []
    for title, all_of_them in found.items():
        both = [difference for difference in all_of_them if difference is not None]
        gaps = np.array([gap for gap, _ in both])
        rows.append(
            [
                title,
                f"{len(both):,}"
                + (f" ({len(all_of_them) - len(both)} not found)" if len(both) < len(all_of_them) else ""),
                f"{100 * gaps.mean():.2f}",
                f"{100 * np.quantile(gaps, 0.99):.1f}",
                f"{100 * gaps.max():.1f}",
                f"{100 * np.mean([is_other for _, is_other in both]):.1f}",
            ]
        )
    return [
        "### Gray, 16-bit and color pictures",
        "",
        "The same color picture of 8 bits given otherwise, found by the detector in each: by how many points "
        "the probability that differs most does so, and how many faces in a hundred get another answer.",
        "",
        markdown_table(["format, set", "faces", "mean", "99 %", "largest", "other answers"], rows),
        "",
    ]
