"""The command line: finds the command, runs it, and turns what goes wrong into one clear message."""

from __future__ import annotations

import inspect
import io
import itertools
import os
import re
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Annotated, Any, NoReturn, Union

import tyro

from halfsmile import __version__
from halfsmile.cli import abaw, data
from halfsmile.cli.demo import Demo
from halfsmile.cli.evaluate import Compare, Evaluate, Report
from halfsmile.cli.export import ExportRun
from halfsmile.cli.label import Label
from halfsmile.cli.methods import explain
from halfsmile.cli.options import REGISTRY
from halfsmile.cli.predict import Predict
from halfsmile.cli.pseudo_label import PseudoLabel
from halfsmile.cli.serve import Serve
from halfsmile.cli.train import Train
from halfsmile.utils.console import make_console
from halfsmile.utils.errors import StopRequestedError

COMMANDS: dict[str, Any] = {
    "demo": Demo,
    "data": data.Data,
    "train": Train,
    "evaluate": Evaluate,
    "report": Report,
    "compare": Compare,
    "export": ExportRun,
    "predict": Predict,
    "pseudo-label": PseudoLabel,
    "serve": Serve,
    "label": Label,
    "abaw": abaw.Abaw,
}
ACTIONS: dict[str, dict[str, Any]] = {"data": data.ACTIONS, "abaw": abaw.ACTIONS}
"""Commands that are followed by one of several."""


def main(arguments: list[str] | None = None) -> None:
    """Run a command; mistakes end in one message and exit status 1, a stop on request in 130.

    A reader that goes away, as in ``halfsmile … | head``, ends it without a word.
    """
    try:
        _run(arguments)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the last flush would fail, too
        sys.exit(141)


def _refuse(message: str) -> NoReturn:
    """End with one message on standard error and status 1."""
    make_console(stderr=True).print(f"error: {message}", style="red", soft_wrap=True)
    sys.exit(1)


def _require_each_option_once(arguments: Sequence[str]) -> None:
    """Refuse a repeated option: the parser keeps the last one, and what stands behind the first is lost."""
    options = [word.partition("=")[0] for word in arguments if word.startswith("--") and word != "--"]
    repeated = [option for option, count in Counter(options).items() if count > 1]
    if repeated:
        _refuse(
            f"{repeated[0]} is given more than once. Give it once, with all its values behind it: "
            f"{repeated[0]} VALUE VALUE."
        )


def _require_no_file_like_an_option(arguments: Sequence[str]) -> None:
    """Refuse the name of a file that the parser would take for an option, as ``-a.jpg``; options are none."""
    for word in itertools.takewhile(lambda word: word != "--", arguments):
        if word.startswith("-") and not _OPTION.fullmatch(word) and os.path.exists(word):
            _refuse(f"{word} is taken for an option. If the file of that name is meant, write ./{word}")


def _require_no_empty_value(arguments: Sequence[str]) -> None:
    """Refuse an empty value of an option, which as a path would be the current folder; sources say it."""
    option = ""
    for word in itertools.takewhile(lambda word: word != "--", arguments):
        name, is_given, value = word.partition("=")
        option = name if name.startswith("--") else option
        is_empty = is_given and not value if word.startswith("--") else not word
        if option and is_empty:
            _refuse(
                f"{option} has an empty value, perhaps that of a variable that is not set. Give it one, or "
                f"leave {option} out."
            )


def _parse(given: Sequence[str]) -> Any:
    """The command with its options, or its help and an exit."""
    commands, name, rest = COMMANDS, "halfsmile", list(given)
    about = (
        "Facial-expression recognition from a few labeled faces and many unlabeled ones. halfsmile COMMAND "
        "--help explains a command, halfsmile --version says which version this is."
    )
    while rest and rest[0] in commands:
        word = rest.pop(0)
        name, about = f"{name} {word}", _about(commands[word])
        if word not in ACTIONS:
            return tyro.cli(
                commands[word], prog=name, description=about, args=rest, config=_OPTIONS, registry=REGISTRY
            )
        commands = ACTIONS[word]
    choices = tuple(
        Annotated[command, tyro.conf.subcommand(word, description=_about(command).partition("\n\n")[0])]
        for word, command in commands.items()
    )
    one: Any = Union[choices]  # noqa: UP007 # of what is known when it runs
    return tyro.cli(one, prog=name, description=about, args=rest or ["--help"], config=_OPTIONS)


_OPTION = re.compile(r"-|-h|--[a-z][a-z0-9-]*(=.*)?", re.DOTALL)
_OPTIONS = (tyro.conf.FlagCreatePairsOff,)
"""``--resume`` alone, without a ``--no-resume`` that changes nothing."""


def _about(command: type) -> str:
    """What a command's docstring says before its arguments, a line for each paragraph."""
    text = (inspect.getdoc(command) or "").partition("\n\nArgs:")[0]
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


class _Help(io.TextIOWrapper):
    """Help on its way to the terminal, whose lines outside of boxes are as long as their paragraphs.

    Encoded as the terminal wants it, which says whether boxes are drawn with lines.
    """

    def __init__(self) -> None:
        self._kept = io.BytesIO()
        encoding = getattr(sys.__stdout__, "encoding", None) or "utf-8"
        super().__init__(self._kept, encoding=encoding, errors="replace", newline="\n")

    def isatty(self) -> bool:
        """Whether colors are seen."""
        return sys.__stdout__ is not None and sys.__stdout__.isatty()

    def wrapped(self) -> str:
        """No line longer than the terminal is wide."""
        self.flush()
        width = max(shutil.get_terminal_size().columns, 20)
        lines = [
            line.replace(",", ", ") if line.startswith("usage:") else line
            for line in self._kept.getvalue().decode(self.encoding).splitlines()
        ]
        return "\n".join(
            line
            if line[:1] in " ╭│╰"
            else textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)
            for line in lines
        )


def _run(arguments: list[str] | None) -> None:
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["--version"]:
        print(f"halfsmile {__version__}")
        return
    _require_each_option_once(given)
    _require_no_file_like_an_option(given)
    _require_no_empty_value(given)
    text = _Help()
    try:
        with redirect_stdout(text):
            command = _parse(given)
    except SystemExit:
        if said := text.wrapped():
            print(said)
        if given[:1] == ["train"] and {"-h", "--help"} & set(given):
            explain(given)
        raise
    try:
        command.run()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "halfsmile":
            raise
        extra = getattr(command, "extra", "train")
        _refuse(f"{error.name} is not installed; this command needs it: pip install 'halfsmile[{extra}]'")
    except BrokenPipeError:
        raise
    except (ValueError, OSError) as error:
        _refuse(str(error))
    except (KeyboardInterrupt, StopRequestedError) as error:
        after = getattr(command, "after_stop", "Run the same command again to go on.")
        make_console(stderr=True).print(f"{str(error) or 'Stopped.'} {after}".rstrip())
        sys.exit(130)
