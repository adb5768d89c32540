"""What stands around the package is true: one version, files that machines read, pages that are reached."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import halfsmile

ROOT = Path(__file__).parents[1]
yaml = pytest.importorskip("yaml", reason="needs halfsmile[docs]")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def read(name: str) -> Any:
    """A YAML file of the repository."""
    return yaml.safe_load((ROOT / name).read_text())


def normal(requirement: str) -> str:
    """The name of a package, as indexes write it."""
    match = re.match(r"[\w.-]+", requirement)
    assert match is not None
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def test_the_version_is_written_once_and_cited_so() -> None:
    assert "version" in PROJECT["dynamic"]
    assert read("CITATION.cff")["version"] == halfsmile.__version__
    assert f"\n## {halfsmile.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_papers_are_cited_with_their_authors() -> None:
    cited = {paper["url"]: paper for paper in read("CITATION.cff")["references"]}
    assert set(cited) == {"https://arxiv.org/abs/2410.17622", "https://arxiv.org/abs/2403.11942"}
    assert all(
        person.keys() == {"given-names", "family-names"} for p in cited.values() for person in p["authors"]
    )


def test_workflows_run_what_developers_run() -> None:
    steps = {
        path.stem: [step.get("run") for job in workflow["jobs"].values() for step in job["steps"]]
        for path in (ROOT / ".github/workflows").glob("*.yml")
        if (workflow := yaml.safe_load(path.read_text()))
    }
    assert set(steps) == {"tests", "lowest", "docs"}
    assert ".ci/run" in steps["tests"]
    assert "make lowest" in steps["lowest"]
    assert "mkdocs build" in steps["docs"]


def test_issue_forms_ask_for_something() -> None:
    forms = {
        path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / ".github/ISSUE_TEMPLATE").iterdir()
    }
    assert set(forms) == {"bug", "feature", "data-set", "config"}
    for name in set(forms) - {"config"}:
        asked = [field for field in forms[name]["body"] if field["type"] != "markdown"]
        assert any(field.get("validations", {}).get("required") for field in asked), name


def test_every_page_of_the_docs_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    missing = [page.name for page in (ROOT / "docs").glob("*.md") if f" {page.name}\n" not in text]
    assert missing == []


def test_every_direct_dependency_has_a_tested_version() -> None:
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    named = {normal(requirement) for group in groups for requirement in group} - {"halfsmile"}
    pinned = {normal(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    assert named <= pinned


def test_commands_of_benchmarks_find_what_they_import() -> None:
    """A program that imports others of the repository has to be started as a module."""
    texts = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.py")]
    written = {
        program
        for text in texts
        for program in re.findall(r"python (benchmarks/\w+\.py)", text.read_text(encoding="utf-8"))
    }
    assert "benchmarks/serve.py" in written
    needs = re.compile(r"^ *(from|import) (benchmarks|tests)\b", re.MULTILINE)
    assert [one for one in sorted(written) if needs.search((ROOT / one).read_text(encoding="utf-8"))] == []
