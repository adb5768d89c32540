"""The rooms of the package and the arrows between them, read from the imports.

``python -m tests.rooms`` draws the picture that stands in CONTRIBUTING.md.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "halfsmile"
PICTURE = ROOT / "docs" / "images" / "rooms.svg"
WIDTH, GAP = 290, 36
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


def direct_arrows() -> dict[str, list[str]]:
    """Rooms that each room imports from, lowest first, without those that follow from others."""
    rooms = [room.name for room in table()]
    found = {(a, b) for a, b in arrows() if a in rooms and b in rooms}
    below = {room: {b for a, b in found if a == room} for room in rooms}
    reached: dict[str, set[str]] = {}
    for room in rooms:  # lowest first, so what is below is known already
        reached[room] = set().union(below[room], *(reached.get(b, set()) for b in below[room]))
    return {
        room: [b for b in rooms if b in below[room] and not any(b in reached[c] for c in below[room] - {b})]
        for room in rooms
    }


def picture() -> str:
    """The rooms in the order of the table, each with arcs to the rooms that it imports from, as SVG."""
    direct = direct_arrows()
    light = {room.name for room in table() if room.is_light}
    y = {room: GAP * i + GAP // 2 for i, room in enumerate(direct)}
    boxes, arcs = [], []
    for room, below in direct.items():
        color = "#ffffff" if room in light else "#f3d9b1"
        boxes.append(f'<rect x="10" y="{y[room] - 12}" width="100" height="24" rx="5" fill="{color}"/>')
        boxes.append(f'<text x="60" y="{y[room] + 5}" stroke="none">{room}</text>')
        for other in below:
            start, end = y[room] - 5, y[other] + 5
            bend = 112 + (start - end) // 2 + 12
            arcs.append(f'<path d="M110 {start} C{bend} {start} {bend} {end} 114 {end}"/>')
    height = GAP * len(direct)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" \
font-family="sans-serif" font-size="14" text-anchor="middle">
<title>Rooms of the package; each arc leads to a room that is imported from</title>
<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0 0 L8 4 L0 8 z" fill="#57707c"/></marker>
<rect width="{WIDTH}" height="{height}" fill="#f9f8f4"/>
<g stroke="#57707c">
{chr(10).join(boxes)}
</g>
<g stroke="#57707c" fill="none">
{chr(10).join(arc.replace('"/>', '" marker-end="url(#tip)"/>') for arc in arcs)}
</g>
</svg>
"""


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
