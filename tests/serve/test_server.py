"""A real server on a socket, and clients that behave badly."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from tests.serve.conftest import Serve, StandIn, wait_until

from halfsmile.serve.limits import MIB, ServerLimits


def address(url: str) -> tuple[str, int]:
    host, port = url.removeprefix("http://").split(":")
    return host, int(port)


def head(url: str, *lines: str) -> bytes:
    """A request's lines before the body."""
    host, port = address(url)
    return "\r\n".join(("POST /v1/predict HTTP/1.1", f"Host: {host}:{port}", *lines, "", "")).encode()


def test_many_clients_share_batches_and_one_thread(serve: Serve, predictor: StandIn, photo: bytes) -> None:
    predictor.seconds = 0.02
    with serve() as url, httpx.Client(base_url=url, timeout=20) as client:

        def ask(_: int) -> int:
            return client.post(
                "/v1/predict", content=photo, headers={"Content-Type": "image/jpeg"}
            ).status_code

        with ThreadPoolExecutor(16) as pool:
            assert set(pool.map(ask, range(48))) == {200}
    assert sum(predictor.batches) == 48
    assert max(predictor.batches) > 2
    assert max(predictor.batches) <= 8
    assert len(predictor.threads) == 1


def test_a_flood_gives_429_with_a_time_and_no_failure(serve: Serve, predictor: StandIn, photo: bytes) -> None:
    predictor.gate.clear()
    limits = ServerLimits(files=4, queue=4)
    with serve(limits) as url, httpx.Client(base_url=url, timeout=20) as client:

        def ask(_: int) -> httpx.Response:
            return client.post("/v1/predict", content=photo, headers={"Content-Type": "image/jpeg"})

        with ThreadPoolExecutor(24) as pool:
            waiting = [pool.submit(ask, i) for i in range(24)]
            wait_until(lambda: sum(one.done() for one in waiting) == 20)
            predictor.gate.set()
            answers = [one.result() for one in waiting]
        found = sorted(answer.status_code for answer in answers)
        assert found == [200] * 4 + [429] * 20
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert int(refused.headers["retry-after"]) >= 1
        assert "busy" in refused.json()["detail"]
        assert ask(0).status_code == 200


def test_more_requests_than_served_at_once_give_429(serve: Serve, predictor: StandIn, photo: bytes) -> None:
    predictor.gate.clear()
    with serve(ServerLimits(concurrency=2)) as url, ThreadPoolExecutor(3) as pool:
        ask = [
            pool.submit(
                httpx.post, f"{url}/v1/predict", content=photo, headers={"Content-Type": "image/jpeg"}
            )
            for _ in range(3)
        ]
        wait_until(lambda: any(one.done() for one in ask))
        assert httpx.get(f"{url}/healthz").status_code == 200
        predictor.gate.set()
        assert sorted(one.result().status_code for one in ask) == [200, 200, 429]


def test_a_request_that_takes_too_long_gives_503(serve: Serve, predictor: StandIn, photo: bytes) -> None:
    predictor.gate.clear()
    with serve(ServerLimits(request_seconds=0.2)) as url:
        answer = httpx.post(f"{url}/v1/predict", content=photo, headers={"Content-Type": "image/jpeg"})
        predictor.gate.set()
        assert answer.status_code == 503
        assert "0.2 s" in answer.json()["detail"]
        assert "retry-after" in answer.headers


def test_a_killed_client_is_not_analyzed(serve: Serve, predictor: StandIn, photo: bytes) -> None:
    predictor.gate.clear()
    with serve(ServerLimits(batch=1)) as url:
        first = threading.Thread(
            target=httpx.post,
            args=(f"{url}/v1/predict",),
            kwargs={"content": photo, "headers": {"Content-Type": "image/jpeg"}, "timeout": 20},
        )
        first.start()
        wait_until(lambda: "halfsmile_requests_in_flight 2.0" in httpx.get(f"{url}/metrics").text)
        with socket.create_connection(address(url)) as killed:
            killed.sendall(head(url, "Content-Type: image/jpeg", f"Content-Length: {len(photo)}") + photo)
            wait_until(lambda: "halfsmile_requests_in_flight 3.0" in httpx.get(f"{url}/metrics").text)
        wait_until(lambda: 'status="499"' in httpx.get(f"{url}/metrics").text)
        predictor.gate.set()
        first.join(20)
        assert httpx.get(f"{url}/healthz").status_code == 200
    assert predictor.batches == [1]


def test_a_client_that_stops_in_the_middle_of_a_body_is_told(serve: Serve, photo: bytes) -> None:
    with serve(ServerLimits(idle_seconds=0.3)) as url, socket.create_connection(address(url)) as slow:
        slow.settimeout(10)
        slow.sendall(head(url, "Content-Type: image/jpeg", f"Content-Length: {len(photo)}") + photo[:100])
        answer = b"".join(iter(lambda: slow.recv(65536), b""))  # ends because the server closes
        assert b" 408 " in answer.split(b"\r\n")[0]
        assert b"100 bytes came" in answer


def test_a_client_that_drips_is_ended_by_the_whole_time(serve: Serve, photo: bytes) -> None:
    with (
        serve(ServerLimits(idle_seconds=0.5, body_seconds=0.8)) as url,
        socket.create_connection(address(url)) as slow,
    ):
        slow.settimeout(0.1)
        slow.sendall(head(url, "Content-Type: image/jpeg", f"Content-Length: {len(photo)}"))
        start, answer = time.monotonic(), b""
        for byte in photo:
            slow.sendall(bytes([byte]))
            try:
                answer = slow.recv(65536)
                break
            except TimeoutError:
                continue
        assert b" 408 " in answer.split(b"\r\n")[0]
        assert time.monotonic() - start < 6


def test_a_client_that_never_ends_its_headers_is_cut_off(serve: Serve) -> None:
    with serve(ServerLimits(idle_seconds=1)) as url, socket.create_connection(address(url)) as slow:
        slow.settimeout(10)
        start = time.monotonic()
        slow.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        time.sleep(0.5)
        slow.sendall(b"X-More: 1\r\n")
        assert slow.recv(100) == b""
        assert 0.8 < time.monotonic() - start < 5


def zeros(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield bytes(MIB)


@pytest.mark.parametrize("stated", [True, False])
def test_a_body_of_200_megabytes_is_refused_in_constant_memory(serve: Serve, stated: bool) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    headers = {"Content-Type": "image/jpeg"} | ({"Content-Length": str(200 * MIB)} if stated else {})
    with serve() as url:
        httpx.get(f"{url}/healthz")
        before = resident()
        answer = httpx.post(f"{url}/v1/predict", content=zeros(200), headers=headers, timeout=30)
        assert answer.status_code == 413
        assert "32.0 MiB" in answer.json()["detail"]
        assert resident() - before < 100 * MIB


def test_a_body_without_end_is_cut_off(serve: Serve) -> None:
    with serve(ServerLimits(body_bytes=MIB)) as url, socket.create_connection(address(url)) as endless:
        endless.sendall(head(url, "Content-Type: image/jpeg", "Transfer-Encoding: chunked"))
        chunk = b"1000\r\n" + bytes(4096) + b"\r\n"
        start = time.monotonic()
        with suppress(OSError):
            while time.monotonic() - start < 20:
                endless.sendall(chunk)
        assert time.monotonic() - start < 10
        assert httpx.get(f"{url}/healthz").status_code == 200


def test_bodies_of_all_requests_together_are_bounded(serve: Serve) -> None:
    limits = ServerLimits(memory_bytes=3 * MIB)
    with serve(limits) as url, socket.create_connection(address(url)) as holding:
        holding.sendall(head(url, "Content-Type: image/jpeg", f"Content-Length: {4 * MIB}") + bytes(2 * MIB))
        answer = httpx.Response(200)
        for _ in range(100):
            answer = httpx.post(
                f"{url}/v1/predict", content=bytes(2 * MIB), headers={"Content-Type": "image/jpeg"}
            )
            if answer.status_code == 429:
                break
            time.sleep(0.02)
        assert answer.status_code == 429
        holding.close()
        wait_until(
            lambda: (
                httpx.post(
                    f"{url}/v1/predict", content=bytes(2 * MIB), headers={"Content-Type": "image/jpeg"}
                ).status_code
                == 200
            )
        )


def test_what_is_in_hand_is_answered_before_the_end(serve: Serve, predictor: StandIn, photo: bytes) -> None:
    predictor.seconds = 0.5
    with ThreadPoolExecutor(1) as pool:
        with serve() as url:
            answer = pool.submit(
                httpx.post, f"{url}/v1/predict", content=photo, headers={"Content-Type": "image/jpeg"}
            )
            wait_until(lambda: "halfsmile_requests_in_flight 2.0" in httpx.get(f"{url}/metrics").text)
        assert answer.result().status_code == 200


def test_the_end_removes_videos_and_does_not_wait_for_them(
    serve: Serve, predictor: StandIn, clip: bytes, temporary: Path
) -> None:
    predictor.seconds = 1.0
    with ThreadPoolExecutor(1) as pool:
        with serve() as url:
            job = httpx.post(f"{url}/v1/video", files={"file": ("clip.mp4", clip)}).json()["id"]
            wait_until(lambda: httpx.get(f"{url}/v1/video/{job}").json()["status"] == "running")
            follower = pool.submit(httpx.get, f"{url}/v1/video/{job}/results", timeout=20)
            wait_until(lambda: "halfsmile_requests_in_flight 2.0" in httpx.get(f"{url}/metrics").text)
            assert list(temporary.rglob("video"))
            start = time.monotonic()
        assert time.monotonic() - start < 5
        assert follower.result().status_code == 200
    assert list(temporary.iterdir()) == []
