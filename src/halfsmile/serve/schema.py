"""Shapes of the answers, for the OpenAPI description; tests hold the server to it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

EXAMPLE_FACE: dict[str, Any] = {
    "source": "photo.jpg",
    "frame": None,
    "time": None,
    "box": [120.5, 80.25, 260.0, 240.75],
    "landmarks": [[160.0, 140.5], [220.0, 140.0], [190.5, 170.0], [165.0, 205.5], [215.0, 205.0]],
    "score": 0.998,
    "track": None,
    "expression": "happiness",
    "probabilities": {"neutral": 0.06, "happiness": 0.94},
    "confidence": 0.94,
    "uncertain": False,
    "doubt": None,
    "possible": ["happiness"],
    "votes": {"neutral": 0.2, "happiness": 0.8},
    "quality": None,
    "pose": {"yaw": -4.1, "pitch": 6.3, "roll": -0.5},
    "picture_size": [640, 480],
}
EXAMPLE_MODEL: dict[str, Any] = {"name": "default", "labels": ["neutral", "happiness"]}
EXAMPLE_FACTS: dict[str, Any] = EXAMPLE_MODEL | {
    "threshold": 0.62,
    "detector": "YuNet",
    "temperature": 0.48,
    "card": "A small residual network, trained on FERPlus.",
    "limits": {"body_bytes": 33_554_432, "files": 32, "pixels": 40_000_000},
}
EXAMPLE_PREDICTION: dict[str, Any] = {
    "results": [{"name": "photo.jpg", "width": 640, "height": 480, "faces": [EXAMPLE_FACE], "error": None}],
    "model": EXAMPLE_MODEL,
    "took_ms": 41.7,
}
EXAMPLE_JOB: dict[str, Any] = {
    "id": "mC0pV0S9h6bKq8dX2JtZ3w",
    "status": "running",
    "progress": 0.42,
    "width": 1280,
    "height": 720,
    "frames": 252,
    "error": None,
    "problems": [],
}


class Answer(BaseModel):
    """What all shapes share: nothing is said that is not described."""

    model_config = ConfigDict(extra="forbid")


class Refusal(Answer):
    """Why a request was not served."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"detail": "33 files in one request are more than 32; send fewer at once."}
        },
    )

    detail: str = Field(description="What was found, what was expected, and what to do.")


class FaceAnswer(Answer):
    """One face: where it is, and the expression it shows."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": EXAMPLE_FACE})

    source: str = Field(description="Name of the file as it was sent.")
    frame: int | None = Field(description="Number of the frame in a video, from 0.")
    time: float | None = Field(description="Seconds from the start of a video.")
    box: list[float] = Field(min_length=4, max_length=4, description="Left, top, right, bottom in pixels.")
    landmarks: list[list[float]] | None = Field(description="Five points (x, y): eyes, nose, mouth corners.")
    score: float = Field(ge=0, le=1, description="The detector's confidence that this is a face.")
    track: int | None = Field(description="The same number for the same person within a video.")
    expression: str = Field(description="The most probable label; an expression, not a felt emotion.")
    probabilities: dict[str, float] = Field(description="Of every label; they sum to 1.")
    confidence: float = Field(ge=0, le=1, description="Probability of the expression, calibrated.")
    uncertain: bool | None = Field(
        description="Whether the confidence lies below the threshold of certainty; null where there is none."
    )
    doubt: str | None = Field(description="Why the answer is uncertain; null where it is certain.")
    possible: list[str] | None = Field(
        description="Labels that can't be ruled out, most probable first (conformal set); null without sets."
    )
    votes: dict[str, float] | None = Field(
        description="Share of annotators who would call it so; null where the model never saw votes."
    )
    quality: dict[str, float] | None = Field(description="Scores from 0 to 1, where asked for.")
    pose: dict[str, float] | None = Field(
        description="Yaw, pitch and roll of the head in degrees, rough; null without landmarks."
    )
    picture_size: list[int] | None = Field(description="Width and height of the picture in pixels.")


class ModelName(Answer):
    """Which model answered."""

    name: str
    labels: list[str]


class PictureAnswer(Answer):
    """Faces of one picture, or why there are none."""

    name: str = Field(description="Name of the file as it was sent.")
    width: int | None = Field(description="Pixels of the upright picture; null where it can't be read.")
    height: int | None
    faces: list[FaceAnswer]
    error: str | None = Field(description="Why the picture can't be read; null where it can.")


class PredictAnswer(Answer):
    """Faces of all pictures of a request, in their order."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": EXAMPLE_PREDICTION})

    results: list[PictureAnswer]
    model: ModelName
    took_ms: float


class ModelAnswer(ModelName):
    """What the model says of itself, and what this server takes."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": EXAMPLE_FACTS})

    threshold: float | None = Field(
        description="Confidence from which an answer counts as certain; null: the model was not calibrated."
    )
    detector: str = Field(description="What finds the faces.")
    temperature: float
    card: str = Field(description="What the model is, in a few sentences.")
    limits: dict[str, float] = Field(description="Bytes, pixels, files, frames and seconds that are taken.")


class JobStarted(Answer):
    """A video is in hand."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"id": EXAMPLE_JOB["id"]}})

    id: str


class JobAnswer(Answer):
    """How far a video is."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": EXAMPLE_JOB})

    id: str
    status: Literal["waiting", "running", "done", "failed", "cancelled"]
    progress: float = Field(ge=0, le=1)
    width: int = Field(description="Pixels of an upright frame.")
    height: int
    frames: int = Field(description="Frames analyzed so far.")
    error: str | None = Field(description="Why it failed; null where it did not.")
    problems: list[str] = Field(description="What could not be read of the video, known at its end.")


class Health(Answer):
    """Whether the server takes requests."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"status": "ok"}})

    status: Literal["ok", "stopping"]
