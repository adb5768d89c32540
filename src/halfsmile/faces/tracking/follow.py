"""The people of a video: detected now and then, followed from frame to frame, known again after a cut.

Between two detections a face moves on a straight line, so frames are held back until the next detection: at
most ``detect_every`` of them are in memory. At a cut and at the end of the video faces move on as the tracker
predicts.

Where a new shot begins, or may begin, the detector runs. A cut ends all tracks, whatever lies where; what may
be one ends those of faces that look different. Whoever begins to be followed keeps the number that they had
before in the video if they look as they did then (:mod:`halfsmile.faces.tracking.gallery`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from halfsmile.faces.detect import Detection, Detector
from halfsmile.faces.tracking.motion import interpolate
from halfsmile.faces.tracking.shots import ShotDetector
from halfsmile.faces.tracking.track import TrackedFace, Tracker
from halfsmile.faces.video.frames import VideoFrame


@dataclass(eq=False)
class FollowedFrame:
    """A frame and who is in it.

    Attributes:
        frame: Pixels, number and time.
        people: In order of their numbers.
        shot: Number of the shot, from 0.
        detections: All that the detector found in this very frame, also those that nobody is followed by yet;
            empty where it did not run.
    """

    frame: VideoFrame
    people: list[TrackedFace]
    shot: int
    detections: list[Detection] = field(default_factory=list)


def follow(
    frames: Iterable[VideoFrame],
    detector: Detector,
    *,
    detect_every: int = 1,
    tracker: Tracker | None = None,
    shots: ShotDetector | None = None,
) -> Iterator[list[FollowedFrame]]:
    """Find the people of a video and tell who is who.

    Args:
        frames: In order of time.
        detector: Finds their faces.
        detect_every: Frames of the video from one detection to the next.
        tracker: A new one by default.
        shots: Likewise.

    Returns:
        All frames in their order; those that one detection decides are given together.
    """
    tracker = Tracker() if tracker is None else tracker
    shots = ShotDetector() if shots is None else shots
    before: list[TrackedFace] = []
    held: list[FollowedFrame] = []
    next_detection, shot = -1, 0
    for frame in frames:
        is_cut = shots.update(frame.image, frame.time)
        if frame.index < next_detection and not shots.may_be_cut:
            held.append(FollowedFrame(frame, tracker.update(None, frame.time), shot))
            continue
        detections = detector.detect([frame.image])[0]
        if is_cut:
            tracker.reset()
        people = tracker.update(detections, frame.time, image=frame.image, may_be_cut=shots.may_be_cut)
        if not shots.may_be_cut:
            for waiting in held:
                waiting.people = interpolate(before, people, waiting.frame.time)
        shot += is_cut
        yield [*held, FollowedFrame(frame, people, shot, detections)]
        before, held, next_detection = people, [], frame.index + detect_every
    if held:
        yield held
