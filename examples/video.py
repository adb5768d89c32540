"""A video in; who shows which expression when out: a table, a timeline, and a sentence on each person.

Every face of every frame becomes a row of the table, with a number that stays with the person, the
probabilities of all expressions, and whether the answer is certain. The timeline is one picture with a band
for each person. Rows are written while the video is read, and frames are forgotten, so it may be long.

Needs the package alone: no torch, no network. Without a video it films two people who do not exist. Two cores
take some ten seconds for these, and about as long as it lasts for a video of your own.

    python examples/video.py
    python examples/video.py --video interview.mp4 --out runs/interview
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tyro

from halfsmile import Face, Predictor
from halfsmile.data.synthetic import generate_sequence
from halfsmile.faces.video.writer import write_video
from halfsmile.predict.drawing.timeline import Timeline
from halfsmile.predict.tables.sinks import open_sink

FRAME_RATE = 25.0
SHORTEST = 0.2  # seconds for which an expression must last to be told of


def main(
    video: Path | None = None,
    model: Path | None = None,
    smoothing: float = 0.4,
    seconds: float = 4.0,
    out: Path = Path("runs/video"),
) -> None:
    """Say of everybody in a video what their face shows, and when.

    Args:
        video: A file.
        model: Run folder or ONNX file; the model in the box by default.
        smoothing: Seconds over which the answers for a person are averaged.
        seconds: Length of the video that is drawn where none is given.
        out: Where table and timeline go.
    """
    table, picture = out / "faces.csv", out / "timeline.svg"
    if table.exists():
        sys.exit(f"{table} is there already. Give another --out, or remove it.")
    if video is None:
        video = out / "two_people.mp4"
        film_two_people(video, frames=round(seconds * FRAME_RATE))

    predictor = Predictor(model)
    timeline = Timeline(predictor.labels, video.name)
    people: dict[int, list[Moment]] = defaultdict(list)
    with open_sink(table, predictor.labels) as sink:  # the table appears when the video is over
        found = predictor.video(video, smoothing=smoothing)
        for time, group in groupby(found, key=lambda face: face.time or 0.0):
            faces = [face for face in group if isinstance(face, Face)]
            sink.write(faces)
            timeline.add(faces, time)
            for face in faces:
                people[face.track or 0].append(Moment(time, face.expression, not face.uncertain))
    timeline.write(picture)

    for number, moments in sorted(people.items()):
        print(f"person {number}: {describe(moments)}")
    print(f"Written: {table}, {picture}")


class Moment(NamedTuple):
    """What is remembered of a face for the sentences."""

    time: float
    expression: str
    certain: bool


def describe(moments: Sequence[Moment]) -> str:
    """One person, in order of time, as a sentence."""
    certain = sum(moment.certain for moment in moments) / len(moments)
    told = [f"{label} from {begin:.1f} to {end:.1f} s" for label, begin, end in stretches(moments)]
    return (
        f"in view from {moments[0].time:.1f} to {moments[-1].time:.1f} s, {certain:.0%} of it certain; "
        f"{', '.join(told) or f'no expression lasts {SHORTEST} s'}"
    )


def stretches(moments: Sequence[Moment]) -> Iterator[tuple[str, float, float]]:
    """Expression, begin and end, in seconds, of what lasts."""
    for label, group in groupby(moments, key=lambda moment: moment.expression):
        times = [moment.time for moment in group]
        if times[-1] - times[0] >= SHORTEST:
            yield label, times[0], times[-1]


def film_two_people(path: Path, *, frames: int) -> None:
    """Two people side by side, from neutral to an expression and back: one is happy, the other one angry."""
    takes = [
        generate_sequence(expression, person=person, frames=frames, size=192, difficulty=0.2)
        for person, expression in ((1, "happiness"), (2, "anger"))
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_video(path) as write:
        for number, pictures in enumerate(zip(*(take.images for take in takes), strict=True)):
            write(np.hstack(pictures), number / FRAME_RATE)


if __name__ == "__main__":
    try:
        tyro.cli(main)
    except KeyboardInterrupt:
        sys.exit(130)
