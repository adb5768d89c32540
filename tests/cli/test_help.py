"""The help names every argument for people, and what is wrong is told before anything slow starts."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from halfsmile import __version__
from halfsmile.cli.main import ACTIONS, COMMANDS, main

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
    patterns = (
        r"\{None\}", r"default:\s+None\)", r"\[\[", r"^│ PATH ", r"default: \)", "%%", "no-no",
        "action options",
    )  # fmt: skip
    for pattern in patterns:
        assert not re.search(pattern, text, re.MULTILINE), pattern


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("arguments", [(), ("data",), ("abaw",), *HELPS], ids=" ".join)
def test_help_is_no_wider_than_the_terminal(
    arguments: tuple[str, ...],
    columns: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = help_of(arguments, capsys).splitlines()
    assert [line for line in lines if len(line) > columns] == []


def test_what_an_option_means_is_not_broken_into_lines() -> None:
    """The parser starts a new line of the help wherever one of a docstring starts with no letter."""
    commands = [*COMMANDS.values(), *(action for actions in ACTIONS.values() for action in actions.values())]
    for kind in {base for command in commands for base in command.__mro__ if base is not object}:
        described = inspect.cleandoc(kind.__doc__ or "").partition("Args:\n")[2]
        going_on = [line.strip() for line in described.splitlines() if line.startswith(" " * 8)]
        assert [line for line in going_on if not line[0].isalpha()] == [], kind


TERMS = {
    r"pseudo-label(?!\b)": r"sure answers",
    r"calibrated": r"how often it is right",
    r"\bONNX\b": r"without torch|exported model|detect|`halfsmile export`|YuNet",
    r"int8\)": r"8 bits",
    r"[Ll]abel budget": r"labels (that )?may be used",
    r"\bmanifest\b": r"list",
    r"\bstores?\b": r"`halfsmile data prepare`|kept in one folder|keep them in one folder",
    r"\btaxonomy\b": r"classes",
    r"threshold": r"confidence",
    r"bootstrap": r"drawn again and again",
    r"FaceMix": r"mixed by how far they overlap",
    r"masked pre-training": r"hidden parts",
    r"debiased feedback": r"learns whether its pseudo-labels",
    r"Temporal Encoder": r"over neighboring frames",
    r"Stage I\b": r"masked pre-training",
    r"Stage III\b": r"pseudo-labels",
    r"Stage IV\b": r"neighboring frames",
    r"\bprior\b": r"expect each expression",
    r"validation": r"trained nothing|split",
    r"\bfolds\b": r"tested in turn|train once for each|cross-validation",
    r"aligned\b": r"lie where the model expects|one face|cropped_aligned",
    r"core-set": r"farthest",
}
"""Terms of the field, and words that tell near the first place of a help what they mean."""


@pytest.mark.parametrize("arguments", HELPS, ids=" ".join)
def test_terms_are_told_where_they_are_used_first(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    text = re.sub(r"[│╭╮╰╯─\s]+", " ", help_of(arguments, capsys))
    text = text.partition("Its fields for --set")[0]
    for term, told in TERMS.items():
        if (found := re.search(term, text)) is not None:
            near = text[max(found.start() - 250, 0) : found.end() + 250]
            assert re.search(told, near, re.IGNORECASE), f"{found[0]} is not told: … {near} …"


def test_a_command_that_does_not_exist_is_answered_with_those_that_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for arguments, known in ((["predct"], "pseudo-label"), (["data", "chek"], "verify")):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
        assert known in capsys.readouterr().err


@pytest.mark.parametrize("word", ["None", "foo"])
def test_a_word_that_an_option_does_not_know_is_answered_with_those_that_it_does(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (["data", "split", "d", "--out", "o", "--by"], ["evaluate", "--classes"]):
        with pytest.raises(SystemExit):
            main([*arguments, word])
        told = re.sub(r"[│\s]+", " ", capsys.readouterr().err)
        assert f"invalid choice '{word}'" in told
        assert "'None'" not in told.partition("Expected one of")[2]


def test_a_command_alone_shows_what_may_follow(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, known in (([], "pseudo-label"), (["data"], "verify"), (["abaw"], "submit")):
        with pytest.raises(SystemExit):
            main(arguments)
        assert known in capsys.readouterr().out


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
        (["train", "ssfer", "--data", "."], "needs a run folder: --out RUN"),
        (["train", "ssfer", "--data", ".", "--out", "run", "--by", "person"], "give --test or --folds, too"),
        (["train", "ssfer", "--data", ".", "--folds", "3"], "--out RUN"),
        (["train", "ssfer", "--data", ".", "--dry-run", "--folds", "5"], "leave --dry-run"),
        (["train", "ssfer", "--data", ".", "--out", "run", "--labels", "many"], "many"),
        (["train", "ssfer", "--data", ".", "--out", "run", "--init-network", "mae"], "there is no --init"),
        (
            ["train", "ssfer", "--data", ".", "--out", "r", "--init", "face", "--preset", "paper"],
            "paper is the",
        ),
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
