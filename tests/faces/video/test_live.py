"""Streams that break off, fall silent, or come faster than they are looked at."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest

from halfsmile.faces.video import live
from halfsmile.faces.video.decoder import Picture
from halfsmile.faces.video.frames import BadVideoError, frames

RATE = 10


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Three seconds in a form that can be joined and left anywhere."""
    import av

    path = tmp_path_factory.mktemp("live") / "a.ts"
    with av.open(str(path), "w", format="mpegts") as file:
        options = {"preset": "ultrafast", "tune": "zerolatency", "threads": "1", "g": "5"}
        stream = file.add_stream("libx264", rate=RATE, options=options)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for i in range(3 * RATE):
            pixels = np.full((64, 64, 3), 8 * i, np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        file.mux(stream.encode(None))
    return path.read_bytes()


@contextmanager
def served(*answers: Callable[[socket.socket], None]) -> Iterator[str]:
    """An address whose first connections are answered so, and those after them not at all."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for answer in answers:
            try:
                connection = server.accept()[0]
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                answer(connection)
        server.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.close()
        thread.join()


def reset(connection: socket.socket) -> None:
    """Cut a connection off."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_a_stream_that_breaks_off_is_opened_again_and_time_goes_on(
    film: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(connection: socket.socket) -> None:
        connection.sendall(film[: len(film) // 2])
        time.sleep(0.3)  # so that what was sent is read
        reset(connection)

    problems: list[str] = []
    with served(broken, lambda connection: connection.sendall(film)) as address:
        found = list(frames(address, problems=problems))
    times, indices = [frame.time for frame in found], [frame.index for frame in found]
    assert len(found) > 3 * RATE
    assert (np.diff(times) > 0).all()
    assert indices == list(range(len(found)))
    gap = int(np.argmax(np.diff(times)))
    assert np.diff(times)[gap] > 0.9, "a second passes before the second try"
    assert any("broke off" in problem for problem in problems)
    assert any("connected again after" in problem for problem in problems)


def test_tries_end(film: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(connection: socket.socket) -> None:
        connection.sendall(film[: len(film) // 2])
        time.sleep(0.3)
        reset(connection)

    problems: list[str] = []
    with served(broken) as address:
        assert list(frames(address, retries=1, problems=problems))
    assert "Reading stopped after" in problems[-1]
    assert "2 times" in problems[-1]
    problems = []
    with served(broken) as address:
        assert list(frames(address, retries=0, problems=problems))
    assert [problem.partition(" (")[0].partition(" after")[0] for problem in problems] == ["Reading stopped"]


def test_a_stream_that_ends_is_not_opened_again(film: bytes) -> None:
    problems: list[str] = []
    with served(lambda connection: connection.sendall(film)) as address:
        assert len(list(frames(address, problems=problems))) == 3 * RATE
    assert problems == []


def test_a_stream_that_never_answers_is_refused_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    start = time.monotonic()
    with pytest.raises(BadVideoError, match="refused"):
        list(frames(f"tcp://127.0.0.1:{port}"))
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(("is_live", "is_ahead"), [(True, False), (True, True), (False, False)])
def test_what_waits_too_long_is_dropped_and_counted_if_it_comes_at_its_own_speed(
    is_live: bool, is_ahead: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Source(live._Catching):
        opened = 0.0

        def pictures(self) -> Iterator[Picture]:
            for i in range(100):
                yield i, i / 100, lambda: np.zeros((2, 2, 3), np.uint8)

    monkeypatch.setattr(Source, "is_live", is_live)
    monkeypatch.setattr(Source, "is_ahead", property(lambda self: is_ahead))
    monkeypatch.setattr(live, "_Catching", Source)
    problems: list[str] = []
    found: list[int] = []
    for frame in frames("tcp://nowhere", problems=problems):
        time.sleep(0.2 if not found else 0)  # everything has come meanwhile
        found.append(frame.index)
    if is_live and not is_ahead:
        assert found[-1] == 99
        assert len(found) < 70
        (problem,) = problems
        assert problem.startswith(f"{100 - len(found)} of 100 frames were dropped")
    else:
        assert found == list(range(100))
        assert problems == []


def test_a_reader_may_leave(film: bytes) -> None:
    before = threading.active_count()
    with served(lambda connection: connection.sendall(film)) as address:
        reader = frames(address)
        next(reader)
        reader.close()  # type: ignore[attr-defined]
    for _ in range(100):
        if threading.active_count() <= before:
            break
        time.sleep(0.05)
    assert threading.active_count() <= before


@pytest.mark.parametrize("retries", [-1])
def test_a_negative_number_of_tries_is_refused(retries: int) -> None:
    with pytest.raises(ValueError, match="retries"):
        frames("tcp://nowhere", retries=retries)


def test_files_at_an_address_are_read_whole(tmp_path: Path) -> None:
    import functools
    import http.server

    from halfsmile.faces.video.writer import write_video

    with write_video(tmp_path / "a.mp4") as write:
        for i in range(40):
            write(np.full((64, 64, 3), 5 * i, np.uint8), i / 10)
    handler = functools.partial(_Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        problems: list[str] = []
        found = []
        for frame in frames(f"http://127.0.0.1:{server.server_address[1]}/a.mp4", problems=problems):
            time.sleep(0.01)
            found.append(frame.index)
        server.shutdown()
        thread.join()
    assert found == list(range(40))
    assert problems == []


def _quiet() -> type:
    import http.server

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing."""

    return Quiet


_Quiet = _quiet()


def test_qualities_side_by_side_at_an_address_are_no_other_films(tmp_path: Path) -> None:
    path = tmp_path / "two.ts"
    with av.open(str(path), "w") as file:
        streams = [file.add_stream("mpeg4", rate=RATE) for _ in range(2)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for shade in range(RATE):
            image = np.full((48, 64, 3), 100 + shade, np.uint8)
            for stream in streams:
                file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        for stream in streams:
            file.mux(stream.encode(None))
    at_file: list[str] = []
    assert list(frames(path, problems=at_file))
    assert "2 films side by side" in at_file[0]
    problems: list[str] = []
    with served(lambda connection: connection.sendall(path.read_bytes())) as address:
        assert list(frames(address, retries=0, problems=problems))
    assert "films" not in " ".join(problems)
