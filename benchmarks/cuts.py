"""One number for one person: what happens at cuts, by rules and by kinds of film.

    python -m benchmarks.cuts
    python -m benchmarks.cuts --sequences SEQUENCES --photos lfw.zip --yunet face_detection_yunet_2026may.onnx

Films of known people (``cut_films.py``) are followed under each rule. In each shot a person's number is the
one that most frames give them. Two people are merged where somebody's number was another one's before; a
person is split where somebody who was seen in an earlier shot has a new number.
"""

from __future__ import annotations

import functools
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import tyro
from benchmarks.cut_films import RATE, Cast, GeneratedCast, PhotoCast, SequenceCast, TrueFrame, films, play
from rich.table import Table

from halfsmile.data.preprocess import Image
from halfsmile.faces.boxes import overlaps
from halfsmile.faces.detect import Detection, Detector
from halfsmile.faces.mtcnn import Mtcnn
from halfsmile.faces.tracking.appearance import Look, look
from halfsmile.faces.tracking.follow import follow
from halfsmile.faces.tracking.gallery import Gallery
from halfsmile.faces.tracking.identity import FaceIdentity
from halfsmile.faces.tracking.shots import ShotDetector
from halfsmile.faces.tracking.track import Tracker
from halfsmile.faces.video.frames import VideoFrame
from halfsmile.faces.yunet import YuNet
from halfsmile.utils.console import make_console
from halfsmile.utils.progress import Progress


@dataclass(frozen=True)
class Options:
    """What to measure.

    Args:
        sequences: A folder of expression sequences; generated people by default.
        photos: Photographs named as those of LFW.
        yunet: YuNet's model; MTCNN by default.
        films: Of each kind.
        seed: Of people, rooms and motion.
        detect_every: Frames from one detection to the next.
        similarities: Least similarities of the gallery to compare.
        identities: Least likenesses of the face network to compare.
        likenesses: Least likenesses where a cut may be to compare.
    """

    sequences: Path | None = None
    photos: Path | None = None
    yunet: Path | None = None
    films: int = 4
    seed: int = 0
    detect_every: int = 3
    similarities: tuple[float, ...] = (0.72,)
    identities: tuple[float, ...] = ()
    likenesses: tuple[float, ...] = (0.9,)


class PlaceAndLook(Gallery):
    """Knows who was in view a second ago, by where they were and by a rough look."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[int, tuple[float, Detection, Look | None]] = {}
        self.time = 0.0

    def see(self, person: int, image: Image, face: Detection, time: float) -> None:
        """Remember the latest look alone."""
        self.seen[person], self.time = (time, face, look(image, face.box)), time

    def identify(self, image: Image, faces: Sequence[Detection], in_view: Container[int]) -> list[int | None]:
        """The one whose box is overlapped most, of those who look alike."""
        recent = {
            n: entry for n, entry in self.seen.items() if n not in in_view and self.time - entry[0] <= 1
        }
        found: list[int | None] = []
        for face in faces:
            mine, best, least = look(image, face.box), None, 0.2
            for number, (_, old, known) in recent.items():
                overlap = float(overlaps(old.box, face.box)[0, 0])
                alike = mine is None or known is None or mine @ known >= 0.7
                if alike and overlap >= least and number not in found:
                    best, least = number, overlap
            found.append(best)
        return found


Rule = Callable[[], tuple[Tracker, ShotDetector]]


def _knowing(gallery: Callable[[], Gallery]) -> tuple[Tracker, ShotDetector]:
    return Tracker(gallery=gallery()), ShotDetector()


def rules(options: Options) -> dict[str, Rule]:
    """What is compared; each makes what a film needs."""
    nobody = 2.0  # a change that no picture has

    def forgetting(gallery: Callable[[], Gallery]) -> Rule:
        return lambda: (Tracker(gallery=gallery()), ShotDetector(possible_threshold=nobody))

    def whole(similarity: float, likeness: float) -> Rule:
        return lambda: (
            Tracker(gallery=Gallery(min_similarity=similarity), min_likeness_at_cut=likeness),
            ShotDetector(),
        )

    found: dict[str, Rule] = {
        "cuts ignored": lambda: (
            Tracker(gallery=Gallery(room=0)),
            ShotDetector(threshold=nobody, possible_threshold=nobody),
        ),
        "all new after a cut": forgetting(lambda: Gallery(room=0)),
        "same place, like look": forgetting(PlaceAndLook),
        "gallery": forgetting(Gallery),
    }
    if options.identities:
        network = FaceIdentity(threads=1)
    for least in options.identities:
        known = functools.partial(Gallery, identity=network, min_identity=least)
        found[f"face network {least}"] = functools.partial(_knowing, known)
    for similarity in options.similarities:
        for likeness in options.likenesses:
            found[f"gallery {similarity}, possible cuts {likeness}"] = whole(similarity, likeness)
    return found


@dataclass
class Score:
    """Counts of some films.

    Args:
        cuts: True ones.
        missed: Cuts that were not found.
        false: Frames that were taken for the first of a shot and are not.
        faces: True ones, of all frames.
        lost: Faces that have no number.
        wrong: Faces whose number was another person's first.
        shots: Times that somebody is in a shot.
        again: Of these, in an earlier shot, too.
        merged: Times that the number is another person's.
        split: Times that somebody from an earlier shot has a new number.
    """

    cuts: int = 0
    missed: int = 0
    false: int = 0
    faces: int = 0
    lost: int = 0
    wrong: int = 0
    shots: int = 0
    again: int = 0
    merged: int = 0
    split: int = 0

    def add(self, other: Score) -> None:
        """Count other films, too."""
        for name in (item.name for item in fields(self)):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass
class Remembering:
    """A detector that searches each picture once, for all rules."""

    detector: Detector
    known: dict[tuple[int, int], list[Detection]] = field(default_factory=dict)

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """As the detector does."""
        keys = [(zlib.crc32(image.tobytes()), zlib.adler32(image.tobytes())) for image in images]
        for key, image in zip(keys, images, strict=True):
            if key not in self.known:
                self.known[key] = self.detector.detect([image])[0]
        return [self.known[key] for key in keys]


def score(film: Sequence[TrueFrame], detector: Detector, rule: Rule, detect_every: int) -> Score:
    """Follow the people of a film and compare with who they are."""
    tracker, shots = rule()
    result = Score(cuts=sum(frame.is_cut for frame in film), missed=sum(frame.is_cut for frame in film))
    owners: dict[int, int] = {}
    votes: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)
    frames = (VideoFrame(i, i / RATE, frame.image) for i, frame in enumerate(film))
    shot = 0
    for together in follow(frames, detector, detect_every=detect_every, tracker=tracker, shots=shots):
        for seen in together:
            truth = film[seen.frame.index]
            if seen.shot > shot:
                result.missed -= truth.is_cut
                result.false += not truth.is_cut
            shot = seen.shot
            numbers = [person.id for person in seen.people]
            centers = np.array([(person.box[:2] + person.box[2:]) / 2 for person in seen.people])
            for person, x, y, size in truth.people:
                result.faces += 1
                distances = np.hypot(*(centers - (x, y)).T) if numbers else np.array([np.inf])
                if distances.min() > 0.35 * size:
                    result.lost += 1
                    continue
                number = numbers[int(distances.argmin())]
                result.wrong += owners.setdefault(number, person) != person
                votes[truth.shot, person][number] += 1
    seen_before: dict[int, set[int]] = defaultdict(set)
    for (_, person), counts in votes.items():
        number = counts.most_common(1)[0][0]
        result.shots += 1
        result.again += person in seen_before
        if owners[number] != person:
            result.merged += 1
        elif person in seen_before:
            result.split += number not in seen_before[person]
        seen_before[person] |= set(counts)
    return result


def measure(cast: Cast, detector: Detector, options: Options, title: str) -> Iterator[Table]:
    """All films of a cast under all rules."""
    compared = rules(options)
    scores: dict[str, dict[str, Score]] = defaultdict(lambda: defaultdict(Score))
    with Progress(title, total=options.films) as progress:
        for number in range(options.films):
            seed = 1000 * options.seed + number
            for kind, shots in films(np.random.default_rng(seed), cast.num_people):
                film, once = list(play(cast, shots, seed)), Remembering(detector)
                for name, rule in compared.items():
                    scores[kind][name].add(score(film, once, rule, options.detect_every))
            progress.advance(1)
    kinds = Table(
        "film", "cuts missed", "false", *compared, title=f"{title}: merged; split of those seen again"
    )
    total: dict[str, Score] = defaultdict(Score)
    for kind, by_rule in scores.items():
        for name, found in by_rule.items():
            total[name].add(found)
        plain = by_rule["all new after a cut"]
        cells = [f"{s.merged}; {s.split} of {s.again}" for s in by_rule.values()]
        kinds.add_row(kind, f"{plain.missed} of {plain.cuts}", str(plain.false), *cells)
    yield kinds
    sums = Table("rule", "merged", "split", "faces with another's number", "faces without one", title=title)
    for name, s in total.items():
        sums.add_row(
            name,
            f"{s.merged} of {s.shots} ({s.merged / s.shots:.1%})",
            f"{s.split} of {s.again} ({s.split / s.again:.0%})",
            f"{s.wrong / s.faces:.2%}",
            f"{s.lost / s.faces:.2%}",
        )
    yield sums


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    cv2.setNumThreads(1)
    kind: Literal["YuNet", "MTCNN"] = "MTCNN" if options.yunet is None else "YuNet"
    detector: Detector = Mtcnn(threads=1) if options.yunet is None else YuNet(options.yunet)
    casts: dict[str, Cast] = {}
    if options.sequences is not None:
        casts["sequences"] = SequenceCast(options.sequences)
    if options.photos is not None:
        casts["photographs"] = PhotoCast(options.photos)
    console = make_console()
    for name, cast in (casts or {"generated": GeneratedCast()}).items():
        for table in measure(cast, detector, options, f"{name}, {kind}"):
            console.print(table)


if __name__ == "__main__":
    main()
