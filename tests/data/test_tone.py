from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from halfsmile.data.tone import Curve, tone_mapped
from halfsmile.faces.video.frames import frames

TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
COLORS = np.array([[30, 30, 30], [90, 90, 90], [180, 120, 100], [60, 110, 70], [120, 80, 150]], np.uint8)


def hlg(light: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Signal of light, of diffuse white; the display's gamma acts on luminance."""
    light = light * 0.203
    luminance = light @ (0.2627, 0.6780, 0.0593)
    scene = light * (luminance ** (1 / 1.2 - 1))[..., None]
    bright = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)


def pq(light: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    y = (light * 203 / 10000) ** 0.1593017578125
    return np.asarray(((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375)


def signal(curve: Curve, colors: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    light = np.clip((colors / 255) ** 2.4 @ TO_2020.T, 1e-6, 1)
    return hlg(light) if curve == "HLG" else pq(light)


@pytest.mark.parametrize("curve", ["HLG", "PQ"])
def test_colors_come_back_as_they_were_before(curve: Curve) -> None:
    """Diffuse white is the middle of the compressed range; what is much darker keeps its value."""
    samples = np.rint(signal(curve, COLORS[None]) * 65535).astype(np.uint16)
    assert np.abs(tone_mapped(samples, curve)[0].astype(int) - COLORS).max() <= 4
    levels = np.repeat(np.linspace(0, 65535, 200).astype(np.uint16)[None, :, None], 3, 2)
    gray = tone_mapped(levels, curve)[0, :, 1].astype(int)
    assert (np.diff(gray) >= 0).all()
    assert gray[0] == 0
    assert gray[-1] == 255


@pytest.mark.parametrize(("curve", "number"), [("PQ", 16), ("HLG", 18)])
def test_a_film_of_a_phone_is_tone_mapped_and_that_is_told(curve: Curve, number: int, tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    red, green, blue = np.moveaxis(signal(curve, np.full((64, 64, 3), COLORS[2])), -1, 0)
    luma = 0.2627 * red + 0.6780 * green + 0.0593 * blue
    planes = (64 + 876 * luma, 512 + 896 * (blue - luma) / 1.8814, 512 + 896 * (red - luma) / 1.4746)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("ffv1", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv444p10le"
        stream.codec_context.color_trc = number
        stream.codec_context.color_primaries = stream.codec_context.colorspace = 9
        for index in range(3):
            frame = av.VideoFrame(64, 64, "yuv444p10le")
            for plane, values in zip(frame.planes, planes, strict=True):
                rows = np.zeros((64, plane.line_size // 2), "<u2")
                rows[:, :64] = np.rint(values)
                plane.update(rows.tobytes())
            frame.pts, frame.time_base = index, Fraction(1, 25)
            frame.color_trc, frame.color_primaries, frame.colorspace = number, 9, 9
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    problems: list[str] = []
    (image, *_) = [frame.image for frame in frames(path, problems=problems)]
    assert np.abs(image[32, 32].astype(int) - COLORS[2]).max() <= 6
    (told,) = problems
    assert told.startswith(f"High dynamic range ({curve}, HDR) was tone-mapped to the standard range before")
