"""The end points: each is one call of a :class:`~halfsmile.label.session.Labeling` or of a view of it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Query, Response
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from halfsmile.label import output, views
from halfsmile.label.http import schema
from halfsmile.label.learn.acquisition import RULES
from halfsmile.label.session import Labeling
from halfsmile.label.state import Kind

MOST_AHEAD = 64
MOST_LISTED = 500
_CACHED = {"Cache-Control": "private, max-age=86400"}
Annotator = Annotated[str, Query(min_length=1, max_length=60)]
Text = Annotated[str | None, Query(max_length=200)]
Offset = Annotated[int, Query(ge=0, le=10**9)]
Limit = Annotated[int, Query(ge=1, le=MOST_LISTED)]


def project_of(labeling: Labeling, annotator: str = "me") -> dict[str, Any]:
    """All that the page shows at once: ``GET /v1/project``."""
    with labeling.guard:
        state, preparing = labeling.state, labeling.preparing
        is_ready = labeling.is_ready
        learning = labeling.learning if is_ready else None
        share = None if is_ready or preparing is None else {"done": preparing.done, "total": preparing.total}
        total = len(labeling.pool) if is_ready else 0
        features = None
        if learning is not None and learning.features_done < total:
            features = {"done": learning.features_done, "total": total}
        return {
            "classes": [
                {"name": name, "key": str(number) if number < 10 else None}
                for number, name in enumerate(labeling.classes, 1)
            ],
            "faces": total,
            "answered": state.answered,
            "mine": state.answered_by(annotator),
            "annotators": state.annotators,
            "per_class": state.per_class(),
            "stored": str(labeling.out.resolve()),
            "data": state.data or str(labeling.data),
            "model": None if learning is None else learning.told(),
            "rule": labeling.rule,
            "rules": list(RULES),
            "preparing": share,
            "features": features,
            "training": None if learning is None else learning.training,
            "recipe": None if learning is None else learning.recipe,
            "held": {"share": labeling.share, "answered": len(state.random_faces)},
            "stop": learning.stop_advice()
            if learning is not None
            else {"advised": False, "reason": "The faces are being prepared."},
            "problems": labeling.problems(),
        }


def add_endpoints(app: FastAPI, labeling: Labeling) -> None:
    """Add everything under ``/v1/``."""
    _add_questions(app, labeling)
    _add_lists(app, labeling)
    _add_training(app, labeling)


def _add_questions(app: FastAPI, labeling: Labeling) -> None:
    @app.get("/v1/project", response_model=schema.Project, responses=schema.answers())
    def project(annotator: Annotator = "me") -> dict[str, Any]:
        """Classes, counts, the newest model, what is going on."""
        return project_of(labeling, annotator)

    @app.get("/v1/next", response_model=schema.Next, responses=schema.answers(409, 503, 507))
    def next_faces(
        annotator: Annotator = "me",
        count: Annotated[int, Query(ge=1, le=MOST_AHEAD)] = 1,
        rule: Text = None,
        second: bool = False,
    ) -> dict[str, Any]:
        """Faces to ask now, kept from others for two minutes."""
        if not labeling.is_ready:
            return {"faces": [], "finished": None}
        found = labeling.next(annotator, count=count, rule=rule, second=second)
        return {"faces": found, "finished": None if found else "No face is left to ask you."}

    @app.post("/v1/answers", response_model=schema.Counted, responses=schema.answers(404, 409, 503, 507))
    def answers(body: schema.GivenAnswers) -> dict[str, int]:
        """Take answers, all or none; they are on the disk when this returns."""
        return labeling.answer(body.annotator, [one.model_dump() for one in body.answers])

    @app.post("/v1/release", response_model=schema.Released, responses=schema.answers(404, 503))
    def release(body: schema.Release) -> dict[str, int]:
        """Give faces back that were asked, so that others are asked them at once."""
        return {"released": labeling.release(body.annotator, body.faces)}

    @app.post("/v1/undo", response_model=schema.Undone, responses=schema.answers(409, 503, 507))
    def undo(body: schema.Undo) -> dict[str, Any]:
        """Take back what this person sent last, all of it, or the answer of a token, once."""
        return labeling.undo(body.annotator, body.token)

    @app.post("/v1/classes", response_model=schema.Project, responses=schema.answers(409, 507))
    def classes(body: schema.ClassChange) -> dict[str, Any]:
        """Add, rename or merge a class."""
        labeling.change_classes(add=body.add, rename=body.rename, merge=body.merge)
        return project_of(labeling)

    @app.post("/v1/rule", response_model=schema.Project, responses=schema.answers(409, 507))
    def rule(body: schema.WantedRule) -> dict[str, Any]:
        """Let another rule pick the faces."""
        labeling.change_rule(body.rule)
        return project_of(labeling)


def _add_lists(app: FastAPI, labeling: Labeling) -> None:
    @app.get("/v1/faces", response_model=schema.Page, responses=schema.answers(409, 503))
    def faces(
        label: Text = None,
        guess: Text = None,
        person: Text = None,
        annotator: Text = None,
        answered: bool | None = None,
        kind: Kind | None = None,
        disputed: bool | None = None,
        sort: Annotated[str, Query(max_length=20)] = "order",
        offset: Offset = 0,
        limit: Limit = 60,
    ) -> dict[str, Any]:
        """Faces that fit all that is asked."""
        return views.faces(
            labeling,
            label=label,
            guess=guess,
            person=person,
            annotator=annotator,
            answered=answered,
            kind=kind,
            disputed=disputed,
            sort=sort,
            offset=offset,
            limit=limit,
        )

    @app.get("/v1/faces/{face}", response_model=schema.Face, responses=schema.answers(404, 503))
    def face(face: str) -> dict[str, Any]:
        """One face."""
        row = labeling.row(face)
        with labeling.guard:
            return views.face_of(labeling, row)

    @app.get("/v1/faces/{face}/image", response_class=Response, responses=schema.answers(404, 503))
    def image(face: str) -> Response:
        """The picture of a face."""
        data, kind = labeling.pool.picture(labeling.row(face))
        return Response(data, media_type=kind, headers=_CACHED)

    @app.get("/v1/faces/{face}/context", response_class=Response, responses=schema.answers(404, 503))
    def context(face: str) -> Response:
        """The picture that a face was cut from."""
        return Response(labeling.pool.context(labeling.row(face)), media_type="image/jpeg", headers=_CACHED)

    @app.get("/v1/grid", response_model=schema.Grid, responses=schema.answers(503))
    def grid(guess: Text = None, count: Annotated[int, Query(ge=1, le=100)] = 40) -> dict[str, Any]:
        """Similar faces that are guessed to be of one class, to be confirmed in one go."""
        return views.grid(labeling, guess=guess, count=count)

    @app.get("/v1/doubts", response_model=schema.Page, responses=schema.answers(503))
    def doubts(offset: Offset = 0, limit: Limit = 60) -> dict[str, Any]:
        """Faces whose label the model doubts, worst first."""
        return views.doubted(labeling, offset=offset, limit=limit)

    @app.get("/v1/disputes", response_model=schema.Page, responses=schema.answers(503))
    def disputes(offset: Offset = 0, limit: Limit = 60) -> dict[str, Any]:
        """Faces that people name differently."""
        return views.disputed(labeling, offset=offset, limit=limit)

    @app.get("/v1/agreement", response_model=schema.Agreement, responses=schema.answers())
    def agreement() -> dict[str, Any]:
        """How well people agree."""
        return views.agreement(labeling)

    @app.get("/v1/persons", response_model=schema.Persons, responses=schema.answers(503))
    def persons() -> dict[str, Any]:
        """People in the pictures, most faces first."""
        return views.persons(labeling.pool.persons)


def _add_training(app: FastAPI, labeling: Labeling) -> None:
    @app.post(
        "/v1/train", status_code=202, response_model=schema.TrainingTold, responses=schema.answers(409, 503)
    )
    def train(body: schema.WantedTraining) -> dict[str, Any]:
        """Train as soon as possible; the newest model takes over by itself."""
        labeling.learning.train(body.what)
        return training()

    @app.get("/v1/training", response_model=schema.TrainingTold, responses=schema.answers(503))
    def training() -> dict[str, Any]:
        """What is being trained, and what was."""
        learning = labeling.learning
        with labeling.guard:
            return {
                "training": learning.training,
                "last": learning.last,
                "recipe": learning.recipe,
                "recipe_last": learning.recipe_last,
                "recipe_pays": learning.recipe_advice(),
            }

    @app.get("/v1/curve", response_model=schema.Curve, responses=schema.answers(503))
    def curve() -> dict[str, Any]:
        """Accuracy against labels, speed, expected gain."""
        with labeling.guard:
            return labeling.learning.curve()

    @app.get("/v1/export", response_class=Response, responses=schema.answers(409, 503, 507))
    def export(form: Annotated[str, Query(alias="format", max_length=20)] = "csv") -> Response:
        """All labels as a file."""
        path, kind = output.export(labeling, form)
        name = f"labels{path.suffix}"
        return FileResponse(path, media_type=kind, filename=name, background=BackgroundTask(path.unlink))
