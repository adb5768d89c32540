"""The page in a real browser, against a real server."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np
import pytest
from tests.browser import chromium, holds, needs_chromium, shot, strict_page
from tests.serve.conftest import LABELS, Serve, StandIn, encode

from halfsmile.data.decode import decode
from halfsmile.data.preprocess import Image
from halfsmile.data.synthetic import generate
from halfsmile.faces.video.frames import frames
from halfsmile.predict.face import Face
from halfsmile.predict.tables.columns import column_names
from halfsmile.serve.limits import ServerLimits

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film for the browser's fake camera: Motion JPEG, one picture after the other."""
    path = tmp_path_factory.mktemp("camera") / "camera.mjpeg"
    faces = generate(5, size=240, seed=3, people=1, difficulty=0.3).images
    pictures = []
    for face in faces:
        image = np.full((240, 320, 3), 90, np.uint8)
        image[:, 40:280] = face
        pictures.append(encode(image, ".jpg"))
    path.write_bytes(b"".join(pictures))
    return path


@pytest.fixture(scope="module")
def browser(camera: Path) -> Iterator[Browser]:
    with chromium(
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={camera}",
    ) as started:
        yield started


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": 1200, "height": 900})
    opened.set_default_timeout(20_000)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    with strict_page(context) as opened:
        yield opened


def drop(page: Page, name: str, kind: str, data: bytes, *, copies: int = 1) -> None:
    """Drop a file as a user does, or several of the same."""
    transfer = page.evaluate_handle(
        """([name, kind, bytes, copies]) => {
          const transfer = new DataTransfer();
          for (let i = 0; i < copies; i++) {
            transfer.items.add(new File([new Uint8Array(bytes)], name, { type: kind }));
          }
          return transfer;
        }""",
        [name, kind, list(data), copies],
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})


def painted(page: Page, selector: str) -> int:
    """Pixels of a canvas that are not transparent."""
    return int(
        page.eval_on_selector(
            selector,
            """canvas => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data
              .filter((value, i) => i % 4 === 3 && value > 0).length""",
        )
    )


def test_a_dropped_photo_gets_boxes_bars_and_a_table(
    serve: Serve, page: Page, photo: bytes, request: pytest.FixtureRequest
) -> None:
    with serve() as url:
        page.goto(url)
        holds(page, "document.getElementById('model').textContent.includes('8 expressions')")
        assert not page.is_visible("#toolbar")
        drop(page, 'me, "smiling".jpg', "image/jpeg", photo)
        page.wait_for_selector(".face")
        assert page.locator(".card h3 small").first.inner_text() == "1 face"
        assert painted(page, ".card .stage canvas") > 500
        assert painted(page, ".face .thumb") > 1000
        assert page.locator(".bars dt").count() == 8
        widths = page.eval_on_selector_all(".meter i", "all => all.map(one => parseFloat(one.style.width))")
        assert sum(widths) == pytest.approx(100, abs=0.5)
        with page.expect_download() as download:
            page.click("#download")
        path = download.value.path()
        rows = list(csv.DictReader(io.StringIO(Path(path).read_bytes().decode())))
        assert rows[0]["source"] == 'me, "smiling".jpg'
        probabilities = [float(value) for name, value in rows[0].items() if name.startswith("p_")]
        assert sum(probabilities) == pytest.approx(1, abs=1e-5)
        assert list(rows[0]) == column_names([name[2:] for name in rows[0] if name.startswith("p_")])
        shot(page, "photo", request)
        page.click("#clear")
        assert page.locator(".card").count() == 0
        assert not page.is_visible("#toolbar")


def test_the_page_works_below_a_path_of_a_proxy(serve: Serve, page: Page, photo: bytes, clip: bytes) -> None:
    with serve(root_path="/faces") as url:
        page.goto(f"{url}/faces/")
        drop(page, "a.png", "image/png", photo)
        drop(page, "a.mp4", "video/mp4", clip)
        page.wait_for_selector(".card .face")
        holds(page, "document.getElementById('status').textContent.includes('in 1 video')")
        page.click(".about summary")
        page.click(".about a[href='docs']")
        page.wait_for_selector("a[href='openapi.json']")
        assert page.url == f"{url}/faces/docs"
        page.click("a[href='./']")
        page.wait_for_selector("#drop")
        assert page.url == f"{url}/faces/"


def test_what_is_uncertain_is_called_not_sure(serve: Serve, page: Page, photo: bytes) -> None:
    dark = decode(photo, "photo") // 2
    with serve() as url:
        page.goto(url)
        drop(page, "dark.png", "image/png", encode(dark))
        page.wait_for_selector(".face.unsure")
        assert page.locator(".face .name").inner_text() == "not sure"
        assert re.search(r"could be \w+ \(50\xa0%\) or \w+", page.locator(".face .note").inner_text())


@pytest.mark.parametrize(
    ("doubt", "words"),
    [
        ("low confidence", "could be"),
        (
            "low confidence; may not stand upright; unlike the faces it learned from",
            "low confidence, may not stand upright, unlike the faces it learned from; could be",
        ),
    ],
)
def test_every_doubt_is_worded(
    serve: Serve,
    page: Page,
    photo: bytes,
    predictor: StandIn,
    monkeypatch: pytest.MonkeyPatch,
    doubt: str,
    words: str,
) -> None:
    look = predictor.look
    said: dict[str, Any] = {"uncertain": True, "doubt": doubt}
    monkeypatch.setattr(predictor, "look", lambda *given: [replace(face, **said) for face in look(*given)])
    with serve() as url:
        page.goto(url)
        drop(page, "me.jpg", "image/jpeg", photo)
        page.wait_for_selector(".face.unsure")
        assert page.locator(".face .note").inner_text().startswith(f"{words} ")


def test_all_that_can_not_be_ruled_out_is_named(
    serve: Serve, page: Page, photo: bytes, predictor: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, values = predictor.look, dict(zip(LABELS, (0.1, 0.5, 0.3, 0.1, 0, 0, 0, 0), strict=True))
    possible = ("happiness", "surprise", "neutral")
    said: dict[str, Any] = {"probabilities": values, "uncertain": True, "possible": possible}
    monkeypatch.setattr(predictor, "look", lambda *given: [replace(face, **said) for face in look(*given)])
    with serve() as url:
        page.goto(url)
        drop(page, "me.jpg", "image/jpeg", photo)
        page.wait_for_selector("text=could be happiness (50\xa0%), surprise (30\xa0%) or neutral (10\xa0%)")
        with page.expect_download() as download:
            page.click("#download")
        rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_bytes().decode())))
        assert rows[0]["possible"] == "happiness|surprise|neutral"


def test_a_bad_file_and_an_empty_picture_are_told(serve: Serve, page: Page) -> None:
    with serve() as url:
        page.goto(url)
        drop(page, "broken.jpg", "image/jpeg", b"no picture")
        page.wait_for_selector(".card .error")
        assert "broken.jpg" in page.locator(".card .error").inner_text()
        assert not page.is_visible(".card .stage")
        drop(page, "wall.png", "image/png", encode(np.full((40, 60, 3), 99, np.uint8)))
        page.wait_for_selector("text=No face was found in this picture.")
        drop(page, "notes.txt", "text/plain", b"hello")
        assert "neither picture nor video" in page.locator("#status").inner_text()


def test_what_became_of_the_files_is_said_and_can_be_cleared(serve: Serve, page: Page, photo: bytes) -> None:
    with serve() as url:
        page.goto(url)
        holds(page, "document.getElementById('model').textContent !== ''")
        drop(page, "broken.jpg", "image/jpeg", b"no picture")
        page.wait_for_selector("text=1 file: 1 not analyzed.")
        drop(page, "me.jpg", "image/jpeg", photo, copies=3)
        page.wait_for_selector("text=3 files: 3 faces.")
        drop(page, "wall.png", "image/png", encode(np.full((40, 60, 3), 99, np.uint8)))
        page.wait_for_selector("text=1 file: 0 faces.")
        with page.expect_download() as download:
            page.click("#download")
        rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_bytes().decode())))
        assert [row["source"] for row in rows] == ["broken.jpg", "me.jpg", "me.jpg", "me.jpg", "wall.png"]
        assert "not a picture" in rows[0]["reason"]
        assert [row["reason"] for row in rows[1:]] == ["", "", "", "no face"]
        assert float(rows[1]["left_eye_x"]) > float(rows[1]["x0"])
        page.click("#clear")
        assert page.locator(".card").count() == 0
        assert not page.is_visible("#toolbar")
        assert page.evaluate("document.activeElement.id") == "choose"


def test_a_photo_that_is_cleared_while_it_is_decoded_leaves_nothing(
    serve: Serve, page: Page, photo: bytes
) -> None:
    with serve() as url:
        page.goto(url)
        page.evaluate(
            "HTMLImageElement.prototype.decode = () => new Promise((done) => setTimeout(done, 600))"
        )
        with page.expect_response("**/v1/predict"):
            drop(page, "me.jpg", "image/jpeg", photo)
        page.wait_for_timeout(100)
        page.click("#clear")
        page.wait_for_timeout(900)
        assert page.locator(".card").count() == 0
        assert not page.is_visible("#toolbar")
        assert page.locator("#count").inner_text() == ""


def test_several_faces_are_numbered_from_the_left(
    serve: Serve, page: Page, photo: bytes, predictor: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = predictor.look

    def look_three_times(image: Image, source: str) -> list[Face]:
        [face] = look(image, source)
        return [replace(face, box=(x, 20.0, x + 30, 50.0)) for x in (70.0, 10.0, 40.0)]

    monkeypatch.setattr(predictor, "look", look_three_times)
    with serve() as url:
        page.goto(url)
        drop(page, "group.jpg", "image/jpeg", photo)
        page.wait_for_selector("text=3 faces")
        names = page.locator(".face .name").all_inner_texts()
        assert [name.partition(":")[0] for name in names] == [f"Face {i} of 3" for i in (1, 2, 3)]
        with page.expect_download() as download:
            page.click("#download")
        rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_bytes().decode())))
        assert [row["x0"] for row in rows] == ["10", "40", "70"]


def test_small_faces_of_a_group_have_their_numbers_alone(
    serve: Serve, page: Page, photo: bytes, predictor: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = predictor.look

    def look_twice(image: Image, source: str) -> list[Face]:
        [face] = look(image, source)
        return [replace(face, box=box) for box in ((10.0, 20.0, 14.0, 25.0), (90.0, 120.0, 190.0, 220.0))]

    monkeypatch.setattr(predictor, "look", look_twice)
    with serve() as url:
        page.goto(url)
        page.evaluate("""() => {
          window.written = [];
          CanvasRenderingContext2D.prototype.fillText = (text) => window.written.push(text);
        }""")
        drop(page, "group.jpg", "image/jpeg", photo)
        page.wait_for_selector("text=2 faces")
        holds(page, "window.written.length >= 2")
        written = page.evaluate("window.written")
        assert "1" in written
        assert any(text.startswith("2  ") for text in written)
        assert not any(text.startswith("1  ") for text in written)


def test_a_moving_picture_stands_still_as_it_was_read(serve: Serve, page: Page, photo: bytes) -> None:
    first = decode(photo, "photo")[:, :, ::-1]
    moving = cv2.Animation()
    moving.frames = [np.ascontiguousarray(each) for each in (first, 255 - first, first // 2)]
    moving.durations = [60, 60, 60]
    done, data = cv2.imencodeanimation(".png", moving)
    assert done
    with serve() as url:
        page.goto(url)
        drop(page, "moving.png", "image/png", bytes(data))
        page.wait_for_selector("text=A moving picture: its first one is shown and read here")
        drop(page, "still.png", "image/png", photo)
        page.wait_for_selector(".card >> nth=1 >> .face")
        pixels = page.evaluate("""() => [...document.querySelectorAll(".stage img")].map((image) => {
          const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
          const context = canvas.getContext("2d");
          context.drawImage(image, 0, 0);
          return [...context.getImageData(0, 0, 40, 40).data];
        })""")
        assert pixels[0] == pixels[1]
        assert page.locator("text=A moving picture").count() == 1


def test_a_picture_that_the_browser_can_not_show_is_answered_and_said_so(
    serve: Serve, page: Page, photo: bytes
) -> None:
    pytest.importorskip("pillow_heif", reason="needs pillow-heif").register_heif_opener()
    pillow = pytest.importorskip("PIL.Image", reason="needs Pillow")
    buffer = io.BytesIO()
    pillow.open(io.BytesIO(photo)).convert("RGB").save(buffer, format="HEIF")
    with serve() as url:
        page.goto(url)
        drop(page, "phone.heic", "image/heic", buffer.getvalue())
        page.wait_for_selector(".face")
        page.wait_for_selector("text=This browser can't show the picture")
        assert not page.is_visible(".stage")
        assert page.locator(".thumb").count() == 0


def test_a_file_above_the_limit_is_not_even_sent(serve: Serve, page: Page, photo: bytes) -> None:
    with serve(ServerLimits(body_bytes=1000)) as url:
        page.goto(url)
        holds(page, "document.getElementById('model').textContent !== ''")
        drop(page, "big.jpg", "image/jpeg", photo)
        page.wait_for_selector(".card .error")
        assert "this server takes" in page.locator(".card .error").inner_text()


def test_a_video_gets_a_timeline_that_seeks(
    serve: Serve, page: Page, clip: bytes, request: pytest.FixtureRequest
) -> None:
    with serve() as url:
        page.goto(url)
        drop(page, "clip.mp4", "video/mp4", clip)
        page.wait_for_selector("text=1 person")
        assert page.locator("progress").count() == 0
        assert painted(page, ".timeline canvas") > 500
        slider = page.locator(".timeline canvas")
        slider.focus()
        page.keyboard.press("ArrowRight")
        holds(
            page,
            "document.querySelector('.timeline canvas').getAttribute('aria-valuenow') === '1.0'",
        )
        page.wait_for_selector(".face >> text=Person 1")
        assert "person 1" in (slider.get_attribute("aria-valuetext") or "")
        page.keyboard.press("Home")
        holds(
            page,
            "document.querySelector('.timeline canvas').getAttribute('aria-valuetext').endsWith('no face')",
        )
        box = slider.bounding_box()
        assert box is not None
        slider.click(position={"x": box["width"] / 2, "y": 10})
        holds(page, "Math.abs(document.querySelector('.card video').currentTime - 1.5) < 0.1")
        page.wait_for_timeout(200)
        assert painted(page, ".card .stage canvas") > 500
        shot(page, "video", request)


def test_a_video_that_the_browser_can_not_play_still_has_its_timeline(
    serve: Serve, page: Page, clip: bytes, tmp_path: Path
) -> None:
    (tmp_path / "clip.mp4").write_bytes(clip)
    with av.open(str(tmp_path / "clip.avi"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 256, 192, "yuv420p"
        for frame in frames(tmp_path / "clip.mp4"):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame.image, format="rgb24")))
        container.mux(stream.encode(None))
    with serve() as url:
        page.goto(url)
        drop(page, "clip.avi", "video/x-msvideo", (tmp_path / "clip.avi").read_bytes())
        page.wait_for_selector("text=1 person")
        page.wait_for_selector("text=This browser can't play the video")
        slider = page.locator(".timeline canvas")
        slider.focus()
        page.keyboard.press("ArrowRight")
        assert slider.get_attribute("aria-valuenow") == "1.0"
        assert "person 1" in (slider.get_attribute("aria-valuetext") or "")
        page.wait_for_selector(".face.bare")
        assert page.locator(".face .thumb").count() == 0  # nothing can be cut out
        page.wait_for_selector(".face >> text=Person 1")
        page.keyboard.press("Home")
        assert (slider.get_attribute("aria-valuetext") or "").endswith("no face")


def film(page: Page, rows: list[dict[str, object]], **state: object) -> None:
    """Let the page believe that its server found these rows in any video."""
    job = {"id": "j", "status": "done", "progress": 1, "width": 256, "height": 192, "frames": 30}
    page.route("**/v1/video", lambda route: route.fulfill(status=202, json={"id": "j"}))
    page.route(
        "**/v1/video/j", lambda route: route.fulfill(json=job | {"error": None, "problems": []} | state)
    )
    lines = "\n".join(json.dumps(row) for row in rows)
    page.route("**/v1/video/j/results", lambda route: route.fulfill(body=lines))


def person(track: int, time: float, *, uncertain: bool = False) -> dict[str, object]:
    face = {"frame": round(10 * time), "time": time, "track": track, "box": [90, 40, 180, 140], "score": 1}
    answer = {"expression": "fear", "probabilities": {"fear": 0.7, "other": 0.3}, "confidence": 0.7}
    return face | answer | {"landmarks": None, "uncertain": uncertain}


def test_a_timeline_says_whom_it_leaves_out_and_stripes_what_is_not_sure(
    serve: Serve, page: Page, clip: bytes
) -> None:
    rows = [person(track, i / 10, uncertain=track == 1) for i in range(30) for track in range(1, 15)]
    with serve() as url:
        page.goto(url)
        film(page, rows)
        drop(page, "crowd.mp4", "video/mp4", clip)
        page.wait_for_selector("text=14 people")
        page.wait_for_selector("text=The timeline has the 12 of 14 people seen longest; the table has all.")
        holds(page, "document.querySelector('.timeline canvas').getBoundingClientRect().height === 12 * 34")
        share = """canvas => [0, 1].map(row => {
            const lane = canvas.getContext("2d").getImageData(canvas.width / 2, row * 34 + 16, 300, 10).data;
            let tinted = 0;
            for (let i = 0; i < lane.length; i += 4) tinted += lane[i] > 100;
            return tinted / 3000;
        })"""
        unsure, sure = page.eval_on_selector(".timeline canvas", share)
        assert 0.2 < unsure < 0.8
        assert sure > 0.95


def test_a_video_that_fails_on_the_way_keeps_its_faces_and_says_so(
    serve: Serve, page: Page, clip: bytes
) -> None:
    with serve() as url:
        page.goto(url)
        film(page, [person(1, 0.0), person(1, 0.1)], status="failed", error="It broke.", progress=0.3)
        drop(page, "clip.mp4", "video/mp4", clip)
        page.wait_for_selector("text=stopped at 30\xa0%: 1 person")
        holds(
            page,
            """(() => {
              const thumb = document.querySelector(".face .thumb");
              return thumb.getContext("2d").getImageData(36, 36, 1, 1).data[3] > 0;
            })()""",
        )
        page.locator(".timeline canvas").focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Home")
        assert page.locator(".card .error").inner_text() == "It broke."
        page.wait_for_selector(".face >> text=Person 1")
        holds(page, "document.querySelectorAll('.legend span').length === 2")


def test_what_is_no_video_has_neither_player_nor_timeline(serve: Serve, context: BrowserContext) -> None:
    page = context.new_page()  # a refusal is an error in the console
    with serve() as url:
        page.goto(url)
        drop(page, "broken.mp4", "video/mp4", b"no video")
        page.wait_for_selector(".card .error")
        page.wait_for_timeout(300)
        assert page.locator(".card .error").count() == 1
        assert page.locator(".card video, .timeline, .card .hint").count() == 0
        page.wait_for_selector("text=1 file: 1 not analyzed.")


def test_clear_stops_what_is_still_to_be_sent(
    serve: Serve, predictor: StandIn, page: Page, photo: bytes
) -> None:
    predictor.seconds = 0.2
    with serve() as url:
        page.goto(url)
        drop(page, "me.jpg", "image/jpeg", photo, copies=12)
        page.wait_for_selector(".face")
        page.click("#clear")
        page.wait_for_timeout(1500)
        assert page.locator(".card").count() == 0
        assert sum(predictor.batches) <= 6


def test_frames_without_a_face_have_no_rows_and_a_video_without_any_has_one(
    serve: Serve, page: Page, clip: bytes
) -> None:
    empty: dict[str, object] = {"frame": 0, "time": 0.0, "expression": None, "reason": "no face"}
    with serve() as url:
        page.goto(url)
        film(page, [empty, empty | {"frame": 1, "time": 0.1}, person(1, 0.2)])
        drop(page, "one.mp4", "video/mp4", clip)
        page.wait_for_selector("text=1 file: 1 person in 1 video.")
        assert page.locator("#count").inner_text() == "(1 row)"
        page.unroute_all()
        film(page, [empty, empty | {"frame": 1, "time": 0.1}])
        drop(page, "none.mp4", "video/mp4", clip)
        page.wait_for_selector("text=No face was found in this video.")
        page.wait_for_selector("text=(2 rows)")


def test_a_video_can_be_cancelled(
    serve: Serve, predictor: StandIn, page: Page, clip: bytes, temporary: Path
) -> None:
    predictor.seconds = 0.2
    with serve() as url:
        page.goto(url)
        drop(page, "clip.mp4", "video/mp4", clip)
        page.wait_for_selector("progress")
        holds(page, "document.querySelector('progress').value > 0")
        page.click("text=Cancel")
        page.wait_for_selector("text=cancelled at")
        assert page.evaluate("document.activeElement.tagName") == "H3"
        assert "striped: not sure" in page.locator(".legend").inner_text()
        page.wait_for_timeout(600)
        assert not list(temporary.rglob("*.jsonl"))


def test_the_webcam_is_answered_live(serve: Serve, page: Page, request: pytest.FixtureRequest) -> None:
    with serve() as url:
        page.goto(url)
        page.click("#webcam")
        page.wait_for_selector("#live-faces .face")
        holds(page, "parseFloat(document.getElementById('live-rate').textContent) >= 2")
        assert painted(page, "#live-canvas") > 500
        assert "nothing is recorded" in page.locator("#live-rate").inner_text()
        shot(page, "webcam", request)
        page.click("#stop")
        assert not page.is_visible("#live")
        assert page.evaluate("document.activeElement.id") == "webcam"


def test_a_camera_that_goes_away_or_is_taken_is_told(serve: Serve, page: Page) -> None:
    with serve() as url:
        page.goto(url)
        page.click("#webcam")
        page.wait_for_selector("#live-faces .face")
        page.evaluate(
            "document.getElementById('live-video').srcObject.getTracks()[0].dispatchEvent(new Event('ended'))"
        )
        page.wait_for_selector("text=The camera went away.")
        assert not page.is_visible("#live")
        page.evaluate(
            """() => {
              const taken = new DOMException("", "NotReadableError");
              navigator.mediaDevices.getUserMedia = () => Promise.reject(taken);
            }"""
        )
        page.click("#webcam")
        page.wait_for_selector("text=perhaps another program uses it")
        assert page.evaluate("document.activeElement.id") == "webcam"


def test_a_key_that_changed_is_asked_for_again(serve: Serve, context: BrowserContext, photo: bytes) -> None:
    page = context.new_page()  # refusals of a key are errors in the console
    with serve() as url:
        page.goto(url)
        holds(page, "document.getElementById('model').textContent !== ''")
        refusal = {"detail": "The key is not the one of this server."}
        page.route("**/v1/predict", lambda route: route.fulfill(status=401, json=refusal))
        drop(page, "me.jpg", "image/jpeg", photo)
        page.wait_for_selector("#key-form")
        assert page.evaluate("document.activeElement.id") == "key"
        drop(page, "me.jpg", "image/jpeg", photo)
        page.wait_for_selector("text=The server asks for its key first.")
        assert page.locator(".card").count() == 1
        page.unroute("**/v1/predict")
        page.fill("#key", "new")
        page.keyboard.press("Enter")
        page.wait_for_selector("#drop")
        assert page.evaluate("document.activeElement.id") == "choose"


def test_a_server_with_a_key_asks_for_it(serve: Serve, context: BrowserContext, photo: bytes) -> None:
    page = context.new_page()  # refusals of a key are errors in the console
    with serve(api_key="open+sesame/?") as url:
        page.goto(url)
        page.wait_for_selector("#key-form")
        assert not page.is_visible("#drop")
        page.fill("#key", "wrong")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=The key is not the one of this server.")
        page.fill("#key", "open+sesame/?")
        page.keyboard.press("Enter")
        page.wait_for_selector("#drop")
        drop(page, "me.jpg", "image/jpeg", photo)
        page.wait_for_selector(".face")
        page.click("#webcam")
        page.wait_for_selector("#live-faces .face")


def test_everything_is_reached_by_keyboard(serve: Serve, page: Page) -> None:
    with serve() as url:
        page.goto(url)
        reached = []
        for _ in range(6):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
        assert reached[:4] == ["skip", "brand", "choose", "webcam"]
        page.focus("summary")
        page.keyboard.press("Enter")
        assert page.is_visible("text=not for hiring")


@pytest.mark.parametrize(("scheme", "width"), [("dark", 1200), ("light", 360), ("dark", 360)])
def test_dark_and_narrow(
    serve: Serve, browser: Browser, photo: bytes, scheme: str, width: int, request: pytest.FixtureRequest
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 740},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    with serve() as url:
        page.goto(url)
        drop(
            page, "a-very-long-name-of-a-photograph-that-somebody-took-in-the-summer.jpg", "image/jpeg", photo
        )
        page.wait_for_selector(".face")
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness = sum(map(int, re.findall(r"\d+", ground)[:3])) / 3
        assert brightness < 64 if scheme == "dark" else brightness > 192
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        shot(page, f"{scheme}-{width}", request)
    context.close()
