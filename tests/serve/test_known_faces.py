"""Clients that have found the faces themselves."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from starlette.exceptions import HTTPException
from tests.serve.conftest import encode

from halfsmile.predict.predictor import Predictor
from halfsmile.serve.app import create_app
from halfsmile.serve.known_faces import faces_of_field, faces_of_json

PHOTO = encode(np.full((120, 160, 3), 90, np.uint8))
BOXES = [[10, 20, 60, 80], [70, 20, 120, 80]]


def test_boxes_of_a_request_are_answered_and_no_faces_are_looked_for() -> None:
    code = base64.b64encode(PHOTO).decode()
    with TestClient(create_app(Predictor(threads=1)), base_url="http://localhost") as client:
        one = client.post("/v1/predict", json={"image": code, "boxes": BOXES}).json()["results"][0]
        assert [face["box"] for face in one["faces"]] == BOXES
        form = {"boxes": json.dumps([BOXES[:1], None])}
        files = [("files", ("a.png", PHOTO)), ("files", ("b.png", PHOTO))]
        both = client.post("/v1/predict", files=files, data=form).json()["results"]
        assert [[face["box"] for face in result["faces"]] for result in both] == [BOXES[:1], []]
        outside = client.post("/v1/predict", json={"image": code, "boxes": [[500, 0, 510, 9]]})
        assert "wholly outside" in outside.json()["results"][0]["error"]
        assert client.post("/v1/predict", json={"image": code, "boxes": [[1, 2]]}).status_code == 400


@pytest.mark.parametrize("given", [3, [3], [[1, 2, 3]], [["a", 2, 3, 4]], [[4, 4, 1, 1]], [[1e999] * 4], "x"])
def test_other_lists_are_refused(given: Any) -> None:
    with pytest.raises(HTTPException) as refused:
        faces_of_json(given, "Image 1")
    assert refused.value.status_code == 400
    assert "a list of faces, each [left, top, right, bottom]" in refused.value.detail


def test_a_form_has_a_list_for_each_file() -> None:
    first, second = faces_of_field([json.dumps([BOXES, None])], 2)
    assert first is not None
    assert (len(first), second) == (2, None)
    for text, files in (("[[]]", 2), ("{", 1), ("{}", 1)):
        with pytest.raises(HTTPException):
            faces_of_field([text], files)
    with pytest.raises(HTTPException, match="2 fields 'boxes'; send one"):
        faces_of_field(["[[]]", "[[]]"], 1)


def test_boxes_of_a_form_may_be_a_file_of_any_length() -> None:
    many = json.dumps([BOXES]).ljust(100_000)
    with TestClient(create_app(Predictor(threads=1)), base_url="http://localhost") as client:
        sent = [("files", ("a.png", PHOTO)), ("boxes", ("boxes.json", json.dumps([BOXES]).encode()))]
        result = client.post("/v1/predict", files=sent).json()["results"][0]
        assert [face["box"] for face in result["faces"]] == BOXES
        answer = client.post("/v1/predict", files=sent[:1], data={"boxes": many})
        assert [face["box"] for face in answer.json()["results"][0]["faces"]] == BOXES
