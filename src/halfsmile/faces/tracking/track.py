"""Who is who from frame to frame: detections become tracks with steady ids.

The method is ByteTrack (Zhang et al., ECCV 2022, https://arxiv.org/abs/2110.06864): boxes move by a Kalman
filter, confident detections are matched to all tracks by overlap, then doubtful ones to the tracks left, so
that a half-hidden face keeps its track. Other than there, doubtful detections continue tracks after a gap,
and boxes are grown before they are compared, as far as the filter is unsure: faces are small and move by
their own width in a few frames (buffered overlap: Yang et al., WACV 2023, https://arxiv.org/abs/2211.14317).
Memory and time per frame depend on the people in view, and on the size of the gallery.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from halfsmile.data.preprocess import Image
from halfsmile.faces.detect import Detection
from halfsmile.faces.tracking.appearance import Look, look
from halfsmile.faces.tracking.gallery import Gallery
from halfsmile.faces.tracking.kalman import BoxState
from halfsmile.faces.tracking.motion import move_along

Floats = npt.NDArray[np.float64]

_MIN_OVERLAP = 0.2  # with confident detections
_MIN_OVERLAP_DOUBTFUL = 0.5
_MIN_OVERLAP_TENTATIVE = 0.3


@dataclass(frozen=True, eq=False)
class TrackedFace:
    """A face of a known person at a time.

    Attributes:
        id: Of the person within the video, from 1.
        time: Seconds.
        box: (4,) xyxy in pixels: the detected one, or where it is supposed to be.
        landmarks: (5, 2) in pixels, moved along with the box; None where the detector gives none.
        score: Of the latest detection.
        detected: Whether the face was detected in this frame; else it was predicted or interpolated.
    """

    id: int
    time: float
    box: Floats
    landmarks: Floats | None
    score: float
    detected: bool

    @property
    def detection(self) -> Detection:
        """The same as a detection, for alignment."""
        points = None if self.landmarks is None else np.asarray(self.landmarks, np.float32)
        return Detection(np.asarray(self.box, np.float32), points, self.score)


@dataclass(eq=False)
class _Target:
    """A person that is followed."""

    state: BoxState
    detection: Detection
    hits: int
    looks: list[tuple[float, Look]]  # with their times, oldest first
    id: int = 0  # from the moment that the track is sure

    def remember(self, look: Look | None, time: float, seconds: float) -> None:
        """Add the look of a frame, and forget those that are older than some seconds."""
        if look is not None:
            self.looks = [(then, old) for then, old in self.looks if time - then <= seconds] + [(time, look)]

    def track(self, time: float) -> TrackedFace:
        """The latest detection, moved as the filter predicts."""
        box = np.asarray(self.detection.box, np.float64)
        points = (
            None if self.detection.landmarks is None else np.asarray(self.detection.landmarks, np.float64)
        )
        if time > self.state.time:
            box, points = move_along(box, points, self.state.box, self.state.predict(time).box)
        return TrackedFace(self.id, time, box, points, self.detection.score, time == self.state.time)


class Tracker:
    """Follows the faces of one video.

    Args:
        high_score: Detections from this score on start and continue tracks. Higher values give fewer false
            tracks, and lose faint faces.
        low_score: Detections from this score on continue tracks; those below are ignored.
        min_hits: Detections in a row until a new track is given out; one in the first frame is at once.
        lost_seconds: How long a face that is not seen keeps its id. Longer values bridge longer occlusions,
            and give the id more easily to somebody else. Where detections themselves lie further
            apart, a face keeps its id from one to the next if it is where it was, and looks alike where there
            are images; a new face then needs no second detection.
        grow: Standard deviations of a predicted place by which boxes are grown all around before they are
            compared: little from frame to frame, and more after a gap. Higher values follow wilder motion
            and mix up neighbors.
        min_likeness: Correlation that a face must have to continue a track after a gap, where images are
            given, with any of the track's looks of its last ``lost_seconds``.
        min_likeness_at_cut: The same where a new shot may begin, with the track's latest look.
        gallery: Gives the numbers, and knows who was seen before, for faces that continue no track, where
            images are given.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        *,
        high_score: float = 0.6,
        low_score: float = 0.1,
        min_hits: int = 2,
        lost_seconds: float = 1.0,
        grow: float = 2.0,
        min_likeness: float = 0.7,
        min_likeness_at_cut: float = 0.9,
        gallery: Gallery | None = None,
    ) -> None:
        if not 0 <= low_score <= high_score <= 1 or min_hits < 1 or lost_seconds < 0 or grow < 0:
            raise ValueError(
                f"Found low_score = {low_score}, high_score = {high_score}, min_hits = {min_hits}, "
                f"lost_seconds = {lost_seconds}, grow = {grow}; 0 <= low_score <= high_score <= 1, "
                "min_hits is 1 or more, and the others are not negative."
            )
        self.high_score = high_score
        self.low_score = low_score
        self.min_hits = min_hits
        self.lost_seconds = lost_seconds
        self.grow = grow
        self.min_likeness = min_likeness
        self.min_likeness_at_cut = min_likeness_at_cut
        self.gallery = Gallery() if gallery is None else gallery
        self._targets: list[_Target] = []
        self._time = self._detected = -np.inf  # of the latest frame, and of the latest with detections
        self._is_new = True

    def reset(self) -> None:
        """Forget everybody in view; an id is given again only to who the gallery knows."""
        self._targets = []
        self._is_new = True

    def update(
        self,
        detections: Sequence[Detection] | None,
        time: float,
        *,
        image: Image | None = None,
        may_be_cut: bool = False,
    ) -> list[TrackedFace]:
        """Take the next frame.

        Args:
            detections: Its faces, in any order; None if the detector did not run on it. An empty list says
                that there is no face.
            time: Its time in seconds, more than that of the frame before.
            image: (H, W, 3) uint8, RGB. With it, a track goes on after a gap only with a face that looks
                alike in the same place, and a person who is seen again elsewhere or later keeps their id.
            may_be_cut: Whether a new shot may begin with this frame: with an image, a track goes on only with
                a face that looks alike, and new ones are given out at once. Where a new shot does begin, call
                :meth:`reset` before.

        Returns:
            The people detected in this frame; where the detector did not run, those of the latest frame where
            it did, moved to where they should be now. In order of their ids, which differ.

        Raises:
            ValueError: If time does not rise.
        """
        if time <= self._time:
            raise ValueError(f"Times must rise; after {self._time} s came {time} s.")
        self._time = time
        if detections is None:
            return self._tracks(self._detected, time)
        is_late = time - self._detected > self.lost_seconds
        self._targets = [
            t
            for t in self._targets
            if t.state.time == self._detected or time - t.state.time <= self.lost_seconds
        ]
        faces = sorted(detections, key=lambda face: (-face.score, *face.box))
        looks = [look(image, face.box) if image is not None else None for face in faces]
        similarity = self._similarity(faces, looks, time, may_be_cut=may_be_cut, is_late=is_late)
        high = [i for i, face in enumerate(faces) if face.score >= self.high_score]
        low = [i for i, face in enumerate(faces) if self.low_score <= face.score < self.high_score]
        sure = [i for i, target in enumerate(self._targets) if target.id]
        tentative = [i for i, target in enumerate(self._targets) if not target.id]

        matches = _match(similarity, sure, high, _MIN_OVERLAP)
        unseen = [i for i in sure if i not in matches]
        matches |= _match(similarity, unseen, low, _MIN_OVERLAP_DOUBTFUL)
        rest = [i for i in high if i not in matches.values()]
        matches |= _match(similarity, tentative, rest, _MIN_OVERLAP_TENTATIVE)

        for index, face in matches.items():
            target = self._targets[index]
            target.state = target.state.update(faces[face].box, time)
            target.detection = faces[face]
            target.remember(looks[face], time, self.lost_seconds)
            target.hits += 1
        self._targets = [target for i, target in enumerate(self._targets) if target.id or i in matches]
        for face in high:
            if face not in matches.values():
                state = BoxState.start(faces[face].box, time)
                hits = self.min_hits if self._is_new or is_late or may_be_cut else 1
                target = _Target(state, faces[face], hits, [])
                target.remember(looks[face], time, self.lost_seconds)
                self._targets.append(target)
        self._identify(time, image)
        self._detected, self._is_new = time, False
        return self._tracks(time, time)

    def _identify(self, time: float, image: Image | None) -> None:
        """Give ids to the tracks that have become sure, and let the gallery see everybody in view."""
        new = [target for target in self._targets if not target.id and target.hits >= self.min_hits]
        known: list[int | None] = [None] * len(new)
        if new and image is not None:
            in_view = {target.id for target in self._targets if target.state.time == time}
            known = self.gallery.identify(image, [target.detection for target in new], in_view)
            self._targets = [target for target in self._targets if not target.id or target.id not in known]
        for target, person in zip(new, known, strict=True):
            target.id = self.gallery.new_number() if person is None else person
        if image is not None:
            for target in self._targets:
                if target.id and target.state.time == time:
                    self.gallery.see(target.id, image, target.detection, time)

    def _tracks(self, seen: float, time: float) -> list[TrackedFace]:
        tracks = [t.track(time) for t in self._targets if t.id and t.state.time == seen]
        return sorted(tracks, key=lambda track: track.id)

    def _similarity(
        self,
        faces: Sequence[Detection],
        looks: Sequence[Look | None],
        time: float,
        *,
        may_be_cut: bool,
        is_late: bool,
    ) -> Floats:
        """(targets, faces): overlap of the grown boxes, 0 where the looks forbid a match."""
        states = [target.state if is_late else target.state.predict(time) for target in self._targets]
        margins = self.grow * np.array([[state.deviation] for state in states]).reshape(-1, 1)
        predicted = np.array([state.box for state in states]).reshape(-1, 1, 4)
        detected = np.array([face.box for face in faces], np.float64).reshape(1, -1, 4)
        overlap = _overlap(predicted, detected, margins)
        for i, target in enumerate(self._targets):
            if not (may_be_cut or is_late) and target.state.time == self._detected:
                continue
            # what covers a face little by little is in its latest looks, too
            known = [old for _, old in target.looks[-1 if may_be_cut else 0 :]]
            least = self.min_likeness_at_cut if may_be_cut else self.min_likeness
            for j, seen in enumerate(looks):
                if known and seen is not None and max(old @ seen for old in known) < least:
                    overlap[i, j] = 0
        return overlap


def _match(similarity: Floats, targets: list[int], faces: list[int], least: float) -> dict[int, int]:
    """Pairs of targets and faces with the largest sum of similarities, none of them below ``least``."""
    gain = similarity[np.ix_(targets, faces)]
    gain = np.where(gain >= least, gain, 0)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    return {targets[r]: faces[c] for r, c in zip(rows, columns, strict=True) if gain[r, c] > 0}


def _overlap(first: Floats, second: Floats, margin: Floats) -> Floats:
    """Intersection over union of boxes (…, 4) after both have grown by a margin (…) on every side."""
    low = np.maximum(first[..., :2], second[..., :2]) - margin[..., None]
    high = np.minimum(first[..., 2:], second[..., 2:]) + margin[..., None]
    shared = np.clip(high - low, 0, None).prod(-1)
    sides = [boxes[..., 2:] - boxes[..., :2] + 2 * margin[..., None] for boxes in (first, second)]
    return np.asarray(shared / (sides[0].prod(-1) + sides[1].prod(-1) - shared), np.float64)
