"""Who may ask, and what every answer carries."""

from __future__ import annotations

import base64

import pytest
from fastapi.testclient import TestClient
from starlette.datastructures import Headers
from starlette.websockets import WebSocketDisconnect
from tests.serve.conftest import StandIn

from halfsmile.serve.app import create_app
from halfsmile.serve.guard import sent_key

STREAM = "ws://localhost/v1/stream"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8000", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("192.168.1.5", 200),
        ("evil.example", 400),
        ("localhost.evil.example", 400),
        ("127.0.0.1.evil.example:8000", 400),
        ("evil.example:127.0.0.1", 400),
        ("", 400),
        ("[::1", 400),
    ],
)
def test_names_that_were_pointed_here_are_refused(client: TestClient, host: str, status: int) -> None:
    answer = client.get("/healthz", headers={"Host": host})
    assert answer.status_code == status
    if status == 400:
        assert "--allowed-hosts" in answer.json()["detail"]
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(STREAM, headers={"Host": host}):
            pass


def test_allowed_names(predictor: StandIn) -> None:
    app = create_app(predictor, allowed_hosts=["Faces.example"])
    with TestClient(app, base_url="http://faces.example") as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/healthz", headers={"Host": "other.example"}).status_code == 400
    with TestClient(create_app(predictor, allowed_hosts=["*"]), base_url="http://any.example") as client:
        assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("http://localhost", 200),
        ("https://localhost", 200),
        ("http://localhost:9000", 403),
        ("https://evil.example", 403),
        ("null", 403),
        ("http://[", 403),
    ],
)
def test_pages_of_other_origins_are_refused(
    client: TestClient, photo: bytes, origin: str | None, status: int
) -> None:
    headers = {"Content-Type": "image/jpeg"} | ({"Origin": origin} if origin else {})
    assert client.post("/v1/predict", content=photo, headers=headers).status_code == status
    headers = {"Origin": origin} if origin else {}
    if status == 403:
        with (
            pytest.raises(WebSocketDisconnect) as caught,
            client.websocket_connect(STREAM, headers=headers),
        ):
            pass
        assert caught.value.code == 1008
    else:
        with client.websocket_connect(STREAM, headers=headers):
            pass


def test_no_answer_lets_other_origins_read(client: TestClient) -> None:
    answer = client.get("/v1/model", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/v1/model", "/v1/nothing", "/static/app.js", "/healthz"])
def test_headers_of_every_answer(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "server" not in headers


def test_a_key_is_asked_for_where_faces_are(predictor: StandIn, photo: bytes) -> None:
    key = "geheim/+?"
    with TestClient(create_app(predictor, api_key=key), base_url="http://localhost") as client:
        for path in ("/", "/static/app.js", "/healthz", "/openapi.json"):
            assert client.get(path).status_code == 200
        for path in ("/v1/model", "/metrics", "/v1/video/none"):
            refused = client.get(path)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == "Bearer"
            assert "Bearer KEY" in refused.json()["detail"]
        assert client.get("/v1/model", headers={"Authorization": f"Bearer {key}"}).status_code == 200
        assert client.get("/v1/model", headers={"X-API-Key": key}).status_code == 200
        wrong = client.get("/v1/model", headers={"Authorization": "Bearer geheim"})
        assert (wrong.status_code, wrong.json()["detail"]) == (401, "The key is not the one of this server.")
        offered = base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")
        with client.websocket_connect(
            STREAM, subprotocols=["halfsmile", f"halfsmile.key.{offered}"]
        ) as socket:
            assert socket.accepted_subprotocol == "halfsmile"
            socket.send_bytes(photo)
            assert socket.receive_json()["faces"]
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(STREAM):
            pass


@pytest.mark.parametrize("key", ["", "two words", "schlüssel", "line\nline"])
def test_keys_that_fit_no_header_are_refused(predictor: StandIn, key: str) -> None:
    with pytest.raises(ValueError, match="ASCII"):
        create_app(predictor, api_key=key)


@pytest.mark.parametrize(
    "offered", ["halfsmile.key.", "halfsmile.key.!!!", "halfsmile.key._w", "halfsmile.key.é", "other"]
)
def test_damaged_offers_of_a_key_are_none(offered: str) -> None:
    assert not sent_key(Headers({"sec-websocket-protocol": offered}))
