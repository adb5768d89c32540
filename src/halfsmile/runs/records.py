"""Reading ``metrics.jsonl``: one record a line, a JSON object with ``step``, ``epoch`` and ``seconds``.

The file can be read while training appends to it, and after a stop that left half of a last line.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RECORDS = "metrics.jsonl"
KEYS = ("step", "epoch", "seconds")
"""Numbers that every record has: optimizer steps done, passes over the data, and seconds of training."""


@dataclass(frozen=True)
class Records:
    """What a stage logged.

    Args:
        lines: The records, in order of step.
        note: What of the file was left out, for people; None if nothing was.
    """

    lines: tuple[dict[str, Any], ...] = ()
    note: str | None = None

    @property
    def seconds(self) -> float:
        """Training time until the last record."""
        return float(max((line["seconds"] for line in self.lines), default=0.0))

    @property
    def epochs(self) -> float:
        """Passes over the data until the last record."""
        return float(self.lines[-1]["epoch"]) if self.lines else 0.0


def read_records(path: Path) -> Records:
    """Read a metrics file; blank lines are none, and no file has no records.

    Writing a line can be cut short, by a stop or a full disk, so a last line that is no JSON and has no line
    break is left out, and :attr:`Records.note` says so.

    Raises:
        ValueError: If any other line is broken, with its number and what to do.
    """
    if not path.exists():
        return Records()
    *ended, rest = path.read_bytes().decode("utf-8", errors="replace").split("\n")
    lines, note = [], None
    for number, line in enumerate([*ended, rest], start=1):
        if not line.strip():
            continue
        try:
            lines.append(_record(line))
        except json.JSONDecodeError as error:
            if number <= len(ended):
                raise _broken(path, number, f"is not valid JSON ({error})", line) from error
            note = f"{path}, line {number}, the last one, was cut short and is left out."
        except ValueError as error:
            raise _broken(path, number, str(error), line) from error
    return Records(tuple(sorted(lines, key=lambda line: int(line["step"]))), note)


def _record(line: str) -> dict[str, Any]:
    value = json.loads(line)
    if not isinstance(value, dict) or not all(_is_number(value.get(key)) for key in KEYS):
        raise ValueError(f"is not an object with the numbers {', '.join(KEYS)}")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _broken(path: Path, number: int, problem: str, line: str) -> ValueError:
    return ValueError(
        f"{path}, line {number} {problem}: {line[:80]!r}. Bring back the file that training wrote, or remove "
        "this line: the training curves lose it, the weights do not depend on it."
    )
