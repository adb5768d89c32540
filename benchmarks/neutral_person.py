"""Whether a neutral photograph shows the person of a video: similarities of the face network, and its errors.

    python -m benchmarks.neutral_person --shared ../shared/data --out runs/neutral

Pairs of one person and of two: photographs of different days (LFW), and the neutral studio picture of each
person beside the frames of their other sequence, clean and spoiled, where people are in one light and hardest
to tell apart. A person of a video is as alike as the best of the looks at them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tyro
from benchmarks.real_faces import rgb_picture, table_rows
from rich.table import Table

from halfsmile.faces.detect import Detection, detector
from halfsmile.faces.tracking.identity import FaceIdentity
from halfsmile.predict.answers.neutral import SAME
from halfsmile.utils.console import make_console
from halfsmile.utils.files import atomic_write

Embeddings = npt.NDArray[np.float32]
LOOKS = (1, 3, 6)
POINTS = ("eye_l", "eye_r", "nose", "mouth_l", "mouth_r")


@dataclass(frozen=True)
class Options:
    """What to compare.

    Args:
        shared: Folder with ``faces_lfw`` and ``sequences_london``.
        first: How many people of LFW to leave out before.
        people: Of LFW, with two photographs each.
        out: Folder for ``similarities.json``.
    """

    shared: Path
    first: int = 300
    people: int = 400
    out: Path = Path("runs/neutral")


def of_photographs(shared: Path, left_out: int, people: int) -> tuple[Embeddings, Embeddings]:
    """Two photographs of each of some people who have several, (N, 128) and (N, 128)."""
    by_person = defaultdict(list)
    for row in table_rows(shared / "faces_lfw" / "lfw112.csv"):
        by_person[row["person"]].append(row)
    several = [rows for rows in by_person.values() if len(rows) > 1][left_out:][:people]
    identity = FaceIdentity(threads=1)
    pairs = []
    for rows in several:
        both = []
        for row in (rows[0], rows[-1]):
            points = np.array([[row[f"{name}_x"], row[f"{name}_y"]] for name in POINTS], np.float32)
            face = Detection(np.array([0, 0, 112, 112], np.float32), points)
            both.append(identity.embed(rgb_picture(shared / "faces_lfw", f"lfw112.zip!{row['file']}"), face))
        pairs.append(both)
    return np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])


def of_sequences(shared: Path, looks: int) -> tuple[Embeddings, list[Embeddings], list[Embeddings]]:
    """The first frame of each person, and some clean and some spoiled frames of their other sequence."""
    rows = table_rows(shared / "sequences_london" / "frames.csv")
    identity, finder = FaceIdentity(threads=1), detector("auto")

    def embed(row: dict[str, str]) -> npt.NDArray[np.float32] | None:
        image = rgb_picture(shared / "sequences_london", f"sequences.zip!{row['file']}")
        faces = finder.detect([image])[0]
        return identity.embed(image, faces[0]) if faces else None

    first, clean, spoiled = [], [], []
    for person in dict.fromkeys(row["person"] for row in rows):
        own = [row for row in rows if row["person"] == person]
        other = [row for row in own if row["kind"] != "full"]
        photograph = embed(next(row for row in own if row["kind"] == "full" and not row["corruption"]))
        parts = [
            [row for row in other if not row["corruption"]],
            [row for row in other if row["corruption"]],
        ]
        found = [[e for e in map(embed, _spread(part, looks)) if e is not None] for part in parts]
        if photograph is None or not found[0]:
            continue
        first.append(photograph)
        clean.append(np.array(found[0]))
        spoiled.append(np.array(found[1]).reshape(-1, len(photograph)))
    return np.array(first), clean, spoiled


def _spread(rows: Sequence[dict[str, str]], count: int) -> list[dict[str, str]]:
    places = np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int))
    return [rows[place] for place in places] if rows else []


def best_looks(photographs: Embeddings, looks: Sequence[Embeddings], count: int) -> npt.NDArray[np.float64]:
    """(people, people) how alike each photograph is to the best of so many looks at each person."""
    return np.array(
        [
            [float((taken[:count] @ photograph).max()) if len(taken) else np.nan for taken in looks]
            for photograph in photographs
        ]
    )


def errors(similarity: npt.NDArray[np.float64], least: float) -> dict[str, float]:
    """Quantiles and error rates of a (people, people) matrix whose diagonal is of one person each."""
    is_same = np.eye(len(similarity), dtype=bool)
    same, other = similarity[is_same], similarity[~is_same]
    same, other = same[~np.isnan(same)], other[~np.isnan(other)]
    return {
        "same": len(same),
        "others": len(other),
        **{f"same {q} %": float(np.percentile(same, q)) for q in (1, 2, 5, 50)},
        **{f"others {q} %": float(np.percentile(other, q)) for q in (50, 90, 95, 99)},
        "same called others": float((same < least).mean()),
        "others called the same": float((other >= least).mean()),
    }


def run(options: Options) -> None:
    """Compare, print and keep."""
    first, second = of_photographs(options.shared, options.first, options.people)
    found = {"photographs, 1 look": errors((first @ second.T).astype(np.float64), SAME)}
    photographs, clean, spoiled = of_sequences(options.shared, max(LOOKS))
    for name, looks in (("frames", clean), ("spoiled frames", spoiled)):
        for count in LOOKS:
            title = f"{name}, {count} look{'s' * (count > 1)}"
            found[title] = errors(best_looks(photographs, looks, count), SAME)
    table = Table("pairs", *next(iter(found.values())), title=f"one person from {SAME}")
    for title, values in found.items():
        table.add_row(title, *(f"{v:,}" if isinstance(v, int) else f"{v:.3f}" for v in values.values()))
    console = make_console()
    console.width = max(console.width, 170)
    console.print(table)
    with atomic_write(options.out / "similarities.json") as temporary:
        temporary.write_text(json.dumps(found, indent=2))


def main() -> None:
    """The command."""
    run(tyro.cli(Options, description=__doc__))


if __name__ == "__main__":
    main()
