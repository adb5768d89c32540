"""Names are printed as they are, whatever brackets they hold."""

from __future__ import annotations

import io

from rich.console import Console
from rich.table import Table

from halfsmile.utils.console import make_console, plain


def test_brackets_in_names_are_no_markup() -> None:
    console = make_console()
    with console.capture() as shown:
        console.print("x[/b].jpg [red]y")
    assert shown.get() == "x[/b].jpg [red]y\n"


def test_plain_cells_survive_a_console_that_reads_markup() -> None:
    file, table = io.StringIO(), Table()
    table.add_row(*plain(("[/b]", "[red]x")))
    Console(file=file, width=60).print(table)
    assert "[/b]" in file.getvalue()
    assert "[red]x" in file.getvalue()
