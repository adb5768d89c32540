"""Processors: those that this process may run on, and the time that its control groups give it."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from halfsmile.utils import cpu
from halfsmile.utils.cpu import processors


def system(root: Path, group: str, quotas: dict[str, str]) -> Path:
    """Files in which Linux tells the group of a process and the time of groups."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(f"4:memory:/elsewhere\n0::/{group}\n")
    for name, quota in quotas.items():
        folder = root / "sys/fs/cgroup" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cpu.max").write_text(f"{quota}\n")
    return root


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_only_processors_that_this_process_may_run_on_are_counted() -> None:
    allowed = os.sched_getaffinity(0)
    assert 1 <= processors() <= len(allowed)
    code = (
        "import os; from halfsmile.utils.cpu import processors; "
        f"os.sched_setaffinity(0, {{{min(allowed)}}}); print(processors())"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "1\n"


@pytest.mark.parametrize(
    ("group", "quotas", "expected"),
    [
        ("", {"": "150000 100000"}, 1.5),  # what a container sees of itself
        ("a/b", {"a/b": "max 100000", "a": "400000 100000"}, 4.0),
        ("a/b", {"a/b": "50000 100000", "a": "400000 100000"}, 0.5),
        ("a/b", {"a/b": "max 100000"}, math.inf),
        ("a", {"b": "100000 100000"}, math.inf),  # somebody else's
        ("a", {"a": "", "": "garbage"}, math.inf),
    ],
)
def test_the_smallest_quota_of_all_groups_around_counts(
    tmp_path: Path, group: str, quotas: dict[str, str], expected: float
) -> None:
    assert cpu._quota(system(tmp_path, group, quotas)) == expected


def test_a_system_without_control_groups_has_no_quota(tmp_path: Path) -> None:
    assert cpu._quota(tmp_path) == math.inf


@pytest.mark.parametrize(
    ("runnable", "quota", "expected"), [(64, 1.5, 2), (1, 8.0, 1), (8, 0.1, 1), (8, math.inf, 8)]
)
def test_part_of_a_processor_counts_as_one(
    monkeypatch: pytest.MonkeyPatch, runnable: int, quota: float, expected: int
) -> None:
    monkeypatch.setattr(cpu, "_runnable", lambda: runnable)
    monkeypatch.setattr(cpu, "_quota", lambda: quota)
    assert processors() == expected
