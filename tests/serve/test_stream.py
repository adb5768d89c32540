"""The webcam's WebSocket."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect, WebSocketState
from tests.serve.conftest import Serve, StandIn, encode, wait_until

from halfsmile.faces.tracking.track import Tracker
from halfsmile.predict.face import Face
from halfsmile.serve.app import create_app
from halfsmile.serve.limits import ServerLimits
from halfsmile.serve.schema import FaceAnswer
from halfsmile.serve.stream import Streams, tracked

STREAM = "ws://localhost/v1/stream"


def test_each_frame_that_waits_for_its_answer_is_answered(client: TestClient, photo: bytes) -> None:
    with client.websocket_connect(STREAM) as socket:
        for number in range(3):
            socket.send_bytes(photo)
            answer = socket.receive_json()
            assert answer["frame"] == number
            assert (answer["width"], answer["height"]) == (256, 192)
            assert answer["dropped"] == 0
            face = FaceAnswer.model_validate(answer["faces"][0])
            assert (face.track, face.frame) == (1, number)
        assert answer["time"] > 0


def test_the_newest_frame_wins_and_older_ones_are_counted(
    serve: Serve, predictor: StandIn, photo: bytes
) -> None:
    from websockets.sync.client import connect

    predictor.gate.clear()
    with serve() as url, connect(f"{url.replace('http', 'ws')}/v1/stream") as socket:
        for _ in range(10):
            socket.send(photo)
        time.sleep(0.6)  # until the server has them all
        predictor.gate.set()
        answers: list[dict[str, Any]] = []
        while not answers or answers[-1]["frame"] < 9:
            answers.append(json.loads(socket.recv(10)))
    assert answers[-1]["dropped"] == 10 - len(answers)
    assert len(answers) <= 3


def test_a_bad_frame_is_answered_and_the_next_one_too(client: TestClient, photo: bytes) -> None:
    with client.websocket_connect(STREAM) as socket:
        for bad in (b"", b"no picture", photo[:500]):
            socket.send_bytes(bad)
            assert "error" in socket.receive_json()
        socket.send_bytes(photo)
        assert socket.receive_json()["frame"] == 3


def test_frames_of_too_many_pixels_or_bytes(predictor: StandIn, photo: bytes) -> None:
    limits = ServerLimits(frame_pixels=10_000, frame_bytes=50_000)
    with TestClient(create_app(predictor, limits), base_url="http://localhost") as client:
        with client.websocket_connect(STREAM) as socket:
            socket.send_bytes(photo)
            assert "10,000" in socket.receive_json()["error"]
            socket.send_bytes(bytes(50_001))
            with pytest.raises(WebSocketDisconnect) as caught:
                socket.receive_json()
            assert caught.value.code == 1009
        assert predictor.batches == []


def test_text_messages_end_the_stream(client: TestClient) -> None:
    with client.websocket_connect(STREAM) as socket:
        socket.send_text("hello")
        with pytest.raises(WebSocketDisconnect) as caught:
            socket.receive_json()
        assert caught.value.code == 1003
        assert "binary" in caught.value.reason


def test_too_many_streams_and_silent_ones(predictor: StandIn, photo: bytes) -> None:
    limits = ServerLimits(streams=1, stream_idle_seconds=0.3)
    with TestClient(create_app(predictor, limits), base_url="http://localhost") as client:
        with client.websocket_connect(STREAM) as first:
            with (
                client.websocket_connect(STREAM) as second,
                pytest.raises(WebSocketDisconnect) as caught,
            ):
                second.receive_json()
            assert (caught.value.code, "webcams" in caught.value.reason) == (1013, True)
            with pytest.raises(WebSocketDisconnect) as silent:
                first.receive_json()
            assert silent.value.code == 1008
        with client.websocket_connect(STREAM) as again:
            again.send_bytes(photo)
            assert again.receive_json()["faces"]


def test_streams_end_with_the_server(serve: Serve, photo: bytes) -> None:
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect

    with ExitStack() as stack:
        with serve() as url:
            socket = stack.enter_context(connect(f"{url.replace('http', 'ws')}/v1/stream"))
            socket.send(photo)
            socket.recv(10)
            start = time.monotonic()
        assert time.monotonic() - start < 5
        with pytest.raises(ConnectionClosed) as caught:
            socket.recv(5)
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1001, "The server is stopping.")


def test_a_client_who_does_not_read_does_not_hold_up_the_end(predictor: StandIn) -> None:
    class Deaf:
        application_state = WebSocketState.CONNECTED
        asked = 0

        async def close(self, code: int, reason: str) -> None:
            self.asked += 1
            await asyncio.Event().wait()

    streams = Streams(None, ServerLimits(), None)  # type: ignore[arg-type]
    deaf = [Deaf() for _ in range(5)]
    streams._open |= set(deaf)  # type: ignore[arg-type]
    asyncio.run(asyncio.wait_for(streams.close(), 4))
    assert [socket.asked for socket in deaf] == [1] * 5


def test_a_client_who_leaves_at_the_end_does_not_break_it() -> None:
    closed: list[str] = []

    class Socket:
        application_state = WebSocketState.CONNECTED

        def __init__(self, is_gone: bool) -> None:
            self.is_gone = is_gone

        async def close(self, code: int, reason: str) -> None:
            if self.is_gone:
                raise WebSocketDisconnect(1006)
            closed.append(reason)

    streams = Streams(None, ServerLimits(), None)  # type: ignore[arg-type]
    streams._open = {Socket(is_gone=True), Socket(is_gone=False)}  # type: ignore[arg-type]
    asyncio.run(streams.close())
    assert closed == ["The server is stopping."]


def test_a_killed_stream_makes_place(serve: Serve, photo: bytes) -> None:
    from websockets.sync.client import connect

    with serve(ServerLimits(streams=1)) as url:
        address = f"{url.replace('http', 'ws')}/v1/stream"
        with connect(address) as killed:
            killed.send(photo)
            killed.socket.close()

        def answered() -> bool:
            try:
                with connect(address) as socket:
                    socket.send(photo)
                    return "faces" in json.loads(socket.recv(5))
            except Exception:  # refused as long as the place is taken
                return False

        wait_until(answered)


def test_a_full_queue_waits_instead_of_failing(predictor: StandIn, photo: bytes) -> None:
    limits = ServerLimits(queue=1, files=1)
    app = create_app(predictor, limits)
    with (
        TestClient(app, base_url="http://localhost") as client,
        client.websocket_connect(STREAM) as one,
    ):
        with app.state.services.batcher.reserve([100]):
            one.send_bytes(photo)
            one.send_bytes(photo)
            time.sleep(0.2)
        answer = one.receive_json()
        assert (answer["frame"], answer["dropped"]) == (1, 1)


def face(left: float, score: float = 0.9) -> Face:
    return Face(
        source="webcam",
        box=(left, 10.0, left + 40, 60.0),
        landmarks=None,
        score=score,
        expression="neutral",
        probabilities={"neutral": 1.0},
        confidence=1.0,
        uncertain=False,
    )


def test_people_keep_their_numbers_when_their_order_changes() -> None:
    tracker = Tracker()
    first = tracked(tracker, [face(0), face(200)], 0.0)
    second = tracked(tracker, [face(203), face(4)], 0.1)
    assert {first[0].track, first[1].track} == {1, 2}
    assert (second[0].track, second[1].track) == (first[1].track, first[0].track)
    third = tracked(tracker, [face(6), face(400, score=0.05)], 0.2)
    assert (third[0].track, third[1].track) == (first[0].track, None)


def test_a_picture_of_one_color_has_no_face(client: TestClient) -> None:
    with client.websocket_connect(STREAM) as socket:
        socket.send_bytes(encode(np.full((50, 60, 3), 90, np.uint8)))
        assert socket.receive_json()["faces"] == []
