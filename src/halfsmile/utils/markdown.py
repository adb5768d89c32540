"""Tables as GitHub-flavored Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: bool = True) -> str:
    """A table without a line break at its end; short rows are filled up, bars in cells are escaped.

    Args:
        header: Heads of the columns.
        rows: Cells of each row.
        right: Align all columns but the first to the right, as numbers are.

    Example:
        >>> print(markdown_table(["label", "faces"], [["fear", "3"], ["none"]]))
        | label | faces |
        | --- | ---: |
        | fear | 3 |
        | none |  |
    """
    rule = ["---", *["---:" if right else "---"] * (len(header) - 1)]
    filled = [[*row, *[""] * (len(header) - len(row))] for row in rows]
    lines = [list(header), rule, *filled]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
