"""A test that can't run says so: aloud where ``CI`` is set."""

from __future__ import annotations

import pytest

TESTS = {
    "test_tool": """
        import pytest
        pytestmark = pytest.mark.skipif(True, reason="needs Chromium")
        def test(): ...
    """,
    "test_package": """
        import pytest
        pytest.importorskip("no_such_package")
        def test(): ...
    """,
    "test_data": """
        import pytest
        @pytest.fixture
        def data(): pytest.skip("no faces; set HALFSMILE_DATA")
        def test(data): ...
    """,
    "test_expected": """
        import pytest
        @pytest.mark.xfail
        def test(): assert False
    """,
    "test_passes": "def test(): ...",
}


@pytest.mark.parametrize("ci", ["true", None])
def test_a_missing_tool_is_a_failure_in_ci_and_missing_data_are_not(
    ci: str | None, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    if ci:
        monkeypatch.setenv("CI", ci)
    pytester.makepyfile(**TESTS)
    result = pytester.runpytest("-p", "tests.skips", "-p", "no:xdist", "--continue-on-collection-errors")
    if ci:
        result.assert_outcomes(passed=1, skipped=1, xfailed=1, errors=2)
        result.stdout.fnmatch_lines(["*no_such_package*As CI is set*", "*needs Chromium. As CI is set*"])
    else:
        result.assert_outcomes(passed=1, skipped=3, xfailed=1)
