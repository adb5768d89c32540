"""Faces made of patches, which are alike or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.faces.tracking.test_track import face, picture

from halfsmile.data.preprocess import Image
from halfsmile.faces.detect import Detection
from halfsmile.faces.tracking.gallery import Gallery
from halfsmile.faces.tracking.track import Tracker


def identify(gallery: Gallery, *people: int, in_view: Sequence[int] = ()) -> list[int | None]:
    """Numbers of people side by side."""
    faces = [face(100 + 200 * place, 100) for place in range(len(people))]
    return gallery.identify(picture(*people), faces, in_view)


def see(gallery: Gallery, person: int, image: Image, time: float) -> None:
    gallery.see(person, image, face(100, 100), time)


def test_who_was_seen_is_known_and_nobody_else() -> None:
    gallery = Gallery()
    assert identify(gallery, 1) == [None]
    for person in (1, 2, 3):
        see(gallery, person, picture(person), float(person))
    assert identify(gallery, 2, 9, 1) == [2, None, 1]


def test_who_is_in_view_is_not_somebody_else_and_no_number_is_given_twice() -> None:
    gallery = Gallery()
    see(gallery, 1, picture(1), 0)
    assert identify(gallery, 1, in_view=[1]) == [None]
    assert sorted(identify(gallery, 1, 1), key=str) == [1, None]


def test_the_most_alike_gets_the_number() -> None:
    gallery = Gallery(min_similarity=0.3)
    see(gallery, 1, picture(1), 0)
    half = picture(1, 1)
    half[100:130, 70:130] = picture(2)[100:130, 70:130]
    assert gallery.identify(half, [face(100, 100), face(300, 100)], ()) == [None, 1]


def test_a_person_is_known_by_each_of_the_latest_descriptors() -> None:
    gallery = Gallery(descriptors=2, seconds=1)
    for look, time in ((1, 0.0), (2, 0.5), (3, 1.0), (4, 2.0)):
        see(gallery, 1, picture(look), time)
    assert [identify(gallery, look) for look in (1, 2, 3, 4)] == [[None], [None], [1], [1]]


def test_memory_is_bounded_and_who_was_seen_longest_ago_is_forgotten() -> None:
    gallery = Gallery(room=2)
    for person, time in ((1, 0.0), (2, 1.0), (1, 1.1), (3, 2.0)):
        see(gallery, person, picture(person), time)
    assert identify(gallery, 1, 2, 3) == [1, None, 3]
    nobody = Gallery(room=0)
    see(nobody, 1, picture(1), 0)
    assert identify(nobody, 1) == [None]


def test_a_face_without_a_place_is_nobody() -> None:
    gallery = Gallery()
    see(gallery, 1, picture(1), 0)
    lost = face(100, 100)
    object.__setattr__(lost, "landmarks", np.full((5, 2), 90, np.float32))
    see(gallery, 2, picture(2), 0.1)
    gallery.see(3, picture(3), lost, 0.2)
    assert gallery.identify(picture(1), [lost], ()) == [None]
    assert identify(gallery, 3) == [None]


@pytest.mark.parametrize(
    "wrong", [{"min_similarity": 1.1}, {"room": -1}, {"descriptors": 0}, {"seconds": -0.1}]
)
def test_arguments_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="min_similarity"):
        Gallery(**wrong)


class ByBlue:
    """Tells people by the blue of the picture's corner, whatever they look like."""

    def embed(self, image: Image, face: Detection) -> npt.NDArray[np.float32] | None:
        angle = float(image[0, 0, 2]) / 100
        return np.array([np.cos(angle), np.sin(angle)], np.float32)


def tinted(person: int, blue: int) -> Image:
    image = picture(person)
    image[0, 0, 2] = blue
    return image


def test_the_face_network_knows_who_looks_otherwise() -> None:
    gallery = Gallery(identity=ByBlue(), min_identity=0.95)  # type: ignore[arg-type]
    see(gallery, 1, tinted(1, 0), 0)
    see(gallery, 2, tinted(2, 100), 1)
    assert gallery.identify(tinted(7, 10), [face(100, 100)], ()) == [1]
    assert gallery.identify(tinted(8, 90), [face(100, 100)], ()) == [2]
    assert gallery.identify(tinted(9, 50), [face(100, 100)], ()) == [None]
    assert gallery.identify(tinted(1, 200), [face(100, 100)], ()) == [1], "or by the look, as before"


def test_two_videos_that_share_a_gallery_share_their_numbers() -> None:
    gallery = Gallery()
    numbers = []
    for people in ((1, 2), (3, 1), (2, 4)):
        tracker = Tracker(gallery=gallery)
        image = picture(*people)
        faces = [face(100 + 200 * place, 100) for place in range(2)]
        found = tracker.update(faces, 0.0, image=image)
        numbers.append([track.id for track in sorted(found, key=lambda track: track.box[0])])
    assert numbers == [[1, 2], [3, 1], [2, 4]]
    assert [track.id for track in Tracker().update([face(100, 100)], 0.0, image=picture(1))] == [1]
