"""A comparison as text and as a page."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from halfsmile.evaluation.compare import compare

MakeRun = Callable[..., Path]
SUPERVISED = {"name": "supervised", "method": "supervised"}


def test_renderings_hold_every_group(make_run: MakeRun) -> None:
    result = compare([make_run("a"), make_run("b", recipe=SUPERVISED, skill=0.5)])
    console = Console(file=io.StringIO(), width=200)
    result.render(console)
    assert isinstance(console.file, io.StringIO)
    for text in (console.file.getvalue(), result.to_markdown(), result.to_html()):
        for group in result.groups:
            assert group.name in text
            assert f"{100 * group.mean('accuracy'):.1f}" in text
        assert "600 test images of FERPlus" in text
    lines = result.to_markdown().splitlines()
    assert len({line.count("|") for line in lines[:4]}) == 1
