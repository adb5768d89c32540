"""Pictures in Base64, as web pages and low-code tools send them."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.serve.conftest import StandIn

from halfsmile.serve.app import create_app
from halfsmile.serve.limits import ServerLimits


def test_all_forms_give_the_answer_of_the_file(client: TestClient, photo: bytes) -> None:
    raw = client.post("/v1/predict", content=photo, headers={"Content-Type": "image/jpeg"}).json()
    expected = raw["results"][0]["faces"]
    assert expected
    code = base64.b64encode(photo).decode()
    url_safe = base64.urlsafe_b64encode(photo).decode().rstrip("=")
    lines = "\n".join(code[i : i + 76] for i in range(0, len(code), 76))
    for text in (code, f"data:image/jpeg;base64,{code}", url_safe, lines):
        answer = client.post("/v1/predict", json={"image": text})
        assert answer.status_code == 200
        assert answer.json()["results"] == raw["results"]
    given = {"images": [code, {"name": "in/b.jpg", "image": code}]}
    results = client.post("/v1/predict", json=given).json()["results"]
    assert [one["name"] for one in results] == ["picture 1", "b.jpg"]
    assert [len(one["faces"]) for one in results] == [len(expected)] * 2


@pytest.mark.parametrize(
    "body", [{}, [], "x", {"images": []}, {"image": 3}, {"image": "no base 64!"}, {"images": [{"name": "a"}]}]
)
def test_other_bodies_hear_what_is_expected(client: TestClient, body: Any) -> None:
    answer = client.post("/v1/predict", json=body)
    assert answer.status_code == 400
    assert '{"image": "Base64' in answer.json()["detail"]
    damaged = client.post("/v1/predict", content=b"{", headers={"Content-Type": "application/json"})
    assert (damaged.status_code, "no JSON" in damaged.json()["detail"]) == (400, True)


@pytest.mark.parametrize("beside", [{"boxes": [[[1, 2, 3, 4]]]}, {"image": "aGk="}, {"name": "a"}])
def test_what_stands_beside_a_list_is_refused(client: TestClient, beside: dict[str, Any]) -> None:
    answer = client.post("/v1/predict", json={"images": ["aGk="], **beside})
    assert answer.status_code == 400
    assert f"{next(iter(beside))!r} beside 'images'" in answer.json()["detail"]


def test_limits_hold_for_them_too(predictor: StandIn, photo: bytes) -> None:
    code = base64.b64encode(photo).decode()
    app = create_app(predictor, ServerLimits(files=1))
    with TestClient(app, base_url="http://localhost") as client:
        answer = client.post("/v1/predict", json={"images": [code, code]})
        assert answer.status_code == 413
        assert "--limits files" in answer.json()["detail"]
        wrong = client.post("/v1/predict", json={"image": base64.b64encode(b"text").decode()})
        assert "not a picture" in wrong.json()["results"][0]["error"]
