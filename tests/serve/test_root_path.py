"""Below a path of a proxy, and asked by pages of other origins."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from tests.serve.conftest import StandIn

from halfsmile.serve.app import create_app
from halfsmile.serve.root_path import require_root_path


@pytest.mark.parametrize("prefix", ["", "/faces"])
def test_requests_are_answered_with_and_without_the_path(
    predictor: StandIn, photo: bytes, prefix: str
) -> None:
    app = create_app(predictor, root_path="/faces/", api_key="k")
    with TestClient(app, base_url="http://localhost", headers={"X-API-Key": "k"}) as client:
        for path in ("/", "/docs", "/static/app.js", "/v1/model", "/healthz", "/metrics"):
            assert client.get(prefix + path).status_code == 200, path
        answer = client.post(f"{prefix}/v1/predict", content=photo, headers={"Content-Type": "image/jpeg"})
        assert answer.json()["results"][0]["faces"]
        with client.websocket_connect(f"ws://localhost{prefix}/v1/stream") as socket:
            socket.send_bytes(photo)
            assert socket.receive_json()["faces"]
        assert client.get("/openapi.json").json()["servers"] == [{"url": "/faces"}]
    with TestClient(app, base_url="http://localhost") as client:
        assert client.get(f"{prefix}/v1/model").status_code == 401, "the key is asked for all the same"


def test_the_path_itself_leads_to_the_page(predictor: StandIn) -> None:
    with TestClient(create_app(predictor, root_path="faces"), base_url="http://localhost") as client:
        answer = client.get("/faces", follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (307, "/faces/")
        assert client.get("/facesque").status_code == 404


@pytest.mark.parametrize("path", ["https://a.example/faces", "/a b", "/a//b", "/../x?y"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="--root-path"):
        require_root_path(path)
