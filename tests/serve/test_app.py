"""The end points, asked one request at a time."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from fastapi.testclient import TestClient
from tests.serve.conftest import FACTS, LABELS, StandIn, encode

from halfsmile.serve.app import STATIC, create_app
from halfsmile.serve.limits import ServerLimits
from halfsmile.serve.schema import ModelAnswer, PredictAnswer


def test_a_picture_as_body_and_as_form_give_the_same_faces(client: TestClient, photo: bytes) -> None:
    raw = client.post("/v1/predict", content=photo, headers={"Content-Type": "image/jpeg"}).json()
    form = client.post("/v1/predict", files={"files": ("me.jpg", photo, "image/jpeg")}).json()
    PredictAnswer.model_validate(raw)
    PredictAnswer.model_validate(form)
    assert raw["results"][0]["name"] == "picture"
    assert form["results"][0]["name"] == form["results"][0]["faces"][0]["source"] == "me.jpg"
    first, second = raw["results"][0]["faces"][0], form["results"][0]["faces"][0]
    assert first | {"source": ""} == second | {"source": ""}
    assert (raw["results"][0]["width"], raw["results"][0]["height"]) == (256, 192)
    assert sum(first["probabilities"].values()) == pytest.approx(1)
    assert first["box"] == [64.0, 48.0, 192.0, 144.0]
    assert raw["model"] == {"name": "tiny", "labels": list(LABELS)}


def test_one_bad_picture_does_not_spoil_the_others(client: TestClient, photo: bytes) -> None:
    sent = [
        ("files", ("good.jpg", photo, "image/jpeg")),
        ("files", ("text.jpg", b"not a picture", "image/jpeg")),
        ("files", ("cut.jpg", photo[:400], "image/jpeg")),
        ("files", ("empty.png", encode(np.full((9, 9, 3), 7, np.uint8)), "image/png")),
    ]
    answer = client.post("/v1/predict", files=sent)
    assert answer.status_code == 200
    good, text, cut, empty = PredictAnswer.model_validate(answer.json()).results
    assert (len(good.faces), good.error) == (1, None)
    assert text.error is not None
    assert "text.jpg" in text.error
    assert "JPEG, PNG, WebP" in text.error
    assert cut.error is not None
    assert cut.width is None
    assert (len(empty.faces), empty.error, empty.width) == (0, None, 9)


def test_a_failure_in_a_library_fails_its_request_alone(predictor: StandIn, photo: bytes) -> None:
    app = create_app(predictor)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        bad = client.post("/v1/predict", files={"files": ("explode.jpg", photo)})
        assert bad.status_code == 500
        assert "log" in bad.json()["detail"]
        assert client.post("/v1/predict", files={"files": ("good.jpg", photo)}).status_code == 200


@pytest.mark.parametrize("name", ["../../etc/passwd", "C:\\Users\\me\\a.jpg", "a\r\nb.jpg", "ü" * 300, ""])
def test_names_of_files_are_only_echoed(client: TestClient, photo: bytes, name: str) -> None:
    answer = client.post("/v1/predict", files={"files": (name or "x", photo, "image/jpeg")})
    shown = answer.json()["results"][0]["name"]
    assert "/" not in shown
    assert "\\" not in shown
    assert shown.isprintable()
    assert len(shown) <= 255


def test_what_is_not_a_request_for_faces_is_explained(client: TestClient, photo: bytes) -> None:
    empty = client.post("/v1/predict", content=b"", headers={"Content-Type": "image/png"})
    assert (empty.status_code, empty.json()["detail"]) == (400, "The body is empty; send an image.")
    other = client.post("/v1/predict", files={"picture": photo})
    assert other.status_code == 400
    assert "'files'" in other.json()["detail"]
    assert "picture" in other.json()["detail"]
    head = b'--x\r\nContent-Disposition: form-data; name="files"\r\n\r\n'
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    nameless = client.post("/v1/predict", content=head + b"abc\r\n--x--\r\n", headers=form)
    assert nameless.status_code == 400
    assert """'files' has no filename="…", and so is no file""" in nameless.json()["detail"]
    both = client.post("/v1/predict", files={"files": photo, "picture": photo})
    assert (both.status_code, "fields: files, picture" in both.json()["detail"]) == (400, True)
    part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n' + photo + b"\r\n"
    half = client.post("/v1/predict", content=part + head + b"abc\r\n--x--\r\n", headers=form)
    assert (half.status_code, "so is no file" in half.json()["detail"]) == (400, True)
    kind = client.post("/v1/predict", content=b"{}", headers={"Content-Type": "text/plain"})
    assert kind.status_code == 415
    assert "application/json" in kind.json()["detail"]
    broken = client.post(
        "/v1/predict", content=b"--x\r\nnonsense", headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    packed = client.post(
        "/v1/predict", content=b"x", headers={"Content-Type": "image/png", "Content-Encoding": "gzip"}
    )
    assert (packed.status_code, "compressed (Content-Encoding: gzip)" in packed.json()["detail"]) == (
        415,
        True,
    )
    assert broken.status_code == 400
    assert isinstance(broken.json()["detail"], str)


def png(width: int, height: int, scanlines: bytes) -> bytes:
    """A PNG of this claimed size, RGB, with the given compressed lines."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", scanlines) + chunk(b"IEND", b"")


def test_a_header_of_fifty_megapixels_is_refused_unread(client: TestClient, predictor: StandIn) -> None:
    answer = client.post(
        "/v1/predict", content=png(10_000, 5_000, zlib.compress(b"")), headers={"Content-Type": "image/png"}
    )
    error = answer.json()["results"][0]["error"]
    assert "10,000 × 5,000" in error
    assert "40,000,000" in error
    assert predictor.batches == []


def test_a_picture_that_inflates_beyond_its_size_is_harmless(client: TestClient) -> None:
    """200 MB of zeros behind a header of 8 × 8 pixels: the decoder reads what the header claims."""
    squeezed = zlib.compressobj(9)
    lines = b"".join(squeezed.compress(bytes(2**20)) for _ in range(200)) + squeezed.flush()
    assert len(lines) < 300_000
    answer = client.post("/v1/predict", content=png(8, 8, lines), headers={"Content-Type": "image/png"})
    result = answer.json()["results"][0]
    assert answer.status_code == 200
    assert result["error"] or (result["width"], result["height"]) == (8, 8)


def test_too_many_files_and_too_many_pixels_together(predictor: StandIn, photo: bytes) -> None:
    limits = ServerLimits(files=3, pixels=60_000, frame_pixels=60_000, queue_pixels=100_000)
    with TestClient(create_app(predictor, limits), base_url="http://localhost") as client:
        four = client.post("/v1/predict", files=[("files", (f"{i}.jpg", photo)) for i in range(4)])
        assert four.status_code == 413
        assert four.json()["detail"].startswith("4 files in one request are more than 3")
        many = client.post("/v1/predict", files=[("files", (f"{i}.jpg", photo)) for i in range(40)])
        assert (many.status_code, many.json()["detail"][:8]) == (413, "40 files")
        three = client.post("/v1/predict", files=[("files", (f"{i}.jpg", photo)) for i in range(3)])
        assert three.status_code == 413
        assert "pixels together" in three.json()["detail"]
        assert client.post("/v1/predict", files={"files": ("one.jpg", photo)}).status_code == 200


def test_model_health_metrics_and_description(client: TestClient, photo: bytes) -> None:
    model = ModelAnswer.model_validate(client.get("/v1/model").json())
    assert (model.name, model.threshold, model.card) == (FACTS.name, 0.6, FACTS.card)
    assert model.limits["pixels"] == 40_000_000
    assert model.detector == "YuNet"
    assert client.get("/healthz").json() == {"status": "ok"}
    client.post("/v1/predict", files={"files": ("secret-name.jpg", photo)})
    text = client.get("/metrics").text
    assert 'halfsmile_requests_total{method="POST",path="/v1/predict",status="200"} 1.0' in text
    assert "halfsmile_faces_total 1.0" in text
    assert "secret-name" not in text
    described = client.get("/openapi.json").json()
    assert {"/v1/predict", "/v1/video", "/v1/video/{id}", "/v1/model"} <= set(described["paths"])
    assert "429" in described["paths"]["/v1/predict"]["post"]["responses"]
    for name in ("PredictAnswer", "JobStarted", "JobAnswer", "ModelAnswer", "Health", "Refusal"):
        assert described["components"]["schemas"][name]["example"]


def test_unknown_paths_and_methods_answer_in_sentences(client: TestClient) -> None:
    for answer in (client.get("/v1/nothing"), client.get("/v1/predict"), client.get("/v1/video/none")):
        assert 400 <= answer.status_code < 500
        assert answer.json()["detail"].endswith(".")
    both = client.put("/v1/video/none")
    assert (both.status_code, both.headers["allow"]) == (405, "DELETE, GET")
    assert "DELETE, GET" in both.json()["detail"]


def test_the_page_and_its_files_come_from_the_package_alone(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == client.head("/").status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for file in STATIC.iterdir():
        text = file.read_text()
        answer = client.get(f"/static/{file.name}")
        assert answer.status_code == 200
        assert file.suffix != ".js" or answer.headers["content-type"].startswith("text/javascript")
        assert "http://" not in text.replace("http://www.w3.org", "").replace("http://127.0.0.1:8000", "")
        assert "https://" not in text
    assert client.get("/static/../app.py").status_code == 404
    assert client.get("/static/%2e%2e/app.py").status_code == 404
    assert client.get("/docs").status_code == 200
