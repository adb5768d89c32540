"""The description of the interface, held against the server by schemathesis."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis")
pytest.importorskip("fastapi", reason="needs halfsmile[serve]")

from tests.label.conftest import Pixels  # noqa: E402

from halfsmile.label.http.app import create_app  # noqa: E402
from halfsmile.label.session import Labeling  # noqa: E402

FOLDER = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)


def application() -> Any:
    faces = Path(FOLDER.name) / "faces"
    faces.mkdir()
    for i in range(6):
        cv2.imwrite(str(faces / f"{i}.png"), np.full((24, 24, 3), 40 * i, np.uint8))
    labeling = Labeling.open(
        faces, out=Path(FOLDER.name) / "out", aligned=True, extractor=Pixels, trains=False
    )
    return create_app(labeling, allowed_hosts=["*"], closes=False)


schema = schemathesis.openapi.from_asgi("/openapi.json", application())


@schema.parametrize()  # type: ignore[untyped-decorator]
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_answers_are_as_described(case: Any) -> None:
    # ids, names of classes and rules are texts whose values the description can't know
    case.call_and_validate(excluded_checks=[schemathesis.checks.positive_data_acceptance])
