"""A small stand-in for the labeling server: its contract, generated faces, no training.

Answers lie in ``answers.jsonl``, as the real server keeps them, so it can be stopped and started again.
``python -m tests.label.stand_in`` serves ten thousand faces to look at the page.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import uvicorn
from fastapi import Body, FastAPI, Response
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

import halfsmile
from halfsmile.data.synthetic import generate
from halfsmile.serve.guard import RequestGuard
from halfsmile.serve.run import listen
from halfsmile.taxonomy import FERPLUS

STATIC = Path(halfsmile.__file__).parent / "label" / "static"
DISTINCT, SIZE = 24, 160
Json = dict[str, Any]
Asked = Annotated[Json, Body()]


@cache
def pictures() -> tuple[list[bytes], list[int], list[int]]:
    """JPEG pictures of generated faces, what each shows, and whom."""
    faces = generate(DISTINCT, size=SIZE, seed=5, people=12, difficulty=0.4)
    encoded = [cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1] for image in faces.images]
    return [bytes(one) for one in encoded], faces.true_labels.tolist(), faces.person.tolist()


@cache
def chances(index: int, classes: int) -> list[float]:
    """What an invented model thinks of a face: often right, more or less sure."""
    values = np.random.default_rng(index).dirichlet(np.full(classes, 0.25))
    best, top = pictures()[1][index % DISTINCT] % classes, int(values.argmax())
    if index % 5:
        values[[best, top]] = values[[top, best]]
    return [float(value) for value in values]


class Labels:
    """What the server knows: faces, classes, and answers in the order they came.

    ``refusal`` makes it refuse every answer with a status and a sentence; ``project`` is laid over what it
    says of itself.
    """

    def __init__(self, folder: Path, faces: int = 200, classes: tuple[str, ...] = FERPLUS.labels) -> None:
        self.file, self.count, self.classes = folder / "answers.jsonl", faces, list(classes)
        self.refusal: tuple[int, str] | None = None
        self.project: Json = {}
        self.trained: list[int] = []
        self.recipe: Json | None = None
        self.tuned = False
        self.gone: str | None = None
        self.recipe_last: Json | None = None
        self.pays: Json = {"advised": False, "reason": "The recipe pays later."}
        self.rule = "diverse"
        self.leases: dict[str, str] = {}
        self.lines: list[Json] = []
        self.standing: dict[str, dict[str, Json]] | None = None
        if self.file.exists():
            self.lines = [json.loads(line) for line in self.file.read_text().splitlines()]

    def add(self, *lines: Json) -> None:
        """Answers and what takes them back, to the file first."""
        known = {line["token"] for line in self.lines if "kind" in line}
        new = [line for line in lines if "kind" not in line or line["token"] not in known]
        with self.file.open("a") as file:
            file.writelines(f"{json.dumps(line)}\n" for line in new)
        self.lines += new
        self.standing = None

    def answers(self) -> dict[str, dict[str, Json]]:
        """Face to person to the answer that stands."""
        if self.standing is None:
            undone = {line["undo"] for line in self.lines if "undo" in line}
            self.standing = {}
            for line in self.lines:
                if "kind" in line and line["token"] not in undone:
                    self.standing.setdefault(line["face"], {})[line["annotator"]] = line
        return self.standing

    def face(self, name: str) -> Json:
        """A face as the contract wants it."""
        index = int(name)
        chance = chances(index, len(self.classes))
        guess: list[Json] = [{"name": n, "probability": p} for n, p in zip(self.classes, chance, strict=True)]
        guess.sort(key=lambda one: -one["probability"])
        is_random = index % 7 == 3
        said = self.answers().get(name, {})
        return {
            "id": name,
            "image": f"/v1/faces/{name}/image",
            "context": None if self.gone else f"/v1/faces/{name}/context",
            "context_missing": self.gone,
            "guess": guess if self.trained else None,
            "why": "picked by chance: kept apart" if is_random else "uncertain, unlike those before",
            "is_random": is_random,
            "person": str(pictures()[2][index % DISTINCT]),
            "uncertainty": 1 - max(chance),
            "disagreement": None,
            "answers": {who: {"kind": a["kind"], "labels": a.get("labels", [])} for who, a in said.items()},
        }

    def select(self, **wanted: str) -> list[str]:
        """Faces that a filter leaves, in order."""
        answers, found = self.answers(), []
        for name in map(str, range(self.count)):
            said = answers.get(name, {})
            if "answered" in wanted and bool(said) != (wanted["answered"] == "true"):
                continue
            labels = [label for one in said.values() for label in one.get("labels", [])]
            if "label" in wanted and wanted["label"] not in labels:
                continue
            if {"guess", "person"} & set(wanted):
                face = self.face(name)
                if "guess" in wanted and (not face["guess"] or face["guess"][0]["name"] != wanted["guess"]):
                    continue
                if "person" in wanted and face["person"] != wanted["person"]:
                    continue
            found.append(name)
        return found

    def summary(self) -> Json:
        """``/v1/project``."""
        answers = self.answers()
        people = Counter(who for said in answers.values() for who in said)
        model = (
            {"number": len(self.trained), "answers": self.trained[-1], "what": "head"}
            if self.trained
            else None
        )
        return {
            "classes": [
                {"name": n, "key": str(i + 1) if i < 9 else None} for i, n in enumerate(self.classes)
            ],
            "faces": self.count,
            "answered": len(answers),
            "mine": people["me"],
            "stored": str(self.file.parent),
            "model": model and model | {"accuracy": 0.71, "interval": [0.62, 0.79]},
            "rule": self.rule,
            "rules": ["diverse", "badge", "random"],
            "preparing": None,
            "features": None,
            "problems": [],
            "training": None,
            "recipe": self.recipe,
            "annotators": sorted(people),
            "stop": {"advised": False, "reason": "The interval is still wide: 40 faces more would halve it."},
            **self.project,
        }

    def curve(self) -> Json:
        """``/v1/curve``, of an invented learner."""
        counts = Counter(
            label for said in self.answers().values() for a in said.values() for label in a.get("labels", [])
        )
        points = []
        for i, answers in enumerate(self.trained):
            accuracy, half = 0.86 - 0.5 * 0.72**i, 0.3 / (i + 1) ** 0.5
            interval = [max(0.0, accuracy - half), min(1.0, accuracy + half)]
            point = {"answers": answers, "accuracy": accuracy, "interval": interval, "what": "head"}
            points.append(point | {"tested": answers // 7})
        if self.tuned and points:
            tuned = points[-1] | {"accuracy": 0.84, "interval": [0.76, 0.9], "what": "finetune"}
            points.append(tuned)
        return {
            "points": points,
            "per_class": {name: counts[name] for name in self.classes},
            "per_minute": 42.0,
            "agreement_with_model": 0.74 if points else None,
            "expected_gain": 0.012 if points else None,
            "stop": self.summary()["stop"],
        }


def make_app(labels: Labels, api_key: str | None = None) -> FastAPI:
    """The stand-in as an application."""
    app = FastAPI(openapi_url=None)
    app.add_middleware(RequestGuard, api_key=api_key, allowed_hosts=(), concurrency=64)
    app.mount("/static", StaticFiles(directory=STATIC))

    @app.get("/")
    def page() -> Response:
        return FileResponse(STATIC / "index.html")

    @app.get("/v1/project")
    def project() -> Json:
        return labels.summary()

    @app.get("/v1/next")
    def next_faces(annotator: str = "me", count: int = 8) -> Json:
        known = labels.answers().keys() | labels.leases.keys()
        free = list(islice((name for name in map(str, range(labels.count)) if name not in known), count))
        labels.leases.update(dict.fromkeys(free, annotator))
        finished = None if free else "No face is left to ask you."
        return {"faces": [labels.face(name) for name in free], "finished": finished}

    @app.post("/v1/answers", response_model=None)
    def answer(body: Asked) -> Json | Response:
        if labels.refusal:
            return JSONResponse({"detail": labels.refusal[1]}, labels.refusal[0])
        for one in body["answers"]:
            unknown = set(one.get("labels", ())) - set(labels.classes)
            if unknown:
                return JSONResponse({"detail": f"There is no class {unknown.pop()!r}."}, 409)
        more = {"annotator": body["annotator"], "batch": len(labels.lines)}
        labels.add(*(one | more for one in body["answers"]))
        return {"answered": len(labels.answers())}

    @app.post("/v1/release")
    def release(body: Asked) -> Json:
        held = [face for face in body["faces"] if labels.leases.get(face) == body["annotator"]]
        for face in held:
            del labels.leases[face]
        return {"released": len(held)}

    @app.post("/v1/undo", response_model=None)
    def undo(body: Asked) -> Json | Response:
        given = [a for said in labels.answers().values() for a in said.values()]
        mine = [a for a in given if a["annotator"] == body["annotator"]]
        if "token" in body:
            undone = [a for a in mine if a["token"] == body["token"]]
        elif mine:
            undone = [a for a in mine if a["batch"] == max(a["batch"] for a in mine)]
        else:
            return JSONResponse({"detail": "me has given no answer that could be taken back."}, 409)
        labels.add(*({"undo": a["token"]} for a in undone))
        return {
            "faces": [labels.face(a["face"]) for a in undone],
            "answered": len(labels.answers()),
        }

    @app.get("/v1/faces")
    def faces(
        label: str = "", guess: str = "", person: str = "", answered: str = "", sort: str = "order",
        offset: int = 0, limit: int = 60,
    ) -> Json:  # fmt: skip
        wanted = {"label": label, "guess": guess, "person": person, "answered": answered}
        found = labels.select(**{key: value for key, value in wanted.items() if value})
        if sort == "uncertainty":
            found = found[::-1]
        return {"total": len(found), "faces": [labels.face(name) for name in found[offset : offset + limit]]}

    @app.get("/v1/grid")
    def grid(guess: str = "", count: int = 40) -> Json:
        guess = guess or labels.classes[0]
        return {
            "guess": guess,
            "faces": [labels.face(n) for n in labels.select(guess=guess, answered="false")[:count]],
        }

    @app.get("/v1/faces/{name}/image")
    def image(name: str) -> Response:
        data = pictures()[0][int(name) % DISTINCT]
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})

    @app.get("/v1/faces/{name}/context")
    def context(name: str) -> Response:
        face = cv2.imdecode(np.frombuffer(pictures()[0][int(name) % DISTINCT], np.uint8), cv2.IMREAD_COLOR)
        assert face is not None
        scene = np.full((360, 480, 3), (150, 140, 120), np.uint8)
        scene[100 : 100 + SIZE, 90 : 90 + SIZE] = face
        return Response(bytes(cv2.imencode(".jpg", scene)[1]), media_type="image/jpeg")

    @app.get("/v1/training")
    def training() -> Json:
        last = {"what": "head", "seconds": 4.2, "error": None, "says": "60 labels in 4.2 s"}
        return {
            "training": None,
            "last": last if labels.trained else None,
            "recipe": labels.recipe,
            "recipe_last": labels.recipe_last,
            "recipe_pays": labels.pays,
        }

    @app.post("/v1/train")
    def train(body: Asked) -> Json:
        if body["what"] == "head":
            labels.trained.append(len(labels.answers()))
        else:
            stops = body["what"] == "stop"
            says = "fine-tuning, 2.1 min left"
            labels.recipe = None if stops else {"what": body["what"], "share": 0.4, "says": says}
            error = "The recipe was stopped; asked for again, it goes on."
            ended = {"what": "finetune", "seconds": 70.0, "error": error, "says": error}
            labels.recipe_last = ended if stops else None
        return training()

    @app.post("/v1/rule")
    def rule(body: Asked) -> Json:
        labels.rule = body["rule"]
        return labels.summary()

    @app.get("/v1/persons")
    def persons() -> Json:
        return {"persons": [{"name": str(name), "faces": 2} for name in sorted(set(pictures()[2]))]}

    @app.get("/v1/curve")
    def curve() -> Json:
        return labels.curve()

    @app.post("/v1/classes")
    def classes(body: Asked) -> Json:
        if "add" in body:
            labels.classes.append(body["add"])
        elif "rename" in body:
            labels.classes[labels.classes.index(body["rename"][0])] = body["rename"][1]
        else:
            labels.classes.remove(body["merge"][0])
        return labels.summary()

    @app.get("/v1/doubts")
    def doubts(offset: int = 0, limit: int = 60) -> Json:
        found = []
        for name, said in labels.answers().items():
            face = labels.face(name)
            given = [label for one in said.values() for label in one.get("labels", [])]
            if face["guess"] and given and face["guess"][0]["name"] != given[0]:
                suggested = face["guess"][0]
                more = {"label": given[0], "suggested": suggested["name"], "doubt": suggested["probability"]}
                found.append(face | more)
        return {"total": len(found), "faces": found[offset : offset + limit]}

    @app.get("/v1/disputes")
    def disputes(offset: int = 0, limit: int = 60) -> Json:
        found = [
            labels.face(name)
            for name, said in labels.answers().items()
            if len({json.dumps(one.get("labels")) for one in said.values()}) > 1
        ]
        return {"total": len(found), "faces": found[offset : offset + limit]}

    @app.get("/v1/agreement")
    def agreement() -> Json:
        pairs = [{"annotators": ["ann", "me"], "faces": 40, "kappa": 0.68}]
        return {"kappa": 0.68, "alpha": 0.66, "faces": 40, "pairs": pairs}

    @app.get("/v1/export")
    def export(format: str) -> Response:
        text = "face,label\n" + "".join(f"{name},\n" for name in labels.answers())
        return Response(text, media_type="text/csv", headers={"Content-Disposition": "attachment"})

    return app


@contextmanager
def running(app: FastAPI, port: int = 0) -> Iterator[str]:
    """An application behind a real socket; gives its address."""
    listener = listen("127.0.0.1", port)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()


def serving(labels: Labels, port: int = 0, api_key: str | None = None) -> AbstractContextManager[str]:
    """The stand-in behind a real socket."""
    return running(make_app(labels, api_key), port)


if __name__ == "__main__":
    where = Path(sys.argv[1])
    where.mkdir(exist_ok=True)
    uvicorn.run(make_app(Labels(where, 10_000)), port=int(sys.argv[2]), log_level="warning")
