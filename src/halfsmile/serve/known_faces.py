"""Faces that a client has found itself: boxes or landmarks that it sends with its pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from starlette.exceptions import HTTPException

from halfsmile.faces.detect import Detection
from halfsmile.faces.given_table import face_of

MOST = 1000  # faces of a picture
_WANTED = "a list of faces, each [left, top, right, bottom] or ten numbers, x and y of five landmarks"


def faces_of_json(given: Any, picture: str) -> tuple[Detection, ...] | None:
    """The faces of one picture; None where nothing is given.

    Args:
        given: What JSON has at ``boxes``.
        picture: What refusals call it.

    Raises:
        HTTPException: 400 if it is no such list.
    """
    if given is None:
        return None
    if not isinstance(given, list) or len(given) > MOST:
        raise HTTPException(400, f"{picture}: 'boxes' is {_WANTED}; at most {MOST:,}.")
    return tuple(_face(numbers, picture) for numbers in given)


def faces_of_field(texts: Sequence[str | bytes], files: int) -> list[tuple[Detection, ...] | None]:
    """The faces of all pictures of a form: one field, JSON with a list for each file.

    Raises:
        HTTPException: 400 if it is not, or there are several fields.
    """
    if len(texts) != 1:
        raise HTTPException(
            400, f"There are {len(texts)} fields 'boxes'; send one, with a list for each of {files} files."
        )
    try:
        given = json.loads(texts[0])
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "The field 'boxes' is no JSON.") from error
    if not isinstance(given, list) or len(given) != files:
        raise HTTPException(400, f"The field 'boxes' has a list for each of {files} files, in their order.")
    return [faces_of_json(one, f"Picture {number}") for number, one in enumerate(given, start=1)]


def _face(numbers: Any, picture: str) -> Detection:
    try:
        values = [float(value) for value in numbers if not isinstance(value, bool | str)]
        if not isinstance(numbers, Sequence) or len(values) != len(numbers) or len(values) not in (4, 10):
            raise ValueError(f"found {str(numbers)[:60]}")
        return face_of(values, None) if len(values) == 4 else face_of(None, values)
    except (TypeError, ValueError, OverflowError) as error:
        raise HTTPException(400, f"{picture}: 'boxes' is {_WANTED} ({error}).") from error
