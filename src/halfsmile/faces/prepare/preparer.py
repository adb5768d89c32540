"""From pictures and videos to stored faces: the work of one process, given out piece by piece."""

from __future__ import annotations

import itertools
import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import cv2
import numpy as np

from halfsmile.data.decode import BadImageError, read_image
from halfsmile.data.preprocess import Image
from halfsmile.data.store.write import StoredFace
from halfsmile.data.tables.intervals import split_interval
from halfsmile.faces.any_angle import AnyAngle
from halfsmile.faces.crops import ENLARGEMENTS, CropDetector
from halfsmile.faces.detect import Detection, Detector
from halfsmile.faces.given_faces import GivenFaces
from halfsmile.faces.mtcnn import Mtcnn
from halfsmile.faces.prepare.face import (
    DroppedFaceError,
    NoPlaceError,
    annotated_face,
    keep_crop,
    label_columns,
    prepare_aligned_face,
    prepare_face,
    select_faces,
)
from halfsmile.faces.prepare.settings import Settings
from halfsmile.faces.prepare.sources import FaceSource
from halfsmile.faces.tracking.follow import FollowedFrame, follow
from halfsmile.faces.video.frames import BadVideoError, VideoFrame, frames, probe
from halfsmile.faces.yunet import YuNet
from halfsmile.utils.console import silence_opencv

PIXELS = 2**24  # of the pictures of a batch
NOT_WANTED = "score too low, or not the one face that is wanted"
T = TypeVar("T")
_TOLD = 20  # frames between two pieces that say how far a video is


@dataclass(frozen=True)
class PrepareTask:
    """Sources that one process works on.

    Args:
        sources: Pictures, or one video.
        only_length: Say how many frames of the video will be processed, and no more.
    """

    sources: tuple[FaceSource, ...]
    only_length: bool = False


@dataclass(frozen=True)
class FrameCount:
    """So many frames of a video more were processed, or are to be."""

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


Piece = StoredFace | FrameCount | Done


class Preparer:
    """Finds, aligns and scores faces; one object serves one thread.

    Args:
        settings: Resolved ones.

    Raises:
        ValueError: If the detector can't be had.
    """

    def __init__(self, settings: Settings) -> None:
        cv2.setNumThreads(1)
        silence_opencv()
        self.settings = settings
        self._seconds: dict[str, float] = defaultdict(float)
        self._nested = 0.0
        self._detector: Detector | None = None
        if settings.detector == "yunet":
            self._detector = YuNet(settings.model, threads=1)
        elif settings.detector == "mtcnn":
            self._detector = Mtcnn(threads=1)
        elif settings.detector == "auto":
            raise ValueError("Resolve the settings first: a store has faces of one detector.")
        if self._detector is not None:
            self._detector = (
                CropDetector(self._detector, ENLARGEMENTS[settings.detector])
                if settings.are_crops
                else AnyAngle(self._detector)
            )

    def __call__(self, task: PrepareTask) -> Iterator[Piece]:
        """For each source of a task in its order: the faces, and then ``Done``."""
        if task.sources[0].is_video:
            return self._length(task.sources[0]) if task.only_length else self._video(task.sources[0])
        return self._pictures(task.sources)

    def _pictures(self, sources: Sequence[FaceSource]) -> Iterator[Piece]:
        if self.settings.detector == "aligned":
            for source in sources:
                yield from self._aligned(source)
            return
        waiting: list[tuple[FaceSource, Image | str]] = []
        pixels = 0
        for source in sources:
            with self._clock("decode"):
                try:
                    image: Image | str = read_image(source.root, source.locator)
                except BadImageError as error:
                    image = str(error)
            waiting.append((source, image))
            pixels += 0 if isinstance(image, str) else image.shape[0] * image.shape[1]
            if pixels >= PIXELS:
                yield from self._batch(waiting)
                waiting, pixels = [], 0
        yield from self._batch(waiting)

    def _batch(self, pictures: Sequence[tuple[FaceSource, Image | str]]) -> Iterator[Piece]:
        with self._clock("detect"):
            faces = self._detect(pictures)
        for (source, image), found in zip(pictures, faces, strict=True):
            if isinstance(image, str) or isinstance(found, str):
                yield self._done(failure=image if isinstance(image, str) else f"{source.locator}: {found}")
                continue
            if self.settings.are_crops:
                yield from self._crop(source, image, found)
                continue
            dropped = Counter[str]()
            kept = select_faces(found, source.said, self.settings)
            if len(kept) < len(found):
                dropped[NOT_WANTED] += len(found) - len(kept)
            for face in kept:
                score = None if self.settings.detector == "given" else face.score
                try:
                    with self._clock("align"):
                        piece = prepare_face(
                            image, face, self.settings, score=score, **label_columns(source.said)
                        )
                    yield piece
                except DroppedFaceError as error:
                    dropped[str(error)] += 1
            yield self._done(dropped=dropped)

    def _detect(self, pictures: Sequence[tuple[FaceSource, Image | str]]) -> list[list[Detection] | str]:
        """Faces of each picture, or why none could be looked for."""
        if self._detector is None:
            given = _given_of_crop if self.settings.are_crops else _given
            return [given(*picture) for picture in pictures]
        found: list[list[Detection] | str] = ["" for _ in pictures]
        rows = [row for row, (_, image) in enumerate(pictures) if not isinstance(image, str)]
        images = [_rgb(image) for _, image in pictures if not isinstance(image, str)]
        for row, faces in zip(rows, self._detector.detect(images), strict=True):
            found[row] = faces
        return found

    def _crop(self, source: FaceSource, image: Image, found: Sequence[Detection]) -> Iterator[Piece]:
        """The one face of a picture that is a crop, by its landmarks or else as it is."""
        faces = [face for face in found if face.score >= self.settings.min_score]
        try:
            with self._clock("align"):
                piece = self._aligned_crop(source, image, faces) if faces else None
                piece = piece or keep_crop(image, source.said, self.settings)
            yield piece
        except DroppedFaceError as error:
            yield self._done(dropped=Counter([str(error)]))
        else:
            yield self._done()

    def _aligned_crop(
        self, source: FaceSource, image: Image, faces: Sequence[Detection]
    ) -> StoredFace | None:
        score = None if self.settings.detector == "given" else faces[0].score
        labels = label_columns(source.said)
        try:
            return prepare_face(image, faces[0], self.settings, score=score, **labels)
        except NoPlaceError:
            return None

    def _aligned(self, source: FaceSource) -> Iterator[Piece]:
        try:
            with self._clock("decode"):
                face = prepare_aligned_face(source, self.settings)
            yield face
        except BadImageError as error:
            yield self._done(failure=str(error))
        except DroppedFaceError as error:
            yield self._done(dropped=Counter([str(error)]))
        else:
            yield self._done()

    def _video(self, source: FaceSource) -> Iterator[Piece]:
        detector = self._detector
        if self.settings.are_crops:
            yield self._done(failure="a video is no crop of one face; prepare it into a store of its own")
            return
        if detector is None:
            yield self._done(failure=f"videos need a detector; {self.settings.detector!r} is for pictures")
            return
        dropped, problems = Counter[str](), list[str]()
        pictures = self._timed("decode", self._frames(source, problems))
        followed = self._timed("track", follow(pictures, _Timed(detector, self._clock)))
        number = 0
        try:
            for seen in itertools.chain.from_iterable(followed):
                yield from self._people(seen, source, dropped)
                number += 1
                if number % _TOLD == 0:
                    yield FrameCount(_TOLD)
        except BadVideoError as error:
            yield self._done(failure=str(error))
            return
        yield self._done(dropped=dropped, problems=tuple(problems))

    def _frames(self, source: FaceSource, problems: list[str]) -> Iterator[VideoFrame]:
        """The frames of a video, or part of one, that are looked at: every n-th, and the first at least.

        Raises:
            BadVideoError: If it can't be read, or no frame lies in the part.
        """
        is_any = False
        every, start, end = self.settings.every, source.start, source.end
        for frame in frames(source.root, every=every, start=start, end=end, problems=problems):
            is_any = True
            yield frame
        if is_any:
            return
        first = next(frames(source.root, start=start, problems=[]), None)
        if first is None:
            raise BadVideoError(f"{source.root}: it ends before {start:g} s")
        if end is not None and first.time >= end:
            raise BadVideoError(
                f"{source.root}: no frame lies between {start:g} and {end:g} s, the next one at "
                f"{first.time:.3f} s"
            )
        yield first

    def _people(self, seen: FollowedFrame, source: FaceSource, dropped: Counter[str]) -> Iterator[Piece]:
        faces = [person.detection for person in seen.people]
        tracks = {id(face): person.id for face, person in zip(faces, seen.people, strict=True)}
        said = {name: value for name, value in source.said.items() if name not in ("box", "landmarks")}
        kept = select_faces(faces, said, self.settings)
        video = split_interval(source.name)[0]
        labels = label_columns(said) | {"video": video, "frame": seen.frame.index}
        if len(kept) < len(faces):
            dropped[NOT_WANTED] += len(faces) - len(kept)
        for face in kept:
            try:
                with self._clock("align"):
                    piece = prepare_face(
                        seen.frame.image,
                        face,
                        self.settings,
                        score=face.score,
                        time=seen.frame.time,
                        track=tracks[id(face)],
                        **labels,
                    )
                yield piece
            except DroppedFaceError as error:
                dropped[str(error)] += 1

    def _length(self, source: FaceSource) -> Iterator[Piece]:
        try:
            video = probe(source.root)
        except BadVideoError:
            return
        if video.duration and video.rate:
            length = min(source.end or math.inf, video.duration) - source.start
            yield FrameCount(max(0, round(length * video.rate / self.settings.every)))

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
        """Count processor time, less that of the clocks within."""
        start, outside, self._nested = time.process_time(), self._nested, 0.0
        try:
            yield
        finally:
            seconds = time.process_time() - start
            self._seconds[kind] += seconds - self._nested
            self._nested = outside + seconds

    def _timed(self, kind: str, items: Iterator[T]) -> Iterator[T]:
        """The same items; what it takes to have them is counted."""
        while True:
            with self._clock(kind):
                try:
                    item = next(items)
                except StopIteration:
                    return
            yield item


@dataclass(frozen=True)
class _Timed:
    """A detector whose time is counted."""

    detector: Detector
    clock: Callable[[str], AbstractContextManager[None]]

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """As the detector does."""
        with self.clock("detect"):
            return self.detector.detect(images)


def _rgb(image: Image) -> Image:
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image


def _given(source: FaceSource, image: Image | str) -> list[Detection] | str:
    if isinstance(image, str):
        return image
    try:
        return GivenFaces([[annotated_face(source.said)]]).detect([_rgb(image)])[0]
    except ValueError as error:
        return str(error)


def _given_of_crop(source: FaceSource, image: Image | str) -> list[Detection] | str:
    """By the landmarks of the data set; nothing where it gives none, or none that lie in the picture."""
    if isinstance(image, str):
        return image
    found = _given(source, image) if "landmarks" in source.said else []
    return [] if isinstance(found, str) else found
