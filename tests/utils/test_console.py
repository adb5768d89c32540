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


def test_a_name_that_is_wider_than_its_column_is_folded_and_not_cut() -> None:
    file, table, name = io.StringIO(), Table("class", "faces"), "a_class_of_a_very_long_name_without_blanks"
    table.add_row(*plain((name, "1")))
    Console(file=file, width=30).print(table)
    assert "…" not in file.getvalue()
    parts = [line.split("│")[1].strip() for line in file.getvalue().splitlines() if line.count("│") == 3]
    assert "".join(parts) == name
