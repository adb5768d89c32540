"""Nothing is left out in silence: where ``CI`` is set, a test that skips itself for want of a tool fails."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TypeVar

import pytest

ALLOWED = ("HALFSMILE_DATA", "needs a GPU", "the superuser", "+SKIP")
"""What a reason for skipping may speak of: data that can't be given away, and other machines."""

Report = TypeVar("Report", pytest.CollectReport, pytest.TestReport)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A whole file that is skipped."""
    return _strict((yield))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that is skipped."""
    return _strict((yield))


def _strict(report: Report) -> Report:
    if os.environ.get("CI") and report.skipped and isinstance(report.longrepr, tuple):
        path, line, reason = report.longrepr
        if not any(allowed in reason for allowed in ALLOWED):
            report.outcome = "failed"
            report.longrepr = (
                f"{path}:{line}: {reason}. As CI is set, this is a failure: install what is missing "
                "(.ci/run does), or unset CI to leave these tests out."
            )
    return report
