"""The rooms of the package and the arrows between them, read from the imports.

``python -m tests.rooms`` prints the picture that stands in CONTRIBUTING.md.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "halfsmile"
_ROW = re.compile(r"^\| `(?P<name>\w+)(?:/|\.py)` \|[^|]*\|(?P<torch>[^|]*)\|$", re.MULTILINE)


@dataclass(frozen=True)
class Room:
    """A row of the table in CONTRIBUTING.

    Args:
        name: Folder or module of the package.
        is_light: Whether it imports without torch.
    """

    name: str
    is_light: bool


def table() -> list[Room]:
    """The rooms as CONTRIBUTING.md lists them, lowest first."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return [Room(row["name"], row["torch"].strip() == "no") for row in _ROW.finditer(text)]


def modules() -> list[Path]:
    """All modules of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def room_of(module: Path) -> str:
    """The room of a module; that of ``__init__.py`` and ``__main__.py`` is the door."""
    first = module.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "door" if first.startswith("__") else first


def imports(module: Path) -> Iterator[tuple[int, str]]:
    """Line and room of every import from another room, those within functions and for types included."""
    own = room_of(module)
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        for name in _imported(node):
            parts = name.split(".")
            if parts[0] == "halfsmile" and len(parts) > 1 and parts[1] != own and parts[1] != "__version__":
                yield node.lineno, parts[1]  # type: ignore[attr-defined]


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module == "halfsmile":
        return [f"halfsmile.{alias.name}" for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []


def arrows() -> set[tuple[str, str]]:
    """Which room imports which."""
    return {(room_of(module), room) for module in modules() for _, room in imports(module)}


def picture() -> str:
    """The rooms as a Mermaid diagram; arrows that follow from others are left out."""
    rooms = [room.name for room in table()]
    found = {(a, b) for a, b in arrows() if a in rooms and b in rooms}
    below = {room: {b for a, b in found if a == room} for room in rooms}
    reached: dict[str, set[str]] = {}
    for room in rooms:  # lowest first, so what is below is known already
        reached[room] = set().union(below[room], *(reached.get(b, set()) for b in below[room]))
    lines = ["```mermaid", "flowchart BT"]
    for room in rooms:
        direct = [b for b in rooms if b in below[room]]
        lines += [f"    {room} --> {b}" for b in direct if not any(b in reached[c] for c in direct if c != b)]
    return "\n".join([*lines, "```"])


if __name__ == "__main__":
    print(picture())
