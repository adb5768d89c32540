"""Pieces of the OpenAPI description that the end points share."""

from __future__ import annotations

from typing import Any

from halfsmile.serve.pictures import FORMATS
from halfsmile.serve.schema import EXAMPLE_FACE, Health, Refusal

Answers = dict[int | str, dict[str, Any]]

_REASONS = {
    400: "The request is damaged or incomplete.",
    401: "The key is missing or wrong.",
    403: "A page of another origin asked.",
    404: "There is no such job; it may have expired.",
    408: "The body came too slowly.",
    413: "Too large.",
    422: "An option is not one of those that there are.",
    415: "Neither multipart nor an image nor JSON.",
    429: "Busy; try again after the seconds in Retry-After.",
    503: "Stopping, or the answer took too long.",
}
_FILE = {"type": "string", "format": "binary"}
_FACES = {
    "type": "array",
    "items": {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 10},
    "description": "Faces that are known, in pixels: left, top, right, bottom, or x and y of five landmarks.",
}
_PICTURES = {
    "type": "object",
    "required": ["files"],
    "properties": {
        "files": {"type": "array", "items": _FILE, "minItems": 1},
        "boxes": {"type": "string", "description": "JSON: for each file a list of its faces, or null."},
    },
}
_IMAGE = {
    "image": {"type": "string", "description": "Base64 of a file, or a `data:` address."},
    "name": {"type": "string"},
    "boxes": _FACES,
}
_JSON = {
    "type": "object",
    "properties": {
        **_IMAGE,
        "images": {
            "type": "array",
            "items": {
                "anyOf": [
                    {"type": "string"},
                    {"type": "object", "required": ["image"], "properties": _IMAGE},
                ]
            },
            "minItems": 1,
        },
    },
    "example": {"image": "data:image/jpeg;base64,/9j/4AAQSkZJRg…"},
}
_VIDEO = {"type": "object", "required": ["file"], "properties": {"file": _FILE}}
PICTURES_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {"schema": _PICTURES},
        **{kind: {"schema": _FILE} for kind in FORMATS.values()},
        "application/json": {"schema": _JSON},
    },
}
VIDEO_BODY: dict[str, Any] = {"required": True, "content": {"multipart/form-data": {"schema": _VIDEO}}}
LINES: Answers = {
    200: {
        "description": "JSON Lines: one face a line; a frame without a face has `expression` null and a "
        "`reason`. Ends when the video ends.",
        "content": {"application/x-ndjson": {"schema": {"type": "string"}, "example": EXAMPLE_FACE}},
    }
}
TEXT: Answers = {200: {"description": "Text.", "content": {"text/plain": {"schema": {"type": "string"}}}}}
STOPPING: Answers = {503: {"model": Health, "description": "Stopping."}}


def answers(model: Any, *refusals: int, status: int = 200) -> Answers:
    """Documented answers: the good one, and refusals by their status."""
    good: Answers = {} if model is None else {status: {"model": model}}
    return good | {
        code: {"model": Refusal, "description": _REASONS[code]} for code in sorted({400, 401, 403, *refusals})
    }
