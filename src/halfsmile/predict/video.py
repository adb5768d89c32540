"""Faces of a video: detected now and then, followed from frame to frame, named in each.

Between two detections a face moves on a straight line, so a frame is held back until the next detection: at
most ``detect_every`` frames are in memory, and with smoothing or a network over frames those of its window.
At a cut and at the end faces move on as the tracker predicts. Detections that no person is made of yet are
kept beside the faces: privacy needs them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from halfsmile.faces.detect import Detection
from halfsmile.faces.tracking.shots import ShotDetector
from halfsmile.faces.tracking.track import Track, Tracker, interpolate
from halfsmile.faces.video.frames import Frame, frames
from halfsmile.faces.video.source import is_address
from halfsmile.predict.face import Faces, NoFace
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
    """

    source: str
    frame: Frame
    faces: Faces
    detections: Sequence[Detection] = ()
    features: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    def no_face(self) -> NoFace:
        """The row for a frame without a face."""
        return NoFace(source=self.source, frame=self.frame.index, time=self.frame.time)


@dataclass(eq=False)
class _Held:
    """A frame that waits for the next detection."""

    frame: Frame
    tracks: list[Track]
    detections: list[Detection] = field(default_factory=list)


def look_at_video(
    predictor: Predictor,
    source: str | Path | int | Iterable[Frame],
    *,
    every: int = 1,
    detect_every: int = 3,
    smoothing: float | None = None,
    temporal: str | Path | TemporalModel | None = None,
    keep_pictures: bool = True,
    name: str | None = None,
    problems: list[str] | None = None,
) -> Iterator[Seen]:
    """Every frame of a video with its faces, in order; see :meth:`Predictor.video`.

    Args:
        predictor: Its detector and model are used.
        source: A file, an address, the number of a camera, or frames.
        every: Look at each frame whose number is a multiple of this.
        detect_every: Frames of the video from one detection to the next.
        smoothing: Seconds over which each person's probabilities are averaged; None for none.
        temporal: Network over frames, see :func:`halfsmile.predict.temporal.open_temporal`.
        keep_pictures: Without them frames that wait need hardly any memory; ``Seen.frame.image`` is empty.
        name: What ``Face.source`` will say; the source itself by default.
        problems: Gets a sentence on each kind of damage in the video; if None, they are warned of.

    Raises:
        ValueError: If an argument is out of range, or the network over frames can't be had or does not fit.
        BadVideo: From the first ``next``, if nothing of the source can be decoded.
    """
    require_video_options(every=every, detect_every=detect_every, smoothing=smoothing)
    network = open_temporal(temporal, predictor.model, smoothing=smoothing)
    is_live = isinstance(source, int) or (isinstance(source, str) and is_address(source))
    if isinstance(source, str | Path | int):
        name = str(source) if name is None else name
        pictures: Iterable[Frame] = frames(source, every=every, problems=problems)
    else:
        pictures = source
    found = _look(predictor, pictures, name or "frames", detect_every)
    if not keep_pictures:
        found = (replace(seen, frame=replace(seen.frame, image=_NO_PICTURE)) for seen in found)
    if network is not None:
        return relate_tracks(found, predictor, network)
    if smoothing is None:
        return found
    return smooth_tracks(found, predictor, width=smoothing, delay=0.0 if is_live else smoothing / 2)


def _look(predictor: Predictor, pictures: Iterable[Frame], source: str, detect_every: int) -> Iterator[Seen]:
    shots, tracker = ShotDetector(), Tracker()
    before: list[Track] = []
    held: list[_Held] = []
    next_detection = -1
    for frame in pictures:
        is_cut = shots.update(frame.image, frame.time)
        if frame.index < next_detection and not is_cut:
            held.append(_Held(frame, tracker.update(None, frame.time)))
            continue
        detections = predictor.detector.detect([frame.image])[0]
        if is_cut:
            tracker.reset()
        tracks = tracker.update(detections, frame.time, image=frame.image)
        if not is_cut:
            for waiting in held:
                waiting.tracks = interpolate(before, tracks, waiting.frame.time)
        yield from _name(predictor, [*held, _Held(frame, tracks, detections)], source)
        before, held, next_detection = tracks, [], frame.index + detect_every
    yield from _name(predictor, held, source)


def _name(predictor: Predictor, held: Sequence[_Held], source: str) -> Iterator[Seen]:
    """Name the expressions in some frames together."""
    placed = [[(track, _detection(track)) for track in waiting.tracks] for waiting in held]
    crops = [
        predictor.crops(waiting.frame.image, [face for _, face in faces])
        for waiting, faces in zip(held, placed, strict=True)
    ]
    answers = predictor.answers(crops)
    rows, first = iter(answers.probabilities), 0
    for waiting, faces in zip(held, placed, strict=True):
        frame = waiting.frame
        results = Faces(
            predictor.result(
                face,
                next(rows),
                source,
                image=frame.image,
                frame=frame.index,
                time=frame.time,
                track=track.id,
            )
            for track, face in faces
        )
        features = answers.features[first : first + len(results)]
        first += len(results)
        yield Seen(source, frame, results, waiting.detections, features)


def _detection(track: Track) -> Detection:
    points = None if track.landmarks is None else np.asarray(track.landmarks, np.float32)
    return Detection(np.asarray(track.box, np.float32), points, track.score)
