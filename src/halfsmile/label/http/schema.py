"""Shapes of questions and answers, for the OpenAPI description; tests hold the server to it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictStr

from halfsmile.label.state import Kind

Name = Annotated[StrictStr, Field(min_length=1, max_length=60)]
MOST_AT_ONCE = 200


class Asked(BaseModel):
    """What all bodies share: nothing unknown is passed over."""

    model_config = ConfigDict(extra="forbid")


class GivenAnswer(Asked):
    """What somebody says of one face."""

    face: Annotated[StrictStr, Field(max_length=12)]
    kind: Kind
    labels: Annotated[list[Name], Field(max_length=64)] = []
    votes: dict[Name, Annotated[float, Field(ge=0, le=1e6)]] = {}
    token: Annotated[StrictStr, Field(min_length=1, max_length=100)] | None = Field(
        None, description="Sent again with an answer that may have arrived, it is counted once."
    )


class GivenAnswers(Asked):
    """Answers of one person."""

    annotator: Name = "me"
    answers: Annotated[list[GivenAnswer], Field(min_length=1, max_length=MOST_AT_ONCE)]


class Release(Asked):
    """Faces that this person was asked and will not answer now."""

    annotator: Name = "me"
    faces: Annotated[list[Annotated[StrictStr, Field(max_length=12)]], Field(max_length=MOST_AT_ONCE)]


class Undo(Asked):
    """Whose answer is taken back, and which."""

    annotator: Name = "me"
    token: Annotated[StrictStr, Field(min_length=1, max_length=100)] | None = Field(
        None, description="Of the answer; the last POST, all of it, where none is given."
    )


class ClassChange(Asked):
    """One change of the classes."""

    add: Name | None = None
    rename: tuple[Name, Name] | None = Field(None, description="From, to.")
    merge: tuple[Name, Name] | None = Field(None, description="The first goes into the second.")


class WantedRule(Asked):
    """What shall pick the faces."""

    rule: Name


class WantedTraining(Asked):
    """What shall be trained."""

    what: Literal["head", "finetune", "recipe", "stop"] = Field(
        "head",
        description="A head on the features, in seconds; Stage II of the recipe, or all of it, in a process "
        "of its own; or the end of that.",
    )


class Told(BaseModel):
    """What all answers share: nothing is said that is not described."""

    model_config = ConfigDict(extra="forbid")


class Refusal(Told):
    """Why something was refused."""

    detail: str


class Guess(Told):
    """A class and how probable it is."""

    name: str
    probability: float


class GivenBefore(Told):
    """An answer that counts now."""

    kind: Kind
    labels: list[str]
    votes: dict[str, float] | None = None
    time: str


class Face(Told):
    """One face."""

    id: str
    image: str
    context: str | None = Field(
        description="The picture or the frame of a video that it was cut from, where that is still there."
    )
    context_missing: str | None = Field(description="Why there is none.")
    guess: list[Guess] | None = Field(description="Of the newest model, best first.")
    why: str | None
    is_random: bool = Field(description="Picked by chance and kept apart to measure.")
    person: str | None
    answers: dict[str, GivenBefore] = Field(description="By annotator.")
    label: str | None = Field(description="What all answers come to; null without a majority.")
    doubt: float | None = Field(description="1 less the out-of-sample probability of the label.")
    suggested: str | None
    disputed: bool
    left_out: bool


class Next(Told):
    """Faces to ask now."""

    faces: list[Face]
    finished: str | None = None


class Page(Told):
    """Part of a list."""

    total: int
    faces: list[Face]
    note: str | None = None


class Grid(Told):
    """Similar faces."""

    guess: str | None
    faces: list[Face]


class Counted(Told):
    """How many were answered."""

    answered: int
    mine: int


class Released(Told):
    """How many faces others may be asked again."""

    released: int


class Undone(Counted):
    """What was taken back."""

    face: Face | None
    faces: list[Face]


class ClassKey(Told):
    """A class and its key."""

    name: str
    key: str | None


class Share(Told):
    """Parts done."""

    done: int
    total: int


class Held(Told):
    """The faces that are kept apart to measure."""

    share: float
    answered: int


class ModelTold(Told):
    """The newest model."""

    number: int
    what: str = Field(description="head, or the recipe that it came from: finetune or recipe.")
    answers: int
    labels: int
    accuracy: float | None
    interval: tuple[float, float] | None
    tested: int


class Running(Told):
    """A training."""

    what: str
    share: float
    says: str


class Ended(Told):
    """The last training that ended."""

    what: str
    seconds: float
    error: str | None
    says: str


class Stop(Told):
    """Whether to stop."""

    advised: bool
    reason: str


class TrainingTold(Told):
    """What is being trained, and what was: the head, which learns by itself, and the recipe."""

    training: Running | None
    last: Ended | None
    recipe: Running | None
    recipe_last: Ended | None
    recipe_pays: Stop = Field(description="Whether to train the recipe now, by what it brought on FERPlus.")


class Project(Told):
    """All that the page shows at once."""

    classes: list[ClassKey]
    faces: int
    answered: int
    mine: int
    annotators: list[str]
    per_class: dict[str, int]
    stored: str
    data: str
    model: ModelTold | None
    rule: str
    rules: list[str]
    preparing: Share | None
    features: Share | None
    training: Running | None
    recipe: Running | None
    held: Held
    stop: Stop
    problems: list[str]


class Person(Told):
    """Somebody who is seen."""

    name: str
    faces: int


class Persons(Told):
    """People in the pictures."""

    persons: list[Person]


class CurvePoint(ModelTold):
    """One model on the curve."""


class Curve(Told):
    """How labeling goes."""

    points: list[CurvePoint]
    per_class: dict[str, int]
    per_minute: float | None
    agreement_with_model: float | None
    expected_gain: float | None
    stop: Stop


class Pair(Told):
    """Two people."""

    annotators: tuple[str, str]
    kappa: float | None
    faces: int


class Agreement(Told):
    """How well people agree."""

    kappa: float | None
    alpha: float | None
    faces: int
    pairs: list[Pair]


class Health(Told):
    """Whether the server answers."""

    status: str


def answers(*refusals: int) -> dict[int | str, dict[str, Any]]:
    """Documented refusals by their status."""
    reasons = {
        400: "The request is damaged.",
        401: "The key is missing or wrong.",
        403: "A page of another origin asked.",
        404: "There is no such face.",
        409: "It does not fit what is there; `detail` says why.",
        422: "A value can't be taken.",
        429: "Busy.",
        503: "The faces are still being prepared.",
        507: "The disk is full; nothing was taken, nothing is lost.",
    }
    return {
        code: {"model": Refusal, "description": reasons[code]}
        for code in sorted({400, 401, 403, 422, 429, *refusals})
    }
