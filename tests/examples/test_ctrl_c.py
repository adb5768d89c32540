"""Ctrl-C ends every example as it ends the command line: without a traceback, with exit status 130."""

from __future__ import annotations

import runpy
from pathlib import Path
from unittest.mock import Mock

import pytest
import tyro

from halfsmile.utils.errors import StopRequestedError

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_ctrl_c(path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    trains = "halfsmile.train(" in path.read_text(encoding="utf-8")
    for stopped in (KeyboardInterrupt(), *([StopRequestedError("after step 3")] if trains else [])):
        monkeypatch.setattr(tyro, "cli", Mock(side_effect=stopped))
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(path), run_name="__main__")
        assert ended.value.code == 130
    assert capsys.readouterr() == ("", "")
