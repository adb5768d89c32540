"""The names of classes in ``data.yaml``, without a YAML library."""

from __future__ import annotations

import re

_ITEM = re.compile(r"\s*(?:-|\d+\s*:)\s*(.+)")


def names_in_yaml(text: str) -> list[str]:
    """The list behind ``names:``, in one line or one name a line.

    Example:
        >>> names_in_yaml("names: ['happy', 'sad']")
        ['happy', 'sad']
    """
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith("names:")), None)
    if start is None:
        return []
    rest = lines[start].partition(":")[2].strip()
    if rest:
        while rest.count("[") > rest.count("]") and start + 1 < len(lines):
            start += 1
            rest += lines[start]
        items = rest.strip("[]{} ").split(",")
        return [item.rpartition(":")[2].strip().strip("'\"") for item in items if item.strip()]
    found = []
    for line in lines[start + 1 :]:
        if line.strip() and not (match := _ITEM.fullmatch(line)):
            break
        if line.strip() and match:
            found.append(match[1].strip().strip("'\""))
    return found
