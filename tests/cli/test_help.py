"""The help names every argument for people, and what is wrong is told before anything slow starts."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from halfsmile import __version__
from halfsmile.cli.main import COMMANDS, main

ACTIONS = {
    "data": ("check", "prepare", "split", "stats", "merge", "export", "import", "verify"),
    "abaw": ("submit", "check", "folds"),
}
HELPS = [
    *((name,) for name in COMMANDS if name not in ACTIONS),
    *((name, action) for name, actions in ACTIONS.items() for action in actions),
]


def help_of(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit):
        main([*arguments, "--help"])
    return capsys.readouterr().out


@pytest.mark.parametrize("arguments", HELPS, ids=" ".join)
def test_no_argument_is_shown_as_python_has_it(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    text = help_of(arguments, capsys)
    for pattern in (r"\{None\}", r"default:\s+None\)", r"\[\[", r"^│ PATH "):
        assert not re.search(pattern, text, re.MULTILINE), pattern


def test_model_and_every_mean_one_thing(capsys: pytest.CaptureFixture[str]) -> None:
    models, every = set(), set()
    for arguments in HELPS:
        text = re.sub(r"[│\s]+", " ", help_of(arguments, capsys))
        models |= set(re.findall(r"--model (\w+) .*?\((default: .*?)\)", text))
        every |= set(re.findall(r"--every (\w+) .*?\((default: .*?)\)", text))
    assert models == {("MODEL", "default: the model in the box")}
    assert every == {("INT", "default: 1")}


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--version"])
    assert capsys.readouterr().out == f"halfsmile {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "ssfer", "--data", "gone", "--out", "run"], "--data: gone does not exist."),
        (["train", "ssfer", "--data", ".", "--unlabeled", "gone", "--out", "run"], "--unlabeled: gone does"),
        (["train", "ssfer", "--data", ".", "--pseudo-labels", "gone", "--out", "r"], "--pseudo-labels: gone"),
        (["train", "ssfer", "--data", ".", "--budget", "gone", "--out", "run"], "--budget: gone does not"),
        (["train", "sffer", "--data", ".", "--out", "run"], "Unknown method 'sffer'; known are"),
        (["train", "ssfer-ferplus", "--data", ".", "--out", "run"], "halfsmile train ssfer --data DATA"),
        (["train", "ssfer", "--data", ".", "--set", "finetune.epoch=3"], "Did you mean finetune.epochs"),
        (["train", "ssfer", "--data", ".", "--set", "finetune.epochs=x"], "is a number, found 'x'"),
        (["train", "ssfer", "--data", ".", "--out", "thesis.txt"], "thesis.txt is not a run folder"),
        (["train", "ssfer", "--data", ".", "--out", "thesis.txt/run"], "thesis.txt is a file"),
        (["train", "ssfer", "--data", ".", "--out", "run", "--threads", "0"], "--threads must be at least 1"),
        (["export", "gone"], "gone"),
        (["export", "."], "not a run folder"),
        (["evaluate", "gone"], "gone does not exist"),
        (["evaluate", "--data", "gone"], "--data: gone does not exist"),
    ],
)
def test_wrong_paths_are_told_before_torch_is_imported_and_leave_nothing(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    program = (
        "import sys\n"
        "from halfsmile.cli.main import main\n"
        "try:\n"
        f"    main({arguments!r})\n"
        "finally:\n"
        "    assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
