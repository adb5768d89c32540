"""The page of ``halfsmile label`` in a real browser, against a stand-in of the server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("fastapi", reason="needs halfsmile[serve]")
pytest.importorskip("uvicorn", reason="needs halfsmile[serve]")

from fastapi import FastAPI
from tests.browser import chromium, holds, needs_chromium, shot, strict_page
from tests.label.stand_in import Labels, running, serving

from halfsmile.data.preprocess import Image
from halfsmile.data.synthetic import generate
from halfsmile.data.synthetic.folders import encode_png
from halfsmile.label.http.app import create_app
from halfsmile.label.learn.acquisition import DEFAULT, RULES
from halfsmile.label.session import Labeling
from halfsmile.taxonomy import FERPLUS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Route

pytestmark = needs_chromium
CLASSES = FERPLUS.labels
ALL_SAVED = "document.getElementById('saved').textContent === 'All saved'"
READY = "document.querySelector('#stage img') !== null"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": 1200, "height": 820})
    opened.set_default_timeout(20_000)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A tab that must not complain, nor ask anybody but the server."""
    with strict_page(context) as opened:
        yield opened


@pytest.fixture
def labels(tmp_path: Path) -> Labels:
    return Labels(tmp_path)


def start(page: Page, url: str, view: str = "") -> None:
    """Open the page and wait for its first face."""
    page.goto(f"{url}/{view}")
    holds(page, READY if view in ("", "#label") else "document.querySelector('main h1') !== null")


def press(page: Page, keys: str) -> None:
    """Press keys one after the other; each meets a face that is there."""
    for one in keys.split():
        holds(page, READY)
        page.keyboard.press(one)
        page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")


def lines(labels: Labels) -> list[dict[str, Any]]:
    """What is on disk."""
    return [json.loads(line) for line in labels.file.read_text().splitlines()] if labels.file.exists() else []


def text(page: Page, selector: str) -> str:
    return page.locator(selector).inner_text()


def test_a_whole_session_outlives_the_server(page: Page, tmp_path: Path) -> None:
    labels = Labels(tmp_path, 300)
    with serving(labels) as url:
        start(page, url)
        press(page, " ".join("12345678"[i % 8] for i in range(60)))
        press(page, "z z 1")
        holds(page, ALL_SAVED)
        assert len(labels.answers()) == 59
        page.click("nav >> text=Progress")
        page.click("#train-head")
        page.wait_for_selector(".curve")
        assert text(page, ".figures").count("%") >= 1
        page.click("nav >> text=Grid")
        page.click("#grid-classes >> text=happiness")
        page.wait_for_selector(".pickable >> nth=3")
        shown = page.locator(".pickable").count()
        page.click(".pickable >> nth=1")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Space")
        assert page.locator(".pickable[aria-checked=false]").count() == 2
        page.keyboard.press("Enter")
        page.wait_for_selector(f"text={shown - 2} faces confirmed as happiness. 2 odd ones left out.")
        assert len(labels.answers()) == 59 + shown - 2
        page.keyboard.press("z")
        page.wait_for_selector(f"text={shown - 2} answers taken back.")
        page.wait_for_selector(f".pickable >> nth={shown - 1}")
        assert len(labels.answers()) == 59
        for place in (0, 2):
            page.click(f".pickable >> nth={place}")
        page.keyboard.press("Enter")
        page.wait_for_selector(f"text={shown - 2} faces confirmed as happiness. 2 odd ones left out.")
        before = labels.answers()
        page.goto("about:blank")  # what asks a server that is away complains in the console
    again = Labels(tmp_path, 300)
    with serving(again, int(url.rpartition(":")[2])) as same:
        start(page, same)
        assert again.answers() == before
        assert f"{59 + shown - 2} of 300 answered" in text(page, "#answered-text")
        labels_given = [answer["labels"] for said in again.answers().values() for answer in said.values()]
        assert labels_given[:8] == [[name] for name in CLASSES]


class Pixels:
    """Gray pixels of a small picture as features; the face network would take a minute."""

    name = "pixels"
    shape = (24, 1)
    width = 576

    def __call__(self, images: Image) -> npt.NDArray[np.float32]:
        return (images.reshape(len(images), -1) / 255).astype(np.float32)


def test_a_session_with_the_server_itself(page: Page, tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="needs scikit-learn")
    names = ("neutral", "happiness", "surprise")
    faces = generate(90, size=24, seed=3, people=30, difficulty=0.3, class_weights=dict.fromkeys(names, 1.0))
    (tmp_path / "faces").mkdir()
    for i, image in enumerate(faces.images):
        (tmp_path / "faces" / f"{i:04d}.png").write_bytes(encode_png(image))

    def begin() -> FastAPI:
        out = tmp_path / "labels"
        return create_app(
            Labeling.open(tmp_path / "faces", out=out, classes=names, aligned=True, extractor=Pixels)
        )

    with running(begin()) as url:
        start(page, url)
        for _ in range(30):
            holds(page, READY)
            face = int((page.get_attribute("#stage", "aria-label") or "").split()[1])
            page.keyboard.press(str(1 + names.index(faces.names[faces.true_labels[face]])))
            holds(page, f"document.getElementById('stage').ariaLabel !== 'Face {face}'")
        press(page, "z")
        holds(page, ALL_SAVED)
        holds(page, "document.getElementById('model-text').textContent.includes('is right for')")
        page.click("nav >> text=Grid")
        page.wait_for_selector(".pickable >> nth=2")
        page.keyboard.press("Enter")
        page.wait_for_selector("#grid-said >> text=confirmed as")
        page.click("nav >> text=Progress")
        page.wait_for_selector(".curve")
        said = page.evaluate("fetch('v1/project').then((answer) => answer.json())")
        assert said["answered"] > 29
        page.goto("about:blank")
    with running(begin(), int(url.rpartition(":")[2])) as same:
        start(page, same)
        again = page.evaluate("fetch('v1/project').then((answer) => answer.json())")
        assert (again["answered"], again["per_class"]) == (said["answered"], said["per_class"])
        assert again["per_class"] == {name: again["per_class"][name] for name in names}


def test_every_rule_is_chosen_on_the_page_and_says_what_it_does(page: Page, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    (tmp_path / "faces").mkdir()
    for i, image in enumerate(generate(20, size=24, seed=3, people=20).images):
        (tmp_path / "faces" / f"{i:02d}.png").write_bytes(encode_png(image))
    labeling = Labeling.open(
        tmp_path / "faces", out=tmp_path / "labels", aligned=True, extractor=Pixels, trains=False
    )
    with running(create_app(labeling)) as url:
        start(page, url, "#project")
        field = page.get_by_label("What picks the faces to ask, for everybody")
        expect(field.locator("option")).to_have_count(len(RULES))
        said = field.locator("option").all_inner_texts()
        assert [text.partition(":")[0] for text in said] == list(RULES)
        assert all(text.partition(": ")[2] for text in said)
        expect(field).to_have_value(DEFAULT)
        for rule in [*RULES][::-1]:
            field.select_option(rule)
            for _ in range(200):
                if labeling.rule == rule:
                    break
                page.wait_for_timeout(25)
            assert labeling.rule == rule
            page.click("nav a[href='#label']")
            holds(page, READY)
            page.click("nav a[href='#project']")
            expect(field).to_have_value(rule)
        page.goto("about:blank")


def test_who_says_their_name_is_asked_the_same_few_faces(page: Page, tmp_path: Path) -> None:
    labels = Labels(tmp_path, 5)
    with serving(labels) as url:
        start(page, url)
        holds(page, "document.getElementById('next-face').textContent === 'Face 0.'")
        page.click("nav a[href='#project']")
        page.fill("text=Your name", "Ann")
        page.keyboard.press("Enter")
        page.click("nav a[href='#label']")
        press(page, "1 2")
        holds(page, ALL_SAVED)
        assert set(labels.leases.values()) == {"Ann"}
        assert {who for said in labels.answers().values() for who in said} == {"Ann"}


def test_who_says_their_name_while_faces_are_fetched_is_asked_them(page: Page, tmp_path: Path) -> None:
    labels = Labels(tmp_path, 5)
    asked: list[str] = []

    def slowly(route: Route) -> None:
        """The answer to the first question comes late."""
        asked.append(route.request.url)
        if len(asked) == 1:
            answer = route.fetch()
            page.fill("text=Your name", "Ann")
            page.keyboard.press("Enter")
            page.wait_for_timeout(300)
            route.fulfill(response=answer)
        else:
            route.continue_()

    page.route("**/v1/next*", slowly)
    with serving(labels) as url:
        start(page, url, "#project")
        page.wait_for_timeout(1500)
        assert set(labels.leases.values()) == {"Ann"}
        assert len(asked) == 2


def test_no_key_is_lost_at_twice_the_pace(labels: Labels, page: Page) -> None:
    keys = [str(1 + (3 * i) % 8) for i in range(40)]
    with serving(labels) as url:
        start(page, url)
        for one in keys:
            page.keyboard.press(one)
            page.wait_for_timeout(230)  # with the key itself, some four answers a second
        holds(page, ALL_SAVED)
    on_disk = lines(labels)
    assert [line["labels"] for line in on_disk] == [[CLASSES[int(key) - 1]] for key in keys]
    assert len({line["face"] for line in on_disk}) == len(keys)


def test_answers_wait_while_the_server_is_away(context: BrowserContext, tmp_path: Path) -> None:
    page = context.new_page()  # what can't be reached is an error in the console
    with serving(Labels(tmp_path)) as url:
        start(page, url)
        press(page, "1 2")
        holds(page, ALL_SAVED)
    press(page, "3 4 c z 5")
    page.wait_for_selector("#banner >> text=3 answers are not saved yet. The server can’t be reached")
    assert text(page, "#saved") == "3 not saved"
    assert page.locator("#strip .waiting").count() == 3
    page.close()
    labels = Labels(tmp_path)
    with serving(labels, int(url.rpartition(":")[2])) as same:
        start(other := context.new_page(), same)
        holds(other, ALL_SAVED)
        assert [line["labels"][0] for line in lines(labels)] == list(CLASSES[:5])
        assert not other.is_visible("#banner")
        assert (
            other.evaluate("Object.keys(localStorage).filter((name) => name.includes('waiting')).length") == 0
        )


def test_a_full_disk_is_told_and_nothing_is_lost(labels: Labels, context: BrowserContext) -> None:
    page = context.new_page()
    with serving(labels) as url:
        start(page, url)
        labels.refusal = 507, "The disk is full: free some space in /labels."
        press(page, "1 2 3")
        page.wait_for_selector("#banner >> text=The disk is full: free some space in /labels.")
        assert lines(labels) == []
        page.click("text=Try now")
        page.wait_for_selector("#banner >> text=3 answers are not saved yet.")
        labels.refusal = None
        holds(page, ALL_SAVED)
        assert not page.is_visible("#banner")
        assert [line["labels"][0] for line in lines(labels)] == list(CLASSES[:3])
        labels.classes.remove("surprise")
        page.keyboard.press("3")
        page.keyboard.press("1")
        page.wait_for_selector("#banner >> text=1 answer was refused: There is no class 'surprise'.")
        labels.classes.append("surprise")
        page.click("text=Send again")
        holds(page, ALL_SAVED)
        assert [line["labels"][0] for line in lines(labels)[3:]] == ["neutral", "surprise"]


def test_undo_back_skip_and_votes(labels: Labels, page: Page) -> None:
    with serving(labels) as url:
        start(page, url)
        press(page, "1 n c s ArrowLeft ArrowLeft")
        assert text(page, "#from-text").startswith("An earlier answer")
        assert text(page, "#why") == "You said can’t tell."
        press(page, "5")  # the third face, anew
        press(page, "Escape z")
        assert text(page, "#live") == "Taken back: anger."
        assert text(page, "#why") == "You said can’t tell."
        press(page, "v 2 2 7 7 Shift+Digit7 Enter")
        holds(page, ALL_SAVED)
        said = labels.answers()["2"]["me"]
        assert (said["kind"], said["votes"]) == ("votes", {"happiness": 2, "fear": 1})
        assert text(page, "#live") == "Happiness 2×, fear."
        press(page, "v z z")
        holds(page, ALL_SAVED)
        assert set(labels.answers()) == {"0", "1", "2"}
        shown = page.locator("#stage").get_attribute("aria-label")
        page.reload()
        holds(page, READY)
        assert page.locator("#stage").get_attribute("aria-label") == shown == "Face 3"
        press(page, "z")
        page.wait_for_selector("#live >> text=taken back")
        holds(page, READY)
        assert labels.answers().keys() < {"0", "1", "2"}


def test_a_face_that_can_not_be_seen_is_not_labeled(labels: Labels, context: BrowserContext) -> None:
    page = context.new_page()  # a picture that is missing is an error in the console
    page.route("**/v1/faces/1/image", lambda route: route.fulfill(status=404))
    with serving(labels) as url:
        start(page, url)
        press(page, "2")
        page.wait_for_selector("#stage[data-lost='Its picture can’t be read.']")
        page.keyboard.press("2")
        holds(page, "document.getElementById('live').textContent.includes('can’t be seen')")
        page.keyboard.press("s")
        press(page, "3")
        holds(page, ALL_SAVED)
        kinds = {face: said["me"]["kind"] for face, said in labels.answers().items()}
        assert kinds == {"0": "label", "1": "skip", "2": "label"}


def test_the_guess_is_shown_but_does_not_sway_where_it_measures(labels: Labels, page: Page) -> None:
    labels.trained = [10]
    with serving(labels) as url:
        start(page, url)
        best = labels.face("0")["guess"][0]
        assert text(page, ".choice.best .name") == best["name"]
        assert f"{100 * best['probability']:.0f}" in text(page, ".choice.best .number")
        press(page, "Enter")
        holds(page, ALL_SAVED)
        assert labels.answers()["0"]["me"]["labels"] == [best["name"]]
        press(page, "1 1")  # face 3 is one of those that measure
        holds(page, "document.querySelector('.choice.best') === null")
        assert "its guess is hidden" in text(page, "#why")
        press(page, "Enter")
        assert "There is no guess to accept" in text(page, "#live")
        press(page, "1 g")
        holds(page, "document.querySelector('.choice.best') === null")
        press(page, "g x")
        holds(page, "document.getElementById('stage').ariaLabel === 'Face 4 in its picture'")
        press(page, "+ +")
        assert "scale(2.25)" in (page.locator("#stage img").get_attribute("style") or "")


def test_a_picture_that_is_gone_is_told(labels: Labels, page: Page) -> None:
    labels.gone = "The video that this face was cut from is no longer at clip.mp4."
    with serving(labels) as url:
        start(page, url)
        press(page, "x")
        assert text(page, "#live") == labels.gone
        page.click("#context")
        assert page.get_attribute("#context", "aria-pressed") == "false"


def test_ten_thousand_faces_scroll_and_open(page: Page, tmp_path: Path) -> None:
    labels = Labels(tmp_path, 10_000)
    with serving(labels) as url:
        start(page, url, "#browse")
        page.wait_for_selector("#browse-scroller .tile >> nth=8")
        assert text(page, "#browse-count") == "10,000 faces"
        page.focus("#browse-scroller .tile >> nth=0")
        page.keyboard.press("End")
        page.wait_for_selector("[aria-label^='Face 9999,']")
        assert page.locator("#browse-scroller .tile").count() < 120
        assert page.evaluate("document.activeElement.dataset.index") == "9999"
        page.keyboard.press("Enter")
        page.wait_for_selector("text=All faces: 10,000 of 10,000")
        press(page, "6")
        holds(page, ALL_SAVED)
        assert labels.answers()["9999"]["me"]["labels"] == ["disgust"]
        page.keyboard.press("Escape")
        page.wait_for_selector("[aria-label='Face 9999, me: disgust']")
        page.select_option("[name=label]", "disgust")
        holds(page, "document.getElementById('browse-count').textContent === '1 face'")
        assert page.url.endswith("#browse?label=disgust")


def test_piles_classes_and_files(labels: Labels, page: Page) -> None:
    labels.trained = [10]
    best = [labels.face(str(i))["guess"][0]["name"] for i in range(2)]
    wrong = next(name for name in CLASSES if name not in best)
    for who, face, label in (("me", "0", wrong), ("ann", "0", best[0]), ("me", "1", best[1])):
        line = {
            "face": face,
            "annotator": who,
            "kind": "label",
            "labels": [label],
            "token": who + face,
            "batch": 0,
        }
        labels.add(line)
    with serving(labels) as url:
        start(page, url, "#review")
        page.wait_for_selector("text=Doubts 1")
        page.click("#pile-disputes")
        page.wait_for_selector("text=Cohen’s kappa 0.68")
        page.click("text=Go through them")
        page.wait_for_selector("text=Disputes: 1 of 1")
        assert f"You said {wrong}. ann said {best[0]}." in text(page, "#why")
        page.click("nav >> text=Project")
        page.fill("[aria-label='A new class']", "boredom")
        page.keyboard.press("Enter")
        page.wait_for_selector("[aria-label='Name of the class boredom']")
        page.fill("[aria-label='Name of the class boredom']", "tiredness")
        page.keyboard.press("Enter")
        page.wait_for_selector("[aria-label='Name of the class tiredness']")
        page.on("dialog", lambda dialog: dialog.accept())
        page.select_option("[aria-label='Merge tiredness into another class']", "neutral")
        holds(page, "document.querySelectorAll('.classes li').length === 8")
        assert tuple(labels.classes) == CLASSES
        assert str(labels.file.parent) in text(page, "#project-body")
        with page.expect_download() as download:
            page.click("text=Table (CSV)")
        assert Path(download.value.path()).read_text().startswith("face,label")


def test_the_recipe_is_begun_stopped_and_drawn(labels: Labels, page: Page) -> None:
    labels.trained = [10, 20, 40, 80]
    with serving(labels) as url:
        start(page, url, "#progress")
        page.wait_for_selector("text=The recipe pays later.")
        assert page.locator("#train-finetune.primary").count() == 0
        labels.pays = {"advised": True, "reason": "The recipe pays now: it brought 7 points."}
        page.wait_for_selector(".pays >> text=The recipe pays now: it brought 7 points.")
        page.click("#train-finetune.primary")
        page.wait_for_selector("text=Fine-tuning, 2.1 min left: 40\xa0%. You can label on meanwhile.")
        assert page.is_enabled("#train-head")
        page.click("nav a[href='#label']")
        holds(page, "document.getElementById('model-text').textContent.includes('recipe: 40\xa0%')")
        press(page, "1 2")  # answers go on
        holds(page, ALL_SAVED)
        page.click("nav a[href='#progress']")
        page.click("#train-stop")
        page.wait_for_selector("text=The recipe was stopped; asked for again, it goes on.")
        labels.tuned = True
        labels.recipe_last = {
            "what": "finetune", "seconds": 70.0, "error": None, "says": "68 labels in 1 minutes",
        }  # fmt: skip
        page.wait_for_selector("path.recipe")
        page.wait_for_selector("text=It has learned from 68 labels")
        page.click("text=The same as a table")
        assert "recipe, fine-tuned" in text(page, ".chart table")
        assert page.locator(".chart td >> text=quick model").count() == 4


def test_a_whole_session_by_keyboard_alone(labels: Labels, page: Page) -> None:
    labels.trained = [10]

    def reach(name: str) -> None:
        """Press Tab until something of this name has the focus."""
        for _ in range(80):
            page.keyboard.press("Tab")
            said = page.evaluate(
                "document.activeElement.ariaLabel || document.activeElement.innerText"
                " || document.activeElement.labels?.[0]?.innerText || document.activeElement.id"
            )
            if said.strip().startswith(name):
                return
        raise AssertionError(f"{name} is not reached")

    with serving(labels) as url:
        start(page, url)
        press(page, "1 2 Enter c z 3 s v 4 4 5 Enter v")
        holds(page, ALL_SAVED)
        given = len(labels.answers())
        reach("Grid")
        page.keyboard.press("Enter")
        page.wait_for_selector(".pickable >> nth=3")
        reach("Face ")
        page.keyboard.press("Space")  # an odd one
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        page.wait_for_selector("#grid-said >> text=confirmed as")
        holds(page, ALL_SAVED)
        assert len(labels.answers()) > given
        page.keyboard.press("z")
        page.wait_for_selector("#grid-said >> text=taken back")
        reach("Browse")
        page.keyboard.press("Enter")
        page.wait_for_selector("#browse-scroller .tile >> nth=8")
        reach("Face 0")
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=All faces: 4 of 200")
        press(page, "6")
        holds(page, ALL_SAVED)
        assert labels.answers()["3"]["me"]["labels"] == ["disgust"]
        page.keyboard.press("Escape")
        page.wait_for_selector("#browse-scroller .tile >> nth=8")
        reach("Progress")
        page.keyboard.press("Enter")
        page.wait_for_selector("#train-finetune")
        reach("Fine-tune the network")
        page.keyboard.press("Enter")
        page.wait_for_selector("#train-stop")
        reach("Stop it")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=The recipe was stopped")
        reach("Project")
        page.keyboard.press("Enter")
        reach("A new class")
        page.keyboard.type("boredom")
        page.keyboard.press("Enter")
        page.wait_for_selector("[aria-label='Name of the class boredom']")
        assert "boredom" in labels.classes


def test_three_hundred_classes_and_odd_names(page: Page, tmp_path: Path) -> None:
    odd = ("\U0001f600 glad", "<b>bold</b>", "a & b", "caf\u00e9")
    labels = Labels(tmp_path, classes=(*odd, *(f"class number {i}" for i in range(296))))
    labels.trained = [10]
    with serving(labels) as url:
        start(page, url)
        assert page.locator("#choices .pick").count() == 300
        assert page.locator("#choices b").count() == 0  # names are text
        press(page, "1 2")
        page.keyboard.press("/")
        page.keyboard.type("number 217")
        assert page.locator("#choices .pick:visible").count() == 1
        page.keyboard.press("Enter")
        holds(page, ALL_SAVED)
        assert page.locator("#choices .pick:visible").count() == 300
        press(page, "0")
        holds(page, ALL_SAVED)
        given = [line["labels"] for line in lines(labels)]
        assert given == [[odd[0]], [odd[1]], ["class number 217"], ["class number 5"]]
        box = page.locator("#choices").bounding_box()
        assert box is not None
        assert box["height"] < 820


@pytest.mark.parametrize(
    ("classes", "added"),
    [
        (("calm", "glad", "other", "bored", "happiness", "proud"), "tired"),
        (("calm", "glad", "bored", "proud", "constructor"), "other"),
    ],
)
def test_classes_of_ones_own_have_colors_of_their_own_and_keep_them(
    page: Page, tmp_path: Path, classes: tuple[str, ...], added: str
) -> None:
    labels = Labels(tmp_path, 20, classes=classes)
    count = len(classes)
    colors = (
        "[...document.querySelectorAll('.classes .dot')].map((dot) => getComputedStyle(dot).backgroundColor)"
    )
    with serving(labels) as url:
        start(page, url, "#project")
        holds(page, f"document.querySelectorAll('.classes .dot').length === {count}")
        before = page.evaluate(colors)
        assert all(color.startswith("rgb(") for color in before)  # none is without
        assert len(set(before)) == len(before) == count
        page.fill("#class-new", added)
        page.keyboard.press("Enter")
        page.wait_for_selector(f"[aria-label='Name of the class {added}']")
        after = page.evaluate(colors)
        assert after[:count] == before
        assert len(set(after)) == count + 1


def test_what_is_said_where_there_is_no_face(labels: Labels, page: Page, tmp_path: Path) -> None:
    labels.count = 1
    labels.project = {"preparing": {"done": 10, "total": 500}, "faces": 0}
    labels.leases["0"] = "ann"
    with serving(labels) as url:
        page.goto(url)
        page.wait_for_selector("text=10 of 500 pictures")
        labels.project = {"preparing": {"done": 0, "total": 0}, "faces": 0, "classes": []}
        page.wait_for_selector("p >> text=/^Labeling begins when all are done/")
        labels.project = {"faces": 0}
        page.wait_for_selector("text=No face was found in what was given.")
        labels.project = {"classes": []}
        page.wait_for_selector("text=Name the classes first")
        labels.project = {}
        page.wait_for_selector("text=No face is left to ask you. 0 of 1 faces are answered.")
        labels.leases.clear()
        holds(page, READY)
        press(page, "1")
        page.wait_for_selector("text=That was the last one")


def test_a_server_with_a_key_asks_for_it(labels: Labels, context: BrowserContext) -> None:
    page = context.new_page()  # refusals of a key are errors in the console
    with serving(labels, api_key="open+sesame/?") as url:
        page.goto(url)
        page.fill("#key", "wrong")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=The key is not the one of this server.")
        page.fill("#key", "open+sesame/?")
        page.keyboard.press("Enter")
        holds(page, READY)
        press(page, "1 2")
        holds(page, ALL_SAVED)
        assert len(labels.answers()) == 2


CONTRAST = """() => {
  const numbers = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const under = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const [r, g, b, a = 1] = numbers(getComputedStyle(at).backgroundColor);
      if (a > 0.9) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility({ checkOpacity: true })) continue;
    if (node.closest(":disabled, noscript, svg, [aria-hidden=true]")) continue;
    const [a, b] = [light(numbers(getComputedStyle(node).color)), light(under(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${walker.currentNode.data.trim()}: ${ratio.toFixed(2)}`);
  }
  return poor;
}"""
NAMELESS = """() => [...document.querySelectorAll("button, a, input, select, [role=img], [role=grid]")]
  .filter((node) => node.checkVisibility())
  .filter((node) => !(node.ariaLabel || node.labels?.length || node.innerText?.trim()))
  .map((node) => node.outerHTML.slice(0, 99))"""


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 390)])
def test_every_view_can_be_read_and_reached(
    labels: Labels, browser: Browser, scheme: str, width: int, request: pytest.FixtureRequest
) -> None:
    labels.trained = [10, 20, 40]
    context = browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme="dark" if scheme == "dark" else "light"
    )
    with serving(labels) as url, strict_page(context) as page:
        start(page, url)
        press(page, "1 2 3")
        for view in ("label", "grid", "browse", "review", "progress", "project"):
            page.click(f"nav a[href='#{view}']")
            page.wait_for_timeout(150)
            assert page.evaluate(CONTRAST) == [], view
            assert page.evaluate(NAMELESS) == [], view
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), view
            assert page.locator("h1:visible").count() == 1
            assert page.locator("nav [aria-current=page]").count() == 1
            assert page.evaluate("document.activeElement.id") in ("main", "")
            shot(page, f"{view}-{scheme}-{width}", request)
        page.click("nav a[href='#label']")
        page.keyboard.press("?")
        assert page.evaluate("document.activeElement.closest('dialog') !== null")
        page.keyboard.press("Escape")
        assert not page.is_visible("#help")
    context.close()


def test_everything_is_reached_by_keyboard(labels: Labels, page: Page) -> None:
    labels.trained = [10]
    with serving(labels) as url:
        start(page, url)
        reached = []
        for _ in range(30):
            page.keyboard.press("Tab")
            reached.append(
                page.evaluate("document.activeElement.id || document.activeElement.innerText.split('\\n')[0]")
            )
        wanted = [
            "skip",
            "halfsmile",
            "Label",
            "Grid",
            "Browse",
            "Review",
            "Progress",
            "Project",
            "help-open",
        ]
        assert reached[: len(wanted)] == wanted
        assert [name for name in reached if name in ("stage", "zoom-in", "cant-tell", "undo", "guess")] == [
            "stage", "zoom-in", "cant-tell", "undo", "guess",
        ]  # fmt: skip
        page.focus("#stage")
        page.keyboard.press("ArrowDown")
        focused = page.evaluate("document.activeElement.ariaLabel")
        assert re.match(rf"{labels.face('0')['guess'][0]['name']}, model says \d+", focused)
        page.keyboard.press("Enter")
        holds(page, ALL_SAVED)
        assert labels.answers()["0"]["me"]["labels"] == [labels.face("0")["guess"][0]["name"]]
