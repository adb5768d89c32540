"""Every rule, chosen in each of the three ways and clicked through the interface, in small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs halfsmile[serve]")

from fastapi.testclient import TestClient
from tests.label.conftest import COUNT, Opened

from halfsmile.label.http.app import create_app
from halfsmile.label.learn.acquisition import RULES, Situation
from halfsmile.label.session import Labeling

Drawn = tuple[Path, list[str]]


def click(client: TestClient, labeling: Labeling, truth: list[str], count: int) -> list[dict[str, Any]]:
    """Answer so many faces as a program does, one after the other; what was asked."""
    asked = []
    for _ in range(count):
        (face,) = client.get("/v1/next").raise_for_status().json()["faces"]
        answer = {"face": face["id"], "kind": "label", "labels": [truth[int(face["id"])]]}
        client.post("/v1/answers", json={"answers": [answer]}).raise_for_status()
        assert labeling.learning.wait()
        asked.append(face)
    return asked


def picked(labeling: Labeling, rule: str) -> list[int]:
    """What a rule picks as things stand, asked by itself."""
    learned, features = labeling.learning.learned, labeling.learning.features
    assert learned is not None
    assert features is not None
    rows = labeling.asking.open_rows()
    labeled = np.array(list(labeling.state.by_face), np.int64)
    situation = Situation(
        learned.probabilities[rows],
        features.reduced[rows].astype(np.float32),
        features.reduced[labeled].astype(np.float32),
        np.array(list(labeling.state.per_class().values()), float),
    )
    rng = np.random.default_rng([labeling.state.seed, 3, learned.number, len(labeled)])
    return [int(row) for row in rows[RULES[rule](situation, 128, rng)]]


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_clicked_from_nothing_to_a_model(opened: Opened, drawn: Drawn, rule: str) -> None:
    labeling = opened()
    with TestClient(create_app(labeling, closes=False), base_url="http://127.0.0.1") as client:
        project = client.post("/v1/rule", json={"rule": rule}).raise_for_status().json()
        assert project["rule"] == rule
        assert rule in project["rules"]
        assert labeling.learning.wait()
        asked = click(client, labeling, drawn[1], 40)
        assert len({face["id"] for face in asked}) == 40
        kept_apart = [face for face in asked if face["is_random"]]
        assert len(kept_apart) == 6
        client.post("/v1/train", json={"what": "head"}).raise_for_status()
        assert labeling.learning.wait()
        wanted = picked(labeling, rule)
        faces = client.get("/v1/next?count=20").json()["faces"]
        assert [int(face["id"]) for face in faces if not face["is_random"]] == wanted[:17]
        assert client.get("/v1/curve").json()["points"][-1]["tested"] == 6
    others = [row for row in range(COUNT) if not labeling.state.is_answered(row)]
    guesses = [labeling.learning.guess(row) for row in others]
    right = [
        guess is not None and guess[0]["name"] == drawn[1][row]
        for row, guess in zip(others, guesses, strict=True)
    ]
    assert np.mean(right) > 0.5  # of three classes


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_chosen_in_python_and_along_with_the_next_face(opened: Opened, rule: str) -> None:
    labeling = opened(rule=rule, trains=False)
    assert labeling.rule == rule
    labeling.change_rule("random")
    assert labeling.next(rule=rule)
    assert labeling.rule == rule
    labeling.close()
    again = opened(trains=False)
    assert again.rule == rule  # chosen once, kept
    with TestClient(create_app(again, closes=False), base_url="http://127.0.0.1") as client:
        client.get("/v1/next", params={"rule": "random"}).raise_for_status()
        client.get("/v1/next", params={"rule": rule}).raise_for_status()
        assert client.get("/v1/project").json()["rule"] == rule
        assert client.get("/v1/next", params={"rule": "astrology"}).status_code == 409
        assert client.get("/v1/project").json()["rule"] == rule
