"""Faces of a video, followed from frame to frame (:mod:`halfsmile.faces.tracking.follow`) and named in each.

A frame is held back until the next detection, and with smoothing or a network over frames as long as its
window is. Detections that no person is made of yet are kept beside the faces: privacy needs them.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from halfsmile.faces.detect import Detection
from halfsmile.faces.tracking.follow import FollowedFrame, follow
from halfsmile.faces.tracking.gallery import Gallery
from halfsmile.faces.tracking.track import TrackedFace, Tracker
from halfsmile.faces.video.frames import VideoFrame, frames
from halfsmile.faces.video.source import is_address
from halfsmile.predict.answers.baseline import Baseline, PersonBaseline, Reference, relate_to_rest
from halfsmile.predict.answers.neutral import Likeness, NeutralFace, tell_others
from halfsmile.predict.cutting import split_odd
from halfsmile.predict.face import ODD_FACE, Face, Faces, NoFace
from halfsmile.predict.temporal import open_temporal, relate_tracks, smooth_tracks
from halfsmile.predict.temporal_model import TemporalModel
from halfsmile.predict.video_options import require_video_options

if TYPE_CHECKING:
    from halfsmile.predict.predictor import Predictor

_NO_PICTURE = np.zeros((0, 0, 3), np.uint8)


@dataclass(frozen=True, eq=False)
class Seen:
    """A frame and what is said of it.

    Args:
        source: Path, address or camera, as it was given.
        frame: Its pixels, number and time.
        faces: In order of their tracks.
        detections: All that the detector found in this very frame; empty where it did not run.
        features: (N, F), what the model says of each face besides.
        shot: Number of the shot, from 0.
        others: Tracks of those who are not the person of the neutral photograph.
        references: By track, whose rest the answer is relative to; without those that are relative to none.
    """

    source: str
    frame: VideoFrame
    faces: Faces
    detections: Sequence[Detection] = ()
    features: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    shot: int = 0
    others: frozenset[int] = frozenset()
    references: Mapping[int, Reference] = field(default_factory=dict)

    def results(self, *, frames_without_face: bool) -> list[Face | NoFace]:
        """All rows of the frame.

        Args:
            frames_without_face: Whether a frame without any has a row that says so.
        """
        rows: list[Face | NoFace] = [*self.faces, *self.faces.left_out]
        if frames_without_face and not rows:
            return [NoFace(source=self.source, frame=self.frame.index, time=self.frame.time)]
        return rows


def predict_video(
    predictor: Predictor,
    source: str | Path | int | Iterable[VideoFrame],
    *,
    start: float = 0.0,
    end: float | None = None,
    every: int = 1,
    every_seconds: float | None = None,
    retries: int = 3,
    detect_every: int = 3,
    smoothing: float | None = None,
    temporal: str | Path | TemporalModel | None = None,
    people: Gallery | None = None,
    baseline: Baseline | None = None,
    neutral: NeutralFace | None = None,
    keep_pictures: bool = True,
    name: str | None = None,
    problems: list[str] | None = None,
    first_look: Callable[[float], None] | None = None,
) -> Iterator[Seen]:
    """Every frame of a video with its faces, in order; see :meth:`Predictor.video`.

    Args:
        predictor: Its detector and model are used.
        source: A file, an address, the number of a camera, or frames.
        start: Seconds; earlier frames are left out. Frames that are given as such are all taken.
        end: Seconds; frames from then on are left out.
        every: Take each frame whose number is a multiple of this.
        every_seconds: Take the first frame at or after each multiple of this time.
        retries: How often in a row a stream that breaks off is opened again.
        detect_every: Frames of the video from one detection to the next.
        smoothing: Seconds over which each person's probabilities are averaged; None for none.
        temporal: Network over frames, see :func:`halfsmile.predict.temporal.open_temporal`.
        people: Knows who was seen before, also in other videos; None for this one alone.
        baseline: ``person`` answers relative to each person's resting face, see
            :mod:`halfsmile.predict.answers.baseline`: that of the whole video, which is looked at twice; of a
            camera, a stream, or frames, that of the frames so far.
        neutral: A photograph of the person's resting face, taken as the rest of those who look like it; a
            sentence in ``problems`` tells who does not. With ``baseline`` those have their own.
        keep_pictures: Without them frames that wait need hardly any memory; ``Seen.frame.image`` is empty.
        name: What ``Face.source`` will say; the source itself by default.
        problems: Gets a sentence on each kind of damage in the video; if None, they are warned of.
        first_look: Told the time in seconds of each frame of the first look, where ``baseline`` takes two.

    Raises:
        ValueError: If an argument is out of range, or the network over frames can't be had or does not fit.
        BadVideoError: From the first ``next``, if nothing of the source can be decoded.
    """
    require_video_options(
        every=every,
        detect_every=detect_every,
        smoothing=smoothing,
        every_seconds=every_seconds,
        start=start,
        end=end,
    )
    _require_source(source)
    network = open_temporal(temporal, predictor.model, smoothing=smoothing)
    is_live = isinstance(source, int) or (isinstance(source, str) and is_address(source))
    is_named = isinstance(source, str | Path | int)
    title = name or (str(source) if is_named else "frames")

    def look(people: Gallery | None, problems: list[str] | None, *, keep_pictures: bool) -> Iterator[Seen]:
        if not isinstance(source, str | Path | int):
            pictures = _only_frames(source)
        else:
            pictures = frames(
                source,
                every=every,
                every_seconds=every_seconds or 0.0,
                start=start,
                end=end,
                retries=retries,
                problems=problems,
            )
        tracker = None if people is None else Tracker(gallery=people)
        followed = follow(pictures, predictor.detector, detect_every=detect_every, tracker=tracker)
        found = _name_expressions(predictor, followed, title)
        if neutral is not None:
            found = tell_others(found, Likeness(neutral, own_rest=baseline is not None), problems)
        if not keep_pictures:
            found = (replace(seen, frame=replace(seen.frame, image=_NO_PICTURE)) for seen in found)
        if network is not None:
            return relate_tracks(found, predictor.judge, network)
        if smoothing is None:
            return found
        return smooth_tracks(found, predictor.judge, width=smoothing, delay=0.0 if is_live else smoothing / 2)

    answers = look(people, problems, keep_pictures=keep_pictures)
    if baseline is None and neutral is None:
        return answers
    person = PersonBaseline(predictor.labels)
    if neutral is not None:
        person.fix([neutral.probabilities.get(label, 0.0) for label in predictor.labels])
    if baseline is None:
        return relate_to_rest(answers, predictor.judge, person)
    if is_live or not is_named:
        return relate_to_rest(answers, predictor.judge, person, learn=True)
    before = None if people is None else people.copy()

    def first() -> Iterator[Seen]:
        for seen in look(before, [], keep_pictures=False):
            if first_look is not None:
                first_look(seen.frame.time)
            yield seen

    return relate_to_rest(answers, predictor.judge, person, first=first)


_SOURCES = (
    "video takes a path, an address, the number of a camera, or frames: VideoFrame(index, time, image) of "
    "halfsmile.faces.video.frames, one after the other"
)


def _require_source(source: object) -> None:
    """Refuse what no frames come from; see :meth:`Predictor.video`."""
    if isinstance(source, str) and not source.strip():
        raise ValueError(f"The name of the video is empty; {_SOURCES}.")
    is_file = isinstance(source, io.IOBase) or hasattr(source, "readline")  # cameras have read(), too
    if is_file or isinstance(source, bytes | bytearray | memoryview):
        raise ValueError(f"Found the bytes of a file: save them as one and name it; {_SOURCES}.")
    if isinstance(source, bool | np.ndarray) or not isinstance(source, str | Path | int | Iterable):
        raise ValueError(f"Found {type(source).__name__}; {_SOURCES}.")


def _only_frames(given: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
    """The frames, as long as they are such."""
    for frame in given:
        if not isinstance(frame, VideoFrame):
            raise ValueError(f"Found {type(frame).__name__} among the frames; {_SOURCES}.")
        yield frame


def _name_expressions(
    predictor: Predictor, followed: Iterable[Sequence[FollowedFrame]], source: str
) -> Iterator[Seen]:
    """Name the expressions in the frames that are given together."""
    for frames_together in followed:
        placed = [_placed(seen.people) for seen in frames_together]
        crops = [
            predictor.crops(seen.frame.image, [face for _, face in faces])
            for seen, (faces, _) in zip(frames_together, placed, strict=True)
        ]
        answers = predictor.answers(crops, [face for faces, _ in placed for _, face in faces])
        rows, first = iter(answers.rows()), 0
        for seen, (faces, odd) in zip(frames_together, placed, strict=True):
            frame = seen.frame
            results = Faces(
                predictor.result(
                    face,
                    *next(rows),
                    source,
                    image=frame.image,
                    frame=frame.index,
                    time=frame.time,
                    track=person.id,
                )
                for person, face in faces
            )
            results.left_out = tuple(
                NoFace(source=source, frame=frame.index, time=frame.time, reason=reason) for reason in odd
            )
            features = answers.features[first : first + len(results)]
            first += len(results)
            yield Seen(source, frame, results, seen.detections, features, seen.shot)


def _placed(people: Sequence[TrackedFace]) -> tuple[list[tuple[TrackedFace, Detection]], list[str]]:
    """People whose faces can be cut out, and a reason for each other one."""
    placed, reasons = [], []
    for person in people:
        try:
            faces, odd = split_odd([person.detection])
        except ValueError as error:  # a box without an area, where a face is supposed to be
            faces, odd = [], [f"{ODD_FACE}: {error}"]
        placed += [(person, face) for face in faces]
        reasons += odd
    return placed, reasons
