"""Videos of known frames and times, whole and damaged, all made here."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import av
import cv2
import numpy as np
import pytest
from av.video.stream import VideoStream

from halfsmile.data.preprocess import Image
from halfsmile.faces.video.frames import BadVideoError, VideoFrame, frames, probe

TICKS = 60_000
HEIGHT, WIDTH = 48, 64


def picture(index: int, height: int = HEIGHT, width: int = WIDTH) -> Image:
    """Red at the upper left, blue at the upper right, green below; the brightness of a bar is the index."""
    image = np.empty((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = (200, 30, 30)
    image[: height // 2, width // 2 :] = (30, 30, 200)
    image[height // 2 :] = (30, 160, 30)
    image[3 * height // 4 :] = 20 + index % 50 * 4
    return image


def index_shown(image: Image) -> int:
    height, width = image.shape[:2]
    return round((float(image[7 * height // 8, width // 4 : width // 2].mean()) - 20) / 4)


def write(
    path: Path,
    times: Sequence[float],
    *,
    codec: str = "libx264",
    size: tuple[int, int] = (HEIGHT, WIDTH),
    rotation: float | None = None,
    mirror: bool = False,
    aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = cast(VideoStream, container.add_stream(codec, rate=25, options=options or {}))
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 25 if path.suffix == ".avi" else TICKS)
        stream.codec_context.bit_rate = 2_000_000
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation is not None:
            stream.set_display_rotation(rotation, hflip=mirror)
        for i, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(picture(i, *size), format="rgb24")
            frame.time_base = stream.codec_context.time_base
            frame.pts = round(time / frame.time_base)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def noise_video(path: Path, count: int = 60) -> Path:
    """Frames that compress badly, so that the file is mostly pictures."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "12"})
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        for _ in range(count):
            pixels = rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def steady(count: int, rate: float = 25) -> list[float]:
    return [i / rate for i in range(count)]


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "libx264"),
        ("a.mp4", "mpeg4"),
        ("a.mkv", "libx264"),
        ("a.mov", "mjpeg"),
        ("a.avi", "mpeg4"),
        ("a.ts", "libx264"),
        ("a.webm", "libvpx"),
    ],
)
def test_frames_come_in_order_with_their_index_time_and_colors(tmp_path: Path, name: str, codec: str) -> None:
    options = {"strict": "unofficial"} if codec == "mjpeg" else {}
    found = list(frames(write(tmp_path / name, steady(40), codec=codec, options=options)))
    assert [frame.index for frame in found] == list(range(40))
    assert [index_shown(frame.image) for frame in found] == list(range(40))
    assert np.allclose([frame.time for frame in found], steady(40), atol=1e-3)
    for frame in found:
        assert frame.image.shape == (HEIGHT, WIDTH, 3)
        assert frame.image.dtype == np.uint8
        assert np.abs(frame.image[2:20, 4:28].astype(int) - (200, 30, 30)).mean() < 8


def test_variable_frame_rate_gives_true_times(tmp_path: Path) -> None:
    times = np.cumsum(np.random.default_rng(0).uniform(0.005, 0.5, 40)).round(4)
    times -= times[0]
    found = list(frames(write(tmp_path / "a.mp4", times.tolist())))
    assert np.allclose([frame.time for frame in found], times, atol=1 / TICKS)
    assert [index_shown(frame.image) for frame in found] == list(range(40))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_time_zero_is_the_first_frame(tmp_path: Path, name: str) -> None:
    found = list(frames(write(tmp_path / name, [5 + time for time in steady(10)])))
    assert np.allclose([frame.time for frame in found], steady(10), atol=1e-3)


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_frames_are_turned_and_mirrored_as_the_file_asks(tmp_path: Path, turns: int, mirror: bool) -> None:
    path = write(tmp_path / "a.mp4", steady(3), rotation=90 * turns, mirror=mirror)
    expected = np.rot90(picture(1), turns)
    expected = expected[:, ::-1] if mirror else expected
    image = list(frames(path))[1].image
    assert image.shape == expected.shape
    assert image.flags.c_contiguous
    assert np.abs(image.astype(int) - expected).mean() < 6
    video = probe(path)
    assert (video.height, video.width) == expected.shape[:2]


def test_pixels_that_are_not_square_are_stretched(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", steady(3), aspect=Fraction(3, 2))
    image = next(frames(path, problems=[])).image
    assert image.shape == (HEIGHT, 3 * WIDTH // 2, 3)
    assert np.abs(image[2:20, 4:40].astype(int) - (200, 30, 30)).mean() < 8


def test_stretched_frames_count_as_they_will_be(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", steady(3), aspect=Fraction(3, 2))
    assert next(frames(path, max_pixels=WIDTH * HEIGHT * 3 // 2)).image.shape[1] == 3 * WIDTH // 2
    with pytest.raises(BadVideoError, match=r"1\.5 times as wide as high"):
        next(frames(path, max_pixels=WIDTH * HEIGHT * 3 // 2 - 1))


@pytest.mark.parametrize("size", [(720, 1280), (480, 640)])
def test_colors_without_a_named_matrix_are_read_as_players_do(tmp_path: Path, size: tuple[int, int]) -> None:
    pixels = np.full((*size, 3), (30, 160, 30), np.uint8)
    matrix = "ITU709" if size[0] >= 720 else "ITU601"
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "5"})
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=matrix)
        frame.colorspace = 2
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert np.abs(next(frames(path)).image.astype(int) - pixels).max() < 4


def test_every_keeps_indices_and_times(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", steady(20))
    found = list(frames(path, every=3))
    assert [frame.index for frame in found] == list(range(0, 20, 3))
    assert [index_shown(frame.image) for frame in found] == list(range(0, 20, 3))
    assert np.allclose([frame.time for frame in found], steady(20)[::3])


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.avi", "mpeg4")])
def test_start_and_end_give_a_part_of_the_whole(tmp_path: Path, name: str, codec: str) -> None:
    times = steady(60) if codec == "mpeg4" else np.cumsum(np.linspace(0.01, 0.2, 60)).tolist()
    path = write(tmp_path / name, times, codec=codec, options={"g": "7"})
    whole = list(frames(path))
    assert len(whole) == 60
    for first, last in ((0, 5), (1, 60), (13, 14), (14, 40), (30, 59), (59, 60)):
        start = whole[first].time
        end = whole[last].time if last < 60 else None
        part = list(frames(path, start=start, end=end))
        assert [frame.index for frame in part] == list(range(first, last))
        for frame, same in zip(part, whole[first:last], strict=True):
            assert frame.time == same.time
            assert np.array_equal(frame.image, same.image)
    between = (whole[20].time + whole[21].time) / 2
    assert next(frames(path, start=between)).index == 21
    assert list(frames(path, start=1e6, problems=[])) == []


@pytest.mark.parametrize("wrong", [{"every": 0}, {"start": -1.0}, {"start": 2.0, "end": 2.0}, {"end": 0.0}])
def test_arguments_out_of_range_are_refused_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="0 <= start < end"):
        frames("none.mp4", **wrong)


@pytest.mark.parametrize("number", [-1, 100, 10**20])
def test_numbers_of_no_camera_are_refused_before_a_library_ends_the_process(number: int) -> None:
    with pytest.raises(ValueError, match=f"number is 0 to 99, found {number}"):
        frames(number)


def test_that_the_first_of_several_films_in_a_file_is_read_is_told(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "two.mkv"), "w") as file:
        streams = [file.add_stream("mpeg4", rate=25) for _ in range(2)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for stream, value in zip(streams, (200, 20), strict=True):
            image = np.full((48, 64, 3), value, np.uint8)
            for _ in range(3):
                file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        for stream in streams:
            file.mux(stream.encode(None))
    problems: list[str] = []
    read = list(frames(tmp_path / "two.mkv", problems=problems))
    assert [round(float(frame.image.mean()), -1) for frame in read] == [200, 200, 200]
    assert problems == ["It holds 2 films side by side (video streams); the first was read."]


def test_probe(tmp_path: Path) -> None:
    video = probe(write(tmp_path / "a.mp4", steady(50)))
    assert (video.width, video.height, video.codec) == (WIDTH, HEIGHT, "h264")
    assert video.duration == pytest.approx(2, abs=0.05)
    assert video.rate == pytest.approx(25, rel=0.03)
    assert probe(write(tmp_path / "a.mkv", steady(50))).duration == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_what_is_left_of_a_cut_file_is_read_and_the_rest_reported(tmp_path: Path, name: str) -> None:
    path = noise_video(tmp_path / name)
    whole = list(frames(path))
    problems: list[str] = []
    left = list(frames(cut(path, 0.6), problems=problems))
    assert 20 < len(left) < 50
    for frame, same in zip(left, whole, strict=False):
        assert (frame.index, frame.time) == (same.index, same.time)
        assert np.array_equal(frame.image, same.image)
    assert any("cut short" in problem for problem in problems)
    with pytest.warns(UserWarning, match="could not|cut short") as warned:
        list(frames(path))
    assert [str(warning.message) for warning in warned] == [f"{path}: {problem}" for problem in problems]
    end = left[5].time
    assert len(list(frames(path, end=end, problems=problems[:0]))) == 5


def test_damage_in_the_middle_costs_only_the_frames_it_hits(tmp_path: Path) -> None:
    path = noise_video(tmp_path / "a.mkv", 60)
    whole = list(frames(path))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    path.write_bytes(data)
    problems: list[str] = []
    left = list(frames(path, problems=problems))
    assert problems
    assert 40 <= len(left) < 60 or any("could not be decoded" in problem for problem in problems)
    assert np.array_equal(left[-1].image, whole[-1].image)
    assert np.array_equal(left[0].image, whole[0].image)
    assert all(b.time > a.time for a, b in pairwise(left))


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "mpeg4"), ("a.avi", "mpeg4")])
def test_whatever_the_damage_there_are_frames_or_one_kind_of_error(
    tmp_path: Path, name: str, codec: str
) -> None:
    data = write(tmp_path / name, steady(12), codec=codec).read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(40):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), 4):
            damaged[place : place + rng.integers(1, 60)] = rng.bytes(int(rng.integers(0, 60)))
        (tmp_path / name).write_bytes(damaged)
        found: list[VideoFrame] = []
        with suppress(BadVideoError):
            found += frames(tmp_path / name, start=float(rng.choice([0.0, 0.2])), problems=[])
        assert all(b.time > a.time and b.index > a.index for a, b in pairwise(found))


def test_a_file_cut_before_its_index_says_so(tmp_path: Path) -> None:
    path = cut(write(tmp_path / "a.mp4", steady(50)), 0.5)
    with pytest.raises(BadVideoError, match="cut short before its index"):
        next(frames(path))


def test_sound_alone_is_refused_and_beside_pictures_ignored(tmp_path: Path) -> None:
    for name, with_pictures in (("sound.mp4", False), ("both.mkv", True)):
        with av.open(str(tmp_path / name), "w") as container:
            sound = cast(Any, container.add_stream("aac", rate=16_000, layout="mono"))
            pictures = container.add_stream("mpeg4", rate=25) if with_pictures else None
            if pictures:
                pictures.height, pictures.width, pictures.pix_fmt = HEIGHT, WIDTH, "yuv420p"
            samples = av.AudioFrame.from_ndarray(np.zeros((1, 48_000), np.float32), "fltp", "mono")
            samples.sample_rate = 16_000
            for index in range(25):
                image = av.VideoFrame.from_ndarray(picture(index), format="rgb24")
                container.mux(pictures.encode(image) if pictures else [])
            container.mux(sound.encode(samples))
            for stream in filter(None, (sound, pictures)):
                container.mux(stream.encode(None))
    with pytest.raises(BadVideoError, match=r"sound\.mp4: there is no video stream, but audio"):
        next(frames(tmp_path / "sound.mp4"))
    problems: list[str] = []
    assert len(list(frames(tmp_path / "both.mkv", problems=problems))) == 25
    assert problems == []


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.avi"])
def test_a_video_without_frames_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        container.start_encoding()
    with pytest.raises(BadVideoError, match=r"no frame could be decoded|it ends there|no stream|damaged"):
        next(frames(path))


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.mp4", b"", "empty"),
        ("a.mp4", b"no video " * 500, "can't be read as a video"),
        ("a.txt", b"no video " * 500, "can't be read as a video"),
        ("a.mp4", b"#EXTM3U\n#EXTINF:10,\nother.ts\n", r"a\.mp4: it is no video, but a playlist"),
        ("a.mp4", b"<!doctype html><title>", "it is no video, but an HTML page"),
        (
            "a.mp4",
            b"version https://git-lfs.github.com/spec/v1\n",
            "it is no video, but a pointer of Git LFS",
        ),
        ("a.png", cv2.imencode(".png", picture(0))[1].tobytes(), r"a\.png: it is no video, but a picture\."),
    ],
)
def test_what_is_no_video_is_refused(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BadVideoError, match=reason):
        next(frames(tmp_path / name))


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "link.mp4").symlink_to(tmp_path / "none.mp4")
    for name, reason in (
        ("none.mp4", "there is no such file"),
        ("link.mp4", "there is no such file"),
        (".", "it is a folder; name a video in it"),
        ("pipe.mp4", "it is not a regular file"),
    ):
        with pytest.raises(BadVideoError, match=reason):
            next(frames(tmp_path / name))


@pytest.mark.parametrize("name", ["100%d.mp4", "a:b.mp4", "concat:x|y.mp4", "Ä 笑顔 🙂.mp4", "-i.mp4"])
def test_names_are_taken_as_they_are(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "a.mp4", steady(3)).rename(tmp_path / name)
    assert len(list(frames(path))) == 3
    assert len(list(frames(str(path)))) == 3


def test_large_frames_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", steady(3), codec="mpeg4")
    with pytest.raises(BadVideoError, match="larger than the 1000 pixels allowed"):
        next(frames(path, max_pixels=1000))
    data = path.read_bytes()
    sizes = b"\xb0\x81" + bytes([WIDTH]) + b"\xba\x81" + bytes([HEIGHT])
    assert data.count(sizes) == 1
    for side in (12_000, 30_000):
        path.write_bytes(data.replace(sizes, b"\xb0\x82%b\xba\x82%b" % ((side.to_bytes(2, "big"),) * 2)))
        with pytest.raises(BadVideoError, match="larger than the 67108864 pixels allowed"):
            next(frames(path))


def test_frames_that_outgrow_their_header_are_refused_too(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", steady(3), codec="mpeg4", size=(480, 640))
    data = path.read_bytes()
    sizes = b"\xb0\x82\x02\x80\xba\x82\x01\xe0"
    assert data.count(sizes) == 1
    path.write_bytes(data.replace(sizes, b"\xb0\x82\x00\x40\xba\x82\x00\x30"))
    with pytest.raises(BadVideoError, match=r"a\.mkv"):
        next(frames(path, max_pixels=10_000))


def test_a_consumer_may_stop_early(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", steady(50))
    reading = frames(path)
    kept = [next(reading) for _ in range(3)]
    reading.close()  # type: ignore[attr-defined]
    assert [index_shown(frame.image) for frame in kept] == [0, 1, 2]


def test_frames_kept_are_not_overwritten_by_later_ones(tmp_path: Path) -> None:
    found = list(frames(write(tmp_path / "a.mp4", steady(30), size=(64, 128))))
    assert [index_shown(frame.image) for frame in found] == list(range(30))


def test_a_network_stream_is_read_as_it_comes(tmp_path: Path) -> None:
    with socket.socket() as probe_socket:
        probe_socket.bind(("127.0.0.1", 0))
        port = probe_socket.getsockname()[1]
    data = write(tmp_path / "a.ts", steady(30)).read_bytes()
    server = socket.create_server(("127.0.0.1", port))

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(data)

    thread = threading.Thread(target=serve)
    thread.start()
    found = list(frames(f"tcp://127.0.0.1:{port}", problems=[]))
    thread.join()
    server.close()
    assert [index_shown(frame.image) for frame in found] == list(range(30))


def test_a_network_stream_that_does_not_answer_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(BadVideoError, match="can't be read"):
        next(frames(f"tcp://127.0.0.1:{port}"))


def test_a_camera_gives_rgb_until_it_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.avi", steady(5), codec="mpeg4")
    capture = cv2.VideoCapture
    monkeypatch.setattr(
        cv2, "VideoCapture", lambda number: capture(str(path)) if number == 7 else capture(999)
    )
    problems: list[str] = []
    images = list(frames(7, problems=problems))
    assert [frame.index for frame in images] == list(range(5))
    assert np.abs(images[2].image[2:20, 4:28].astype(int) - (200, 30, 30)).mean() < 10
    assert all(b.time > a.time for a, b in pairwise(images))
    assert problems == ["The camera stopped giving pictures."]
    with pytest.raises(BadVideoError, match="Camera 8 gives no picture"):
        next(frames(8))
