from __future__ import annotations

import cv2
import numpy as np
import pytest

from halfsmile.data.decode import BadImageError, decode
from halfsmile.data.image_formats.cut_jpeg import is_cut

RGB = cv2.resize(np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8), (400, 300))
WHOLE = cv2.imencode(".jpg", RGB, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


@pytest.mark.parametrize("cut", [1, 2, 20, 500])
def test_a_jpeg_cut_by_a_few_bytes_is_read_as_far_as_it_goes(cut: int) -> None:
    problems: list[str] = []
    image = decode(WHOLE[:-cut], "a.jpg", problems=problems)
    assert image.shape == RGB.shape
    np.testing.assert_array_equal(image[:250], decode(WHOLE, "a.jpg")[:250])
    assert len(problems) == 1
    assert problems[0].startswith("a.jpg: the JPEG is cut short, and was read as far as it goes (")
    assert ("rows are damaged" in problems[0]) == (cut > 2)


def test_what_is_mostly_gone_is_refused_with_how_much_is_there() -> None:
    with pytest.raises(BadImageError, match=r"cut short: 1\d\d of its 300 rows are there"):
        decode(WHOLE[: len(WHOLE) // 2], "a.jpg", problems=[])


def test_data_sets_take_whole_files_only() -> None:
    with pytest.raises(BadImageError, match="cut short"):
        decode(WHOLE[:-2], "a.jpg")


def test_whole_files_and_other_formats_are_not_cut() -> None:
    assert not is_cut(WHOLE)
    assert not is_cut(b"GIF89a")
    problems: list[str] = []
    decode(WHOLE, "a.jpg", problems=problems)
    assert problems == []
