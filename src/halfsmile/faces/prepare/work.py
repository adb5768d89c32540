"""From pictures and videos to stored faces: the work of one process, given out piece by piece."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import cv2
import numpy as np

from halfsmile.data.decode import BadImage, read_image
from halfsmile.data.preprocess import Image
from halfsmile.data.store.write import StoredFace
from halfsmile.faces.detect import Detection, Detector
from halfsmile.faces.given import GivenFaces
from halfsmile.faces.mtcnn import Mtcnn
from halfsmile.faces.prepare.face import Dropped, given, labels, stored, stored_as_it_is, wanted
from halfsmile.faces.prepare.settings import Settings
from halfsmile.faces.prepare.sources import Source
from halfsmile.faces.tracking.shots import ShotDetector
from halfsmile.faces.tracking.track import Track, Tracker
from halfsmile.faces.video.frames import BadVideo, Frame, frames, probe
from halfsmile.faces.yunet import YuNet

PIXELS = 2**24  # of pictures that are looked at together
NOT_WANTED = "score too low, or not the one face that is wanted"
_TOLD = 20  # frames between two pieces that say how far a video is


@dataclass(frozen=True)
class Task:
    """Sources that one process works on.

    Args:
        sources: Pictures, or one video.
        only_length: Say how many frames of the video will be looked at, and no more.
    """

    sources: tuple[Source, ...]
    only_length: bool = False


@dataclass(frozen=True)
class Frames:
    """So many frames of a video more were looked at, or are to be."""

    count: int


@dataclass(frozen=True)
class Done:
    """A source is finished.

    Args:
        failure: Why it could not be read; whatever faces it gave must be forgotten.
        dropped: Number of faces by the reason why they were dropped.
        problems: What is wrong with a video that could be read all the same.
        seconds: Processor time by kind of work since the ``Done`` before.
    """

    failure: str | None = None
    dropped: Counter[str] = field(default_factory=Counter)
    problems: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)


Piece = StoredFace | Frames | Done


class Preparer:
    """Finds, aligns and scores faces; one object serves one thread.

    Args:
        settings: Resolved ones.

    Raises:
        ValueError: If the detector can't be had.
    """

    def __init__(self, settings: Settings) -> None:
        cv2.setNumThreads(1)
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        self.settings = settings
        self._seconds: dict[str, float] = defaultdict(float)
        self._detector: Detector | None = None
        if settings.detector == "yunet":
            self._detector = YuNet(settings.model)
        elif settings.detector == "mtcnn":
            self._detector = Mtcnn(threads=1)
        elif settings.detector == "auto":
            raise ValueError("Resolve the settings first: a store has faces of one detector.")

    def __call__(self, task: Task) -> Iterator[Piece]:
        """For each source of a task in its order: the faces, and then ``Done``."""
        if task.sources[0].is_video:
            return self._length(task.sources[0]) if task.only_length else self._video(task.sources[0])
        return self._pictures(task.sources)

    def _pictures(self, sources: Sequence[Source]) -> Iterator[Piece]:
        if self.settings.detector == "aligned":
            for source in sources:
                yield from self._aligned(source)
            return
        waiting: list[tuple[Source, Image | str]] = []
        pixels = 0
        for source in sources:
            with self._clock("decode"):
                try:
                    image: Image | str = read_image(source.root, source.locator)
                except BadImage as error:
                    image = str(error)
            waiting.append((source, image))
            pixels += 0 if isinstance(image, str) else image.shape[0] * image.shape[1]
            if pixels >= PIXELS:
                yield from self._batch(waiting)
                waiting, pixels = [], 0
        yield from self._batch(waiting)

    def _batch(self, pictures: Sequence[tuple[Source, Image | str]]) -> Iterator[Piece]:
        with self._clock("detect"):
            faces = self._detect(pictures)
        for (source, image), found in zip(pictures, faces, strict=True):
            if isinstance(image, str) or isinstance(found, str):
                yield self._done(failure=image if isinstance(image, str) else f"{source.locator}: {found}")
                continue
            dropped = Counter[str]()
            kept = wanted(found, source.said, self.settings)
            if len(kept) < len(found):
                dropped[NOT_WANTED] += len(found) - len(kept)
            for face in kept:
                score = None if self.settings.detector == "given" else face.score
                try:
                    with self._clock("align"):
                        piece = stored(image, face, self.settings, score=score, **labels(source.said))
                    yield piece
                except Dropped as error:
                    dropped[str(error)] += 1
            yield self._done(dropped=dropped)

    def _detect(self, pictures: Sequence[tuple[Source, Image | str]]) -> list[list[Detection] | str]:
        """Faces of each picture, or why none could be looked for."""
        if self._detector is None:
            return [_given(*picture) for picture in pictures]
        found: list[list[Detection] | str] = ["" for _ in pictures]
        rows = [row for row, (_, image) in enumerate(pictures) if not isinstance(image, str)]
        images = [_rgb(image) for _, image in pictures if not isinstance(image, str)]
        for row, faces in zip(rows, self._detector.detect(images), strict=True):
            found[row] = faces
        return found

    def _aligned(self, source: Source) -> Iterator[Piece]:
        try:
            with self._clock("decode"):
                face = stored_as_it_is(source, self.settings)
            yield face
        except BadImage as error:
            yield self._done(failure=str(error))
        except Dropped as error:
            yield self._done(dropped=Counter([str(error)]))
        else:
            yield self._done()

    def _video(self, source: Source) -> Iterator[Piece]:
        detector = self._detector
        if detector is None:
            yield self._done(failure=f"videos need a detector; {self.settings.detector!r} is for pictures")
            return
        shots, tracker, dropped, problems = ShotDetector(), Tracker(), Counter[str](), list[str]()
        pictures = frames(source.root, every=self.settings.every, problems=problems)
        number = 0
        try:
            while (frame := self._next(pictures)) is not None:
                with self._clock("detect"):
                    found = detector.detect([frame.image])[0]
                with self._clock("track"):
                    cut = shots.update(frame.image, frame.time)
                    people = tracker.update(found, frame.time, image=frame.image, cut=cut)
                yield from self._people(people, frame, source, dropped)
                number += 1
                if number % _TOLD == 0:
                    yield Frames(_TOLD)
        except BadVideo as error:
            yield self._done(failure=str(error))
            return
        yield self._done(dropped=dropped, problems=tuple(problems))

    def _next(self, pictures: Iterator[Frame]) -> Frame | None:
        with self._clock("decode"):
            return next(pictures, None)

    def _people(
        self, people: Sequence[Track], frame: Frame, source: Source, dropped: Counter[str]
    ) -> Iterator[Piece]:
        faces = [_detection(person) for person in people]
        tracks = {id(face): person.id for face, person in zip(faces, people, strict=True)}
        kept = wanted(faces, {}, self.settings)
        if len(kept) < len(faces):
            dropped[NOT_WANTED] += len(faces) - len(kept)
        for face in kept:
            try:
                with self._clock("align"):
                    piece = stored(
                        frame.image,
                        face,
                        self.settings,
                        score=face.score,
                        video=source.name,
                        frame=frame.index,
                        time=frame.time,
                        track=tracks[id(face)],
                    )
                yield piece
            except Dropped as error:
                dropped[str(error)] += 1

    def _length(self, source: Source) -> Iterator[Piece]:
        try:
            video = probe(source.root)
        except BadVideo:
            return
        if video.duration and video.rate:
            yield Frames(round(video.duration * video.rate / self.settings.every))

    def _done(
        self,
        failure: str | None = None,
        dropped: Counter[str] | None = None,
        problems: tuple[str, ...] = (),
    ) -> Done:
        seconds, self._seconds = dict(self._seconds), defaultdict(float)
        return Done(failure, dropped or Counter(), problems, seconds)

    @contextmanager
    def _clock(self, kind: str) -> Iterator[None]:
        start = time.process_time()
        try:
            yield
        finally:
            self._seconds[kind] += time.process_time() - start


def _detection(person: Track) -> Detection:
    points = None if person.landmarks is None else person.landmarks.astype(np.float32)
    return Detection(person.box.astype(np.float32), points, person.score)


def _rgb(image: Image) -> Image:
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image


def _given(source: Source, image: Image | str) -> list[Detection] | str:
    if isinstance(image, str):
        return image
    try:
        return GivenFaces([[given(source.said)]]).detect([_rgb(image)])[0]
    except ValueError as error:
        return str(error)
