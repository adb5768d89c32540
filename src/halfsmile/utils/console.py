"""Where text for people goes: names of files and classes are printed as they are, never read as markup."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text


def make_console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """A console on standard output, or on standard error."""
    return Console(stderr=stderr, quiet=quiet, markup=False, highlight=False)


def plain(cells: Iterable[str]) -> list[Text]:
    """Cells of a table that any console prints as they are, in several lines rather than cut."""
    return [Text(cell, overflow="fold") for cell in cells]


def silence_opencv() -> None:
    """Keep OpenCV from writing about damaged pictures and missing cameras: what was read is told anyway."""
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
