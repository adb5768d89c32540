"""Videos: upload, follow, read, cancel, and what is left of them."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from tests.serve.conftest import Serve, StandIn, wait_until

from halfsmile.serve import endpoints
from halfsmile.serve.app import create_app
from halfsmile.serve.limits import ServerLimits
from halfsmile.serve.schema import FaceAnswer, JobAnswer


def start(client: TestClient | httpx.Client, clip: bytes, name: str = "clip.mp4") -> str:
    answer = client.post("/v1/video", files={"file": (name, clip, "video/mp4")})
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"video/{answer.json()['id']}"
    return str(answer.json()["id"])


def state(client: TestClient | httpx.Client, job: str) -> JobAnswer:
    return JobAnswer.model_validate(client.get(f"/v1/video/{job}").json())


def finished(client: TestClient, job: str) -> JobAnswer:
    wait_until(lambda: state(client, job).status not in ("waiting", "running"))
    return state(client, job)


def rows(client: TestClient | httpx.Client, job: str) -> list[dict[str, Any]]:
    answer = client.get(f"/v1/video/{job}/results")
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def test_a_video_from_upload_to_deletion(client: TestClient, clip: bytes) -> None:
    job = start(client, clip, "../my clip.mp4")
    found = rows(client, job)
    end = finished(client, job)
    assert (end.status, end.progress, end.frames, end.error) == ("done", 1.0, 30, None)
    assert (end.width, end.height) == (256, 192)
    assert [row["frame"] for row in found] == list(range(30))
    assert [row["expression"] is None for row in found] == [True] * 6 + [False] * 24
    assert {row["source"] for row in found} == {"my clip.mp4"}
    assert found[10]["time"] == pytest.approx(1.0)
    for row in found[6:]:
        FaceAnswer.model_validate(row)
    assert client.delete(f"/v1/video/{job}").status_code == 204
    for path in (f"/v1/video/{job}", f"/v1/video/{job}/results"):
        assert client.get(path).status_code == 404


def test_each_persons_own_rest_is_asked_for_by_name(
    client: TestClient, predictor: StandIn, clip: bytes
) -> None:
    finished(client, start(client, clip))
    answer = client.post("/v1/video?baseline=person", files={"file": ("a.mp4", clip, "video/mp4")})
    finished(client, answer.json()["id"])
    assert predictor.baselines == [None, "person"]
    field = client.post("/v1/video", files={"file": ("a.mp4", clip)}, data={"baseline": "person"})
    assert (field.status_code, "/v1/video?baseline=person" in field.json()["detail"]) == (400, True)
    refused = client.post("/v1/video?baseline=nobody", files={"file": ("a.mp4", clip)})
    assert refused.status_code in (400, 422)
    assert "person" in refused.text


def test_results_come_while_the_video_is_analyzed(serve: Serve, predictor: StandIn, clip: bytes) -> None:
    predictor.seconds = 0.3
    with serve() as url, httpx.Client(base_url=url, timeout=20) as client:
        job = start(client, clip)
        with client.stream("GET", f"/v1/video/{job}/results") as answer:
            lines = answer.iter_lines()
            assert [json.loads(next(lines))["frame"] for _ in range(2)] == [0, 1]
            now = state(client, job)
            assert now.status == "running"
            assert 0 < now.progress < 1
            predictor.seconds = 0.0
            assert len(list(lines)) == 28


def test_pictures_are_answered_while_a_video_runs(
    serve: Serve, predictor: StandIn, clip: bytes, photo: bytes
) -> None:
    predictor.seconds = 0.2  # a video of six seconds
    with serve() as url, httpx.Client(base_url=url, timeout=20) as client:
        job = start(client, clip)
        answer = client.post("/v1/predict", content=photo, headers={"Content-Type": "image/jpeg"})
        assert answer.status_code == 200
        now = state(client, job)
        assert now.status == "running"
        assert now.progress < 0.5
        assert len(predictor.threads) == 1


def test_cancelling_leaves_nothing(serve: Serve, predictor: StandIn, clip: bytes, temporary: Path) -> None:
    predictor.seconds = 0.3
    with serve() as url, httpx.Client(base_url=url, timeout=20) as client:
        job = start(client, clip)
        with client.stream("GET", f"/v1/video/{job}/results") as answer:
            lines = answer.iter_lines()
            next(lines)
            assert client.delete(f"/v1/video/{job}").status_code == 204
            assert len(list(lines)) < 29
        wait_until(lambda: not list(temporary.rglob("*.jsonl")) and not list(temporary.rglob("video")))


def test_a_video_that_waits_is_deleted_at_once(
    serve: Serve, predictor: StandIn, clip: bytes, temporary: Path
) -> None:
    predictor.seconds = 0.3
    with (
        serve(ServerLimits(running_jobs=1, jobs=2)) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        first = start(client, clip)
        wait_until(lambda: state(client, first).status == "running")
        for _ in range(3):
            waiting = start(client, clip)
            assert state(client, waiting).status == "waiting"
            assert client.delete(f"/v1/video/{waiting}").status_code == 204
            assert len(list(temporary.rglob("video"))) == 1
        assert state(client, first).status == "running"
        assert client.delete(f"/v1/video/{first}").status_code == 204
        wait_until(lambda: not list(temporary.rglob("video")))
        start(client, clip)  # the turn was given back


def test_a_video_whose_sender_has_left_is_not_analyzed(
    serve: Serve, predictor: StandIn, clip: bytes, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor.seconds = 1.0
    copy, has_left = endpoints._copy, threading.Event()

    def copy_late(*given: Any) -> None:
        copy(*given)
        assert has_left.wait(20)

    monkeypatch.setattr(endpoints, "_copy", copy_late)
    with serve() as url, httpx.Client(base_url=url, timeout=0.5) as client:
        with pytest.raises(httpx.ReadTimeout):
            start(client, clip)
        client.close()
        time.sleep(0.4)  # until the server knows
        has_left.set()
        wait_until(lambda: not list(temporary.rglob("video")), seconds=5)
        assert not list(temporary.rglob("results.jsonl"))
    assert predictor.threads == set()


def test_the_video_goes_when_it_has_been_analyzed(predictor: StandIn, clip: bytes, temporary: Path) -> None:
    with TestClient(create_app(predictor), base_url="http://localhost") as client:
        job = start(client, clip)
        finished(client, job)
        wait_until(lambda: not list(temporary.rglob("video")))
        assert len(list(temporary.rglob("results.jsonl"))) == 1
        assert all(path.stat().st_mode & 0o077 == 0 for path in temporary.iterdir())
    assert list(temporary.iterdir()) == []


def test_finished_videos_expire(predictor: StandIn, clip: bytes, temporary: Path) -> None:
    with TestClient(
        create_app(predictor, ServerLimits(keep_seconds=0.2)), base_url="http://localhost"
    ) as client:
        job = start(client, clip)
        wait_until(lambda: client.get(f"/v1/video/{job}").status_code == 404)
        assert not list(temporary.rglob("results.jsonl"))


@pytest.mark.parametrize("limits", [ServerLimits(frames=10), ServerLimits(video_seconds=3.2, frames=10)])
def test_a_video_that_goes_on_is_ended(predictor: StandIn, clip: bytes, limits: ServerLimits) -> None:
    with TestClient(create_app(predictor, limits), base_url="http://localhost") as client:
        job = start(client, clip)
        end = finished(client, job)
        assert end.status == "failed"
        assert end.error is not None
        assert "10 frames" in end.error
        assert [row["frame"] for row in rows(client, job)] == list(range(10))


def test_a_video_that_says_it_is_too_long_is_refused_at_once(
    predictor: StandIn, clip: bytes, temporary: Path
) -> None:
    limits = ServerLimits(video_seconds=2)
    with TestClient(create_app(predictor, limits), base_url="http://localhost") as client:
        answer = client.post("/v1/video", files={"file": ("long.mp4", clip)})
        assert answer.status_code == 400
        assert answer.json()["detail"].startswith("long.mp4: 3 s")
        assert not list(temporary.rglob("video"))


@pytest.mark.parametrize("data", [b"", b"no video at all", b"\x00\x00\x00\x20ftypisom" + bytes(5000)])
def test_what_is_no_video_is_refused_by_its_name(predictor: StandIn, temporary: Path, data: bytes) -> None:
    with TestClient(create_app(predictor), base_url="http://localhost") as client:
        answer = client.post("/v1/video", files={"file": ("notes.txt", data)})
        assert answer.status_code == 400
        assert answer.json()["detail"].startswith("notes.txt: ")
        assert str(temporary) not in answer.text
        assert not list(temporary.rglob("video"))


def test_a_request_without_a_video_is_explained(client: TestClient, clip: bytes) -> None:
    assert "'file'" in client.post("/v1/video", files={"files": ("a.mp4", clip)}).json()["detail"]
    assert client.post("/v1/video", content=clip, headers={"Content-Type": "video/mp4"}).status_code == 415


def test_too_many_videos_give_429_and_finished_ones_make_place(
    serve: Serve, predictor: StandIn, clip: bytes
) -> None:
    predictor.seconds = 0.5
    with serve(ServerLimits(jobs=2)) as url, httpx.Client(base_url=url, timeout=20) as client:
        first, second = start(client, clip), start(client, clip)
        refused = client.post("/v1/video", files={"file": ("clip.mp4", clip)})
        assert refused.status_code == 429
        assert "retry-after" in refused.headers
        predictor.seconds = 0.0
        wait_until(lambda: state(client, second).status == state(client, first).status == "done")
        assert client.post("/v1/video", files={"file": ("notes.txt", b"notes")}).status_code == 400
        assert client.get(f"/v1/video/{first}").status_code == 200
        start(client, clip)
        assert client.get(f"/v1/video/{first}").status_code == 404


def test_results_on_disk_are_bounded(predictor: StandIn, clip: bytes) -> None:
    with TestClient(
        create_app(predictor, ServerLimits(results_bytes=2000)), base_url="http://localhost"
    ) as client:
        end = finished(client, start(client, clip))
        assert end.status == "failed"
        assert end.error is not None
        assert "results are larger" in end.error


def test_a_cut_video_says_so(client: TestClient, tmp_path: Path, clip: bytes) -> None:
    import av

    source, target = tmp_path / "clip.mp4", tmp_path / "clip.mkv"
    source.write_bytes(clip)
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(given.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                made.mux(packet)
    data = target.read_bytes()
    job = start(client, data[: len(data) // 2], "cut.mkv")
    end = finished(client, job)
    assert end.status == "done"
    assert 0 < end.frames < 30
    assert any("cut short" in problem or "stopped" in problem for problem in end.problems)
