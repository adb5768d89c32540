"""The HTTP interface: every call, every refusal, and the description held against the server."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs halfsmile[serve]")

from fastapi.testclient import TestClient
from tests.label.conftest import COUNT, NAMES, Opened, click

from halfsmile.label.http.app import create_app
from halfsmile.label.session import Labeling

Drawn = tuple[Path, list[str]]


@pytest.fixture
def labeling(opened: Opened) -> Labeling:
    return opened()


@pytest.fixture
def client(labeling: Labeling) -> Iterator[TestClient]:
    with TestClient(create_app(labeling, closes=False), base_url="http://127.0.0.1") as client:
        yield client


def post(client: TestClient, face: str, label: str, **more: Any) -> Any:
    answer = {"face": face, "kind": "label", "labels": [label]} | more
    return client.post("/v1/answers", json={"annotator": "me", "answers": [answer]})


def test_a_session_over_http(client: TestClient, labeling: Labeling, drawn: Drawn) -> None:
    project = client.get("/v1/project").json()
    assert project["classes"][0] == {"name": "neutral", "key": "1"}
    assert (project["faces"], project["answered"], project["model"]) == (COUNT, 0, None)
    assert project["stored"] == str(labeling.out.resolve())
    for number in range(40):
        (face,) = client.get("/v1/next").json()["faces"]
        said = post(client, face["id"], drawn[1][int(face["id"])], token=f"t{number}")
        assert said.json() == {"answered": number + 1, "mine": number + 1}
    assert labeling.learning.wait()
    project = client.get("/v1/project").json()
    assert project["model"]["number"] >= 1
    assert project["held"] == {"share": 0.15, "answered": 6}
    face = client.get("/v1/next").json()["faces"][0]
    assert sum(part["probability"] for part in face["guess"]) == pytest.approx(1, abs=1e-3)
    curve = client.get("/v1/curve").json()
    assert curve["points"][-1]["tested"] == 6
    assert not curve["stop"]["advised"]
    undone = client.post("/v1/undo", json={"annotator": "me"}).json()
    assert undone["answered"] == 39


def test_pictures_are_what_lies_there(client: TestClient, drawn: Drawn) -> None:
    answer = client.get("/v1/faces/5/image")
    assert answer.content == (drawn[0] / "0005.png").read_bytes()
    assert answer.headers["content-type"] == "image/png"
    assert "max-age" in answer.headers["cache-control"]
    assert client.get("/v1/faces/5/context").status_code == 404
    assert client.get("/v1/faces/5").json()["context"] is None


def test_a_picture_that_vanished_is_one_sentence(
    client: TestClient, labeling: Labeling, tmp_path: Path
) -> None:
    object.__setattr__(labeling.pool, "locators", [*labeling.pool.locators[:-1], "gone.png"])
    answer = client.get(f"/v1/faces/{COUNT - 1}/image")
    assert answer.status_code == 404
    assert "gone.png: can't be read" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"answers": [{"face": "999", "kind": "skip"}]}, 404, "There is no face '999'"),
        ({"answers": [{"face": "x", "kind": "skip"}]}, 404, "There is no face 'x'"),
        ({"answers": [{"face": "1", "kind": "label", "labels": ["fear"]}]}, 409, "the classes are neutral"),
        ({"answers": [{"face": "1", "kind": "label"}]}, 422, "one or more `labels`"),
        ({"answers": [{"face": "1", "kind": "shrug"}]}, 422, "kind"),
        ({"answers": [{"face": "1", "kind": "skip", "mood": "bad"}]}, 422, "mood"),
        ({"answers": []}, 422, "answers"),
    ],
)
def test_refusals_are_one_sentence(client: TestClient, body: Any, status: int, said: str) -> None:
    answer = client.post("/v1/answers", json=body)
    assert answer.status_code == status
    assert said in answer.json()["detail"]


@pytest.mark.parametrize(
    ("number", "mend"),
    [
        (errno.ENOSPC, "make room on the disk"),
        (errno.EROFS, "let the server write there"),
        (errno.EACCES, "let the server write there"),
        (errno.EIO, "see to the disk"),
    ],
)
def test_a_folder_that_takes_nothing_refuses_and_loses_nothing(
    client: TestClient, labeling: Labeling, monkeypatch: pytest.MonkeyPatch, number: int, mend: str
) -> None:
    def failing(data: memoryview) -> int:
        raise OSError(number, os.strerror(number))

    sent = {"token": "t"}
    with monkeypatch.context() as patch:
        patch.setattr(labeling.journal, "_write", failing)
        answer = post(client, "1", "neutral", **sent)
        assert answer.status_code == 507
        assert f"({os.strerror(number)}). Nothing was taken" in answer.json()["detail"]
        assert f"{mend}, then answer again." in answer.json()["detail"]
        for path, body in (
            ("/v1/classes", {"add": "fear"}),
            ("/v1/rule", {"rule": "margin"}),
        ):
            assert client.post(path, json=body).status_code == 507
        assert client.get("/v1/next").json()["faces"]  # asking goes on
    assert client.get("/v1/project").json()["answered"] == 0
    assert client.get("/v1/project").json()["rule"] == "diverse"
    assert post(client, "1", "neutral", **sent).json()["answered"] == 1
    with monkeypatch.context() as patch:
        patch.setattr(labeling.journal, "_write", failing)
        assert client.post("/v1/undo", json={}).status_code == 507
    assert client.post("/v1/undo", json={}).json()["answered"] == 0


def test_two_tabs_hold_different_faces(client: TestClient) -> None:
    first = client.get("/v1/next", params={"count": 20}).json()["faces"]
    second = client.get("/v1/next", params={"count": 20}).json()["faces"]
    assert not {face["id"] for face in first} & {face["id"] for face in second}


def test_when_nothing_is_left_it_says_so(client: TestClient) -> None:
    ids = []
    while faces := client.get("/v1/next", params={"count": 60}).json()["faces"]:
        ids += [face["id"] for face in faces]
    assert len(set(ids)) == len(ids)
    assert client.get("/v1/next").json() == {"faces": [], "finished": "No face is left to ask you."}


def test_faces_that_are_given_back_are_asked_again_at_once(client: TestClient) -> None:
    def ask(who: str) -> set[str]:
        return {
            face["id"]
            for face in client.get("/v1/next", params={"annotator": who, "count": 60}).json()["faces"]
        }

    mine = ask("me") | ask("me") | ask("me")
    assert len(mine) > 100
    assert ask("ann") == set()
    body = {"annotator": "ann", "faces": sorted(mine)}
    assert client.post("/v1/release", json=body).json() == {"released": 0}  # they are not hers to give
    body["annotator"] = "me"
    assert client.post("/v1/release", json=body).json() == {"released": len(mine)}
    assert client.post("/v1/release", json=body).json() == {"released": 0}
    assert ask("ann") | ask("ann") | ask("ann") == mine
    assert client.post("/v1/release", json={"faces": ["x"]}).status_code == 404


def test_votes_and_classes(client: TestClient) -> None:
    votes = {"face": "1", "kind": "votes", "votes": {"neutral": 1, "happiness": 3}}
    client.post("/v1/answers", json={"answers": [votes]}).raise_for_status()
    face = client.get("/v1/faces/1").json()
    assert face["label"] == "happiness"
    assert face["answers"]["me"]["votes"] == {"neutral": 1, "happiness": 3}
    added = client.post("/v1/classes", json={"add": "contempt"}).json()
    assert [part["name"] for part in added["classes"]] == [*NAMES, "contempt"]
    client.post("/v1/classes", json={"rename": ["happiness", "joy"]}).raise_for_status()
    assert client.get("/v1/faces/1").json()["label"] == "joy"
    assert client.post("/v1/classes", json={"merge": ["joy", "fear"]}).status_code == 409


def test_lists_filter_and_sort(client: TestClient, labeling: Labeling, drawn: Drawn) -> None:
    labeling.learning.wait()
    click(labeling, drawn[1], 40)
    labeling.answer("me", [{"face": "3", "kind": "not_a_face"}])
    labeling.learning.wait()

    def total(**asked: Any) -> int:
        return int(client.get("/v1/faces", params=asked).json()["total"])

    assert total() == COUNT
    assert total(answered=True) + total(answered=False) == COUNT
    assert total(kind="not_a_face") == 1
    assert total(annotator="me") == total(answered=True)
    assert sum(total(label=name) for name in NAMES) == total(answered=True) - 1
    assert sum(total(guess=name) for name in NAMES) == COUNT
    for sort in ("order", "uncertainty", "disagreement", "doubt", "newest"):
        assert client.get("/v1/faces", params={"sort": sort}).status_code == 200
    assert client.get("/v1/faces", params={"sort": "newest"}).json()["faces"][0]["id"] == "3"
    assert client.get("/v1/faces", params={"sort": "age"}).status_code == 409
    sure = [
        max(part["probability"] for part in face["guess"])
        for face in client.get("/v1/faces", params={"sort": "uncertainty"}).json()["faces"]
    ]
    assert sure[0] < sure[-1]
    pages = [
        client.get("/v1/faces", params={"offset": at, "limit": 50}).json()["faces"] for at in (0, 50, 100)
    ]
    assert [len(page) for page in pages] == [50, 50, 20]


def test_a_grid_of_one_guess_is_confirmed_and_undone_in_one_go(
    client: TestClient, labeling: Labeling, drawn: Drawn
) -> None:
    labeling.learning.wait()
    click(labeling, drawn[1], 30)
    labeling.learning.wait()
    grid = client.get("/v1/grid", params={"guess": "happiness", "count": 12}).json()
    assert grid["faces"]
    assert all(face["guess"][0]["name"] == "happiness" for face in grid["faces"])
    assert not any(int(face["id"]) in labeling.asking.reserve for face in grid["faces"])
    answers = [{"face": face["id"], "kind": "label", "labels": ["happiness"]} for face in grid["faces"]]
    before = client.get("/v1/project").json()["answered"]
    client.post("/v1/answers", json={"answers": answers}).raise_for_status()
    undone = client.post("/v1/undo", json={}).json()
    assert len(undone["faces"]) == len(answers)
    assert undone["answered"] == before
    assert client.get("/v1/grid").json()["guess"] in NAMES


def test_people_who_disagree(client: TestClient, labeling: Labeling) -> None:
    for row in range(10):
        for name, label in (("a", "neutral"), ("b", "happiness" if row < 3 else "neutral")):
            labeling.answer(name, [{"face": str(row), "kind": "label", "labels": [label]}])
    agreement = client.get("/v1/agreement").json()
    assert agreement["faces"] == 10
    assert agreement["kappa"] == 0.0
    assert agreement["alpha"] == pytest.approx(1 - 19 * 6 / (2 * 17 * 3))
    disputes = client.get("/v1/disputes").json()
    assert {face["id"] for face in disputes["faces"]} == {"0", "1", "2"}


def test_too_few_labels_to_train(client: TestClient, labeling: Labeling) -> None:
    labeling.learning.wait()
    answer = client.post("/v1/train", json={"what": "head"})
    assert answer.status_code == 409
    assert "two classes at least" in answer.json()["detail"]


def test_the_rule_can_be_changed(client: TestClient) -> None:
    assert client.post("/v1/rule", json={"rule": "margin"}).json()["rule"] == "margin"
    assert client.post("/v1/rule", json={"rule": "astrology"}).status_code == 409
    assert client.get("/v1/project").json()["rule"] == "margin"


def test_the_key_and_other_pages(labeling: Labeling) -> None:
    app = create_app(labeling, api_key="secret", closes=False)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        assert client.get("/v1/project").status_code == 401
        assert client.get("/v1/faces/1/image").status_code == 401
        assert client.get("/healthz").status_code == 200
        known = {"Authorization": "Bearer secret"}
        assert client.get("/v1/project", headers=known).status_code == 200
        foreign = known | {"Origin": "http://evil.example"}
        assert client.post("/v1/undo", json={}, headers=foreign).status_code == 403
        assert client.get("/v1/project", headers=known | {"Host": "evil.example"}).status_code == 400
    with pytest.raises(ValueError, match="key"):
        create_app(labeling, api_key="no spaces")


def test_every_call_is_described(client: TestClient) -> None:
    described = client.get("/openapi.json").json()["paths"]
    for path, calls in described.items():
        for call in calls.values():
            assert call["summary"], path
    assert set(described) >= {"/v1/project", "/v1/next", "/v1/answers", "/v1/undo", "/v1/export", "/v1/grid"}
