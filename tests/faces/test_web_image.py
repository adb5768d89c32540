"""Pictures at addresses, of a server that may do anything."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from halfsmile.data.decode import BadImageError
from halfsmile.faces.sources import find_sources
from halfsmile.faces.web_image import is_web_picture, read_web_image

PICTURE = np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)
DATA = cv2.imencode(".png", PICTURE)[1].tobytes()


class Site(http.server.BaseHTTPRequestHandler):
    """Pictures with and without a suffix, a film, a page, and what is broken."""

    asked: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        type(self).asked.append((self.path, self.headers.get("Authorization")))
        path = self.path.partition("?")[0]
        kinds = {"/a.png": "image/png", "/photo": "application/octet-stream", "/page": "text/html"}
        kinds |= {"/cut.png": "image/png", "/camera": "multipart/x-mixed-replace; boundary=x"}
        if path in ("/loop.png", "/file.png"):
            self.send_response(302)
            self.send_header("Location", "/loop.png" if path == "/loop.png" else "file:///etc/hostname")
            self.end_headers()
            return
        if path not in kinds:
            self.send_error(404)
            return
        body = b"<html>" if path == "/page" else DATA
        self.send_response(200)
        self.send_header("Content-Type", kinds[path])
        self.send_header("Content-Length", str(len(body) + 100 * (path == "/cut.png")))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def site() -> Iterator[str]:
    Site.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_picture_is_told_from_a_stream(site: str) -> None:
    assert is_web_picture(f"{site}/a.png?size=large")
    assert not is_web_picture(f"{site}/film.mp4")
    assert not is_web_picture(f"{site}/live.ts")
    assert Site.asked == [], "the suffix is enough"
    assert is_web_picture(f"{site}/photo")
    for other in ("camera", "missing"):
        assert not is_web_picture(f"{site}/{other}")
    assert not is_web_picture("http://127.0.0.1:1/photo")


def test_the_address_of_a_page_is_told_to_be_one(site: str) -> None:
    (source,) = find_sources([f"{site.replace('http', 'HTTP')}/page?v=1"]).items
    with pytest.raises(BadImageError, match=r"/page\?v=1: not an image, but an HTML page; the address may"):
        source.read()


def test_the_scheme_of_an_address_may_have_capitals(site: str) -> None:
    (film,) = find_sources(["HTTP" + site.removeprefix("http") + "/Film.mp4"]).items
    assert (film.kind, film.video) == ("stream", f"{site}/Film.mp4")


def test_its_pixels_are_those_of_the_file(site: str) -> None:
    expected = cv2.cvtColor(PICTURE, cv2.COLOR_BGR2RGB)
    for name in ("a.png", "photo"):
        np.testing.assert_array_equal(read_web_image(f"{site}/{name}"), expected)


def test_user_and_password_are_sent_and_not_told(site: str) -> None:
    address = site.replace("http://", "http://me:p%40ss@") + "/a.png?token=secret"
    (source,) = find_sources([address]).items
    assert (source.kind, source.name) == ("picture", f"{site}/a.png?token=…")
    assert source.read().shape == (48, 64, 3)
    assert Site.asked[-1][1] == "Basic bWU6cEBzcw=="
    with pytest.raises(BadImageError) as caught:
        find_sources([address.replace("a.png", "gone.png")]).items[0].read()
    assert "answered 404" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cut.png", "broke off after"),
        ("page", "not an image, but an HTML page"),
        ("missing.png", "answered 404"),
        ("loop.png", "without end, or to no web address.$"),
        ("file.png", "without end, or to no web address.$"),
    ],
)
def test_what_can_not_be_had_says_why(site: str, name: str, said: str) -> None:
    with pytest.raises(BadImageError, match=said):
        read_web_image(f"{site}/{name}")
    with pytest.raises(BadImageError, match="can't be reached"):
        read_web_image("http://127.0.0.1:1/a.png")


def test_pictures_and_files_do_not_mix(site: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(DATA)
    found = find_sources([f"{site}/a.png", tmp_path / "a.png", f"{site}/a.png"], leave_out=[tmp_path])
    assert [source.name for source in found.items] == [f"{site}/a.png", str(tmp_path / "a.png")]
