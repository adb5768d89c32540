"""Cuts between generated shots, and what looks like a cut and is none."""

from __future__ import annotations

import numpy as np
import pytest

from halfsmile.data.preprocess import Image
from halfsmile.faces.tracking.shots import ShotDetector


def scene(seed: int, height: int = 100, width: int = 400) -> Image:
    """A patchwork of a few colors."""
    rng = np.random.default_rng(seed)
    patches = rng.integers(0, 6, (height // 20, width // 20))
    return np.kron(rng.integers(20, 230, (6, 3))[patches], np.ones((20, 20, 1))).astype(np.uint8)


def shot(seed: int, count: int = 30, pan: int = 1, noise: float = 4.0) -> list[Image]:
    """A camera that moves over a scene."""
    rng = np.random.default_rng(seed)
    wide = scene(seed)
    views = [wide[:, pan * i : pan * i + 160].astype(np.float64) for i in range(count)]
    return [np.clip(view + rng.normal(0, noise, view.shape), 0, 255).astype(np.uint8) for view in views]


def cuts(images: list[Image], detector: ShotDetector | None = None, rate: float = 25) -> list[int]:
    detector = detector or ShotDetector()
    return [i for i, image in enumerate(images) if detector.update(image, i / rate)]


@pytest.mark.parametrize("pan", [0, 1, 4])
def test_cuts_are_found_where_they_are(pan: int) -> None:
    images = [image for seed in range(5) for image in shot(seed, pan=pan)]
    assert cuts(images) == [30, 60, 90, 120]


@pytest.mark.parametrize("every", [2, 3, 5])
def test_cuts_are_found_when_frames_are_skipped(every: int) -> None:
    images = [image for seed in range(3) for image in shot(seed)]
    assert cuts(images[::every], rate=25 / every) == [30 // every, 60 // every]


def test_black_and_white_film() -> None:
    images = [image for seed in range(3) for image in shot(seed)]
    gray = [np.repeat(image.mean(2, keepdims=True), 3, 2).astype(np.uint8) for image in images]
    assert cuts(gray) == [30, 60]


def test_still_and_empty_pictures_have_no_cut() -> None:
    assert cuts(shot(0, pan=0, noise=0)) == []
    for level in (0, 128, 255):
        assert cuts([np.full((90, 160, 3), level, np.uint8)] * 20) == []
    noise = np.random.default_rng(0)
    assert cuts([noise.integers(0, 12, (90, 160, 3), np.uint8) for _ in range(40)]) == []


def test_lights_that_change_slowly_or_at_once_are_no_cut() -> None:
    still = shot(0, count=40, pan=1)
    fading = [(image * (1 - i / 50)).astype(np.uint8) for i, image in enumerate(still)]
    assert cuts(fading) == []
    switched = still[:20] + [(image * 0.6).astype(np.uint8) for image in still[20:]]
    assert cuts(switched) == []


def test_a_person_who_walks_through_is_no_cut() -> None:
    images = shot(0, count=40, pan=0)
    for i, image in enumerate(images):
        image[30:, 4 * i : 4 * i + 30] = (190, 150, 130)
    assert cuts(images) == []


def test_a_flash_is_no_cut_and_a_cut_through_black_is_one() -> None:
    first, second = shot(0), shot(1)
    blank = [np.full((100, 160, 3), level, np.uint8) for level in (255, 0)]
    assert cuts([*first[:15], blank[0], *first[15:]]) == []
    assert cuts([*first, blank[1], blank[1], *second]) == [32]


def possible_cuts(images: list[Image]) -> list[int]:
    detector = ShotDetector()
    found = []
    for i, image in enumerate(images):
        detector.update(image, i / 25)
        found += [i] if detector.may_be_cut else []
    return found


def test_a_sudden_change_of_a_part_may_be_a_cut() -> None:
    images = shot(0, count=40, pan=0)
    for image in images[20:]:
        image[30:80, 50:90] = scene(5)[:50, :40]
    assert (cuts(images), possible_cuts(images)) == ([], [20])


def test_what_is_a_cut_may_be_one_and_motion_may_not() -> None:
    assert possible_cuts([*shot(0), *shot(1)]) == [30]
    walk = shot(0, count=40, pan=0)
    for i, image in enumerate(walk):
        image[30:, 4 * i : 4 * i + 30] = (190, 150, 130)
    assert possible_cuts(walk) == []
    assert possible_cuts(shot(0, pan=4)) == []


def test_another_size_is_a_cut_whatever_is_seen() -> None:
    images = shot(0, count=9)
    doubled = [image.repeat(2, 0).repeat(2, 1) for image in images]
    assert cuts([*images[:3], *doubled[3:6], *images[6:]]) == [3, 6]
    black = np.zeros((50, 80, 3), np.uint8)
    detector = ShotDetector()
    assert cuts([*images[:3], black, black, *images[3:6]], detector) == [3, 5]
    assert not detector.may_be_cut
    assert detector.update(black, 1)
    assert detector.may_be_cut


def test_no_two_cuts_follow_too_soon() -> None:
    images = [image for seed in range(12) for image in shot(seed, count=4)]
    found = cuts(images, ShotDetector(min_seconds=0.3))
    assert len(found) >= 3
    assert np.diff(found).min() >= 0.3 * 25
    assert all(cut % 4 == 0 for cut in found)


def test_a_new_video_needs_a_new_detector() -> None:
    detector = ShotDetector()
    assert cuts(shot(0), detector) == []
    assert cuts(shot(0), ShotDetector()) == []
    assert detector.update(scene(9)[:, :160], 100.0)
