"""Pages of other origins that are allowed, and requests that contradict themselves."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from tests.serve.conftest import StandIn

from halfsmile.serve.app import create_app
from halfsmile.serve.guard import require_origin

OWN = "http://localhost:3000"
ASKS = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}


@pytest.mark.parametrize("key", [None, "k"])
def test_an_allowed_origin_may_ask_and_read(predictor: StandIn, photo: bytes, key: str | None) -> None:
    app = create_app(predictor, allowed_origins=[f"{OWN}/"], api_key=key)
    with TestClient(app, base_url="http://localhost") as client:
        asked = client.options("/v1/predict", headers={"Origin": OWN, **ASKS})
        assert asked.status_code == 204
        assert asked.headers["access-control-allow-origin"] == OWN
        assert "content-type" in asked.headers["access-control-allow-headers"].lower()
        headers = {"Origin": OWN, "Content-Type": "image/jpeg"} | ({"X-API-Key": key} if key else {})
        sent = client.post("/v1/predict", content=photo, headers=headers)
        assert (sent.status_code, sent.headers["access-control-allow-origin"]) == (200, OWN)
        assert "Origin" in sent.headers["vary"]
        refused = client.post("/v1/predict", content=b"", headers=headers)
        assert refused.headers["access-control-allow-origin"] == OWN, "refusals are read, too"
        if key is None:
            with client.websocket_connect("ws://localhost/v1/stream", headers={"Origin": OWN}) as socket:
                socket.send_bytes(photo)
                assert socket.receive_json()["faces"]


@pytest.mark.parametrize(
    "origin", ["http://localhost:3001", "https://localhost:3000", "null", "http://evil.example"]
)
def test_others_stay_refused_and_hear_of_the_option(predictor: StandIn, photo: bytes, origin: str) -> None:
    with TestClient(create_app(predictor, allowed_origins=[OWN]), base_url="http://localhost") as client:
        assert client.options("/v1/predict", headers={"Origin": origin, **ASKS}).status_code != 204
        sent = client.post("/v1/predict", content=photo, headers={"Origin": origin})
        assert sent.status_code == 403
        assert "--allowed-origins" in sent.json()["detail"]
        assert "access-control-allow-origin" not in sent.headers
        with (
            pytest.raises(WebSocketDisconnect),
            client.websocket_connect("ws://localhost/v1/stream", headers={"Origin": origin}),
        ):
            pass


def test_every_origin_only_where_that_is_asked_for(predictor: StandIn, photo: bytes) -> None:
    with TestClient(create_app(predictor, allowed_origins=["*"]), base_url="http://localhost") as client:
        headers = {"Origin": "http://any.example", "Content-Type": "image/jpeg"}
        sent = client.post("/v1/predict", content=photo, headers=headers)
        assert sent.headers["access-control-allow-origin"] == "http://any.example"


@pytest.mark.parametrize("origin", ["localhost:3000", "http://a/b", "http://", "", "http://u@a"])
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match="--allowed-origins"):
        require_origin(origin)


@pytest.mark.parametrize(
    "host",
    [
        "localhost,evil.example",
        "localhost:80,evil.example",
        "localhost:99999",
        "user@localhost",
        "localhost:8a",
    ],
)
def test_hosts_that_only_begin_as_known_ones_are_refused(client: TestClient, host: str) -> None:
    assert client.get("/healthz", headers={"Host": host}).status_code == 400


def test_two_lengths_are_refused(client: TestClient, photo: bytes) -> None:
    headers = {"Content-Type": "image/jpeg", "Transfer-Encoding": "chunked", "Content-Length": "5"}
    answer = client.post("/v1/predict", content=photo, headers=headers)
    assert answer.status_code == 400
    assert "contradict" in answer.json()["detail"]
