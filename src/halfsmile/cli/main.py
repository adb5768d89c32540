"""The command line: finds the command, runs it, and turns what goes wrong into one clear message."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import tyro

from halfsmile import __version__
from halfsmile.cli.abaw import Abaw
from halfsmile.cli.data import Data
from halfsmile.cli.demo import Demo
from halfsmile.cli.evaluate import Compare, Evaluate, Report
from halfsmile.cli.export import ExportRun
from halfsmile.cli.label import Label
from halfsmile.cli.predict import Predict
from halfsmile.cli.pseudo_label import PseudoLabel
from halfsmile.cli.serve import Serve
from halfsmile.cli.train import Train, explain
from halfsmile.utils.console import make_console
from halfsmile.utils.errors import StopRequestedError

COMMANDS: dict[str, Any] = {
    "demo": Demo,
    "data": Data,
    "train": Train,
    "evaluate": Evaluate,
    "report": Report,
    "compare": Compare,
    "export": ExportRun,
    "predict": Predict,
    "pseudo-label": PseudoLabel,
    "serve": Serve,
    "label": Label,
    "abaw": Abaw,
}


def main(arguments: list[str] | None = None) -> None:
    """Run a command; mistakes end in one message and exit status 1, a stop on request in 130.

    A reader that goes away, as in ``halfsmile … | head``, ends it without a word.
    """
    try:
        _run(arguments)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the last flush would fail, too
        sys.exit(141)


def _require_each_option_once(arguments: Sequence[str]) -> None:
    """Refuse a repeated option: the parser keeps the last one, and what stands behind the first is lost."""
    options = [word.partition("=")[0] for word in arguments if word.startswith("--") and word != "--"]
    repeated = [option for option, count in Counter(options).items() if count > 1]
    if repeated:
        make_console(stderr=True).print(
            f"error: {repeated[0]} is given more than once. Give it once, with all its values behind it: "
            f"{repeated[0]} VALUE VALUE.",
            style="red",
            soft_wrap=True,
        )
        sys.exit(1)


def _run(arguments: list[str] | None) -> None:
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["--version"]:
        print(f"halfsmile {__version__}")
        return
    _require_each_option_once(given)
    try:
        command = tyro.extras.subcommand_cli_from_dict(
            COMMANDS,
            prog="halfsmile",
            description="Facial-expression recognition from a few labeled faces and many unlabeled ones. "
            "halfsmile COMMAND --help explains a command, halfsmile --version says which version this is.",
            args=arguments,
        )
    except SystemExit:
        if given[:1] == ["train"] and {"-h", "--help"} & set(given):
            explain(given)
        raise
    console = make_console(stderr=True)
    try:
        command.run()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "halfsmile":
            raise
        extra = getattr(command, "extra", "train")
        message = f"{error.name} is not installed; this command needs it: pip install 'halfsmile[{extra}]'"
        console.print(f"error: {message}", style="red", soft_wrap=True)
        sys.exit(1)
    except BrokenPipeError:
        raise
    except (ValueError, OSError) as error:
        console.print(f"error: {error}", style="red", soft_wrap=True)
        sys.exit(1)
    except (KeyboardInterrupt, StopRequestedError) as error:
        after = getattr(command, "after_stop", "Run the same command again to go on.")
        console.print(f"{str(error) or 'Stopped.'} {after}".rstrip())
        sys.exit(130)
