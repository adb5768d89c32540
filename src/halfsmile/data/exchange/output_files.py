"""Files that ``halfsmile data`` writes: what their names end in, and which existing files they may replace.

Only a file that the same command wrote there before is replaced, as far as its contents tell that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from halfsmile.data.manifest import SCHEMA
from halfsmile.data.split import is_budget
from halfsmile.utils.files import read_json

_TAIL = 4096


@dataclass(frozen=True)
class OutputFile:
    """A kind of file.

    Args:
        what: With its article.
        suffix: That its name ends in.
        is_ours: Whether an existing file is of this kind, and holds nothing but what was written.
        reason: Why an existing file is not replaced.
    """

    what: str
    suffix: str
    is_ours: Callable[[Path], bool]
    reason: str


def _is_list(path: Path) -> bool:
    """Whether a file is one that :meth:`~halfsmile.data.manifest.Manifest.save` wrote."""
    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowException):
        return False
    return b"halfsmile.labels" in (schema.metadata or {}) and schema.equals(SCHEMA)


def _is_page(path: Path) -> bool:
    from halfsmile.data.check.page import MADE_BY

    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - _TAIL, 0))
        return MADE_BY.encode() in file.read()


def _are_counts(path: Path) -> bool:
    try:
        found = read_json(path)
    except ValueError:
        return False
    return isinstance(found, dict) and found.keys() >= {"faces", "per_split", "per_class", "measures"}


LIST = OutputFile("a list (a manifest)", ".parquet", _is_list, "is no list that halfsmile wrote")
BUDGET = OutputFile("a label budget", ".parquet", is_budget, "is no label budget that halfsmile wrote")
PAGE = OutputFile("a page", ".html", _is_page, "is no page that `halfsmile data check` wrote")
COUNTS = OutputFile("a file of counts", ".json", _are_counts, "is no file that `halfsmile data stats` wrote")
TABLE = OutputFile("a table", ".csv", lambda path: False, "may hold what somebody has typed into it")
"""Never replaced: a table that was edited can't be told from one that was only written."""


def require_output(path: Path, kind: OutputFile, option: str = "--out") -> None:
    """Refuse the name of a file to write, before anything is done for it.

    Args:
        path: Where it shall be written; an empty file there is nothing to lose.
        kind: What is written.
        option: That the name was given by.

    Raises:
        ValueError: If the name ends in something else, or there is a folder, or a file of another kind.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder, and {kind.what} is a file: give {option} NAME{kind.suffix}.")
    if path.suffix.lower() != kind.suffix:
        raise ValueError(
            f"{kind.what.capitalize()} is written as {kind.suffix}, found {path}: give {option} "
            f"{path.with_suffix(kind.suffix)}."
        )
    if path.exists() and path.stat().st_size and not kind.is_ours(path):
        raise ValueError(f"{path} is there already and {kind.reason}: give another {option}, or remove it.")


def require_output_folder(path: Path, names: list[str], kind: OutputFile) -> None:
    """Refuse the folder of several files of one kind, before anything is done for them.

    Raises:
        ValueError: If its name ends as a file's, it is a file, or a file in it is of another kind.
    """
    path = Path(path)
    if path.suffix[1:].isalpha():
        raise ValueError(
            f"A folder is written, not one file, found {path}: give --out {path.with_suffix('')}."
        )
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} is a file, and a folder is to be written: give another --out.")
    for name in names:
        require_output(path / name, kind)
