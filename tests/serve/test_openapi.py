"""The description of the interface, held against the server by schemathesis."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from tests.serve.conftest import StandIn

from halfsmile.serve.app import create_app

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis")

schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(StandIn(), allowed_hosts=["*"]))


@schema.parametrize()  # type: ignore[untyped-decorator]
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_answers_are_as_described(case: Any) -> None:
    # what the description allows are bytes; whether they are a picture or a video it can't say
    case.call_and_validate(excluded_checks=[schemathesis.checks.positive_data_acceptance])
