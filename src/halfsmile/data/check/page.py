"""A check as one self-contained page: what was found, and faces to inspect."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from halfsmile.data.check.run import Check
from halfsmile.data.check.subject import Finding
from halfsmile.data.decode import BadImageError, read_image
from halfsmile.data.manifest import Manifest
from halfsmile.data.preprocess import Image, preprocess
from halfsmile.utils import page
from halfsmile.utils.files import atomic_write

PER_CLASS = 24
GROUPS = 8
_PER_GROUP = 4
_TILE = 96
_LISTED = 20
MADE_BY = "Made by halfsmile data check."
"""What every page says at its end."""
Item = TypeVar("Item")
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 85)


def write_page(check: Check, path: Path) -> Path:
    """Write the page; it holds pictures of the data set, so keep it where the data set may be.

    Args:
        check: What was found.
        path: The HTML file.

    Returns:
        The path.

    Raises:
        OSError: If it can't be written.
    """
    name = check.path.name or str(check.path)
    body = [
        page.Html(f'<p class="eyebrow">Data check</p><h1>{escape(name)}</h1>'),
        page.paragraph(check.verdict, "lead"),
        page.definitions([*check.facts(), *(("note", note) for note in check.manifest.notes)]),
        *_counts(check),
        *_findings("wrong", "What is wrong", check.problems, check),
        *_findings("know", "What to know", [f for f in check.findings if not f.is_problem], check),
        *_classes(check),
        page.Html(f"<footer>{MADE_BY} Labels are apparent expressions.</footer>"),
    ]
    with atomic_write(path) as temporary:
        temporary.write_text(page.page(f"Data check: {name}", "\n".join(body)), encoding="utf-8")
    return Path(path)


def _counts(check: Check) -> list[page.Html]:
    if check.manifest.taxonomy is None:
        return []
    header, rows = check.stats.counts()
    return [page.section("counts", "Faces per class", page.table(header, rows))]


def _findings(anchor: str, heading: str, findings: Sequence[Finding], check: Check) -> list[page.Html]:
    if not findings:
        return []
    parts = []
    for finding in findings:
        listed = [*finding.examples[:_LISTED]]
        if len(finding.examples) > _LISTED:
            listed.append(f"… and {len(finding.examples) - _LISTED:,} more")
        items = "".join(f"<li>{escape(example)}</li>" for example in listed)
        parts.append(f'<h3 class="apart">{escape(finding.what)}</h3>')
        parts.append(page.paragraph(_code(finding.mend)))
        parts += _groups(finding, check.manifest)
        if items:
            parts.append(page.details("Which", page.Html(f"<ul>{items}</ul>")))
    return [page.section(anchor, heading, *parts)]


def _groups(finding: Finding, manifest: Manifest) -> list[page.Html]:
    """Pictures of some rows or groups, spread evenly over all of them."""
    if not finding.rows:
        return []
    chosen = _spread(finding.rows, GROUPS if len(finding.rows[0]) > 1 else PER_CLASS)
    cards, singles = [], []
    labels, splits = manifest.column("label"), manifest.column("split")
    for group in chosen:
        rows = _across(group, splits)[:_PER_GROUP]
        tiles = _tiles(manifest, rows)
        if len(group) == 1:
            singles += tiles
        elif tiles:
            said = [" ".join(filter(None, (splits[row], labels[row]))) for row in rows]
            cards.append(page.figure(_sheet(tiles, "copies"), ", ".join(filter(None, said))))
    if singles:
        return [page.figure(_sheet(singles, "pictures"))]
    return [page.grid(*cards, kind="four")] if cards else []


def _classes(check: Check) -> list[page.Html]:
    """Contact sheets."""
    if check.pictures is None:
        return []
    manifest, readable = check.manifest, check.pictures.rows.tolist()
    labels = manifest.column("label")
    names = [*(manifest.taxonomy.labels if manifest.taxonomy else ()), None]
    figures = []
    for name in names:
        rows = [row for row in readable if labels[row] == name]
        tiles = _tiles(manifest, _spread(rows, PER_CLASS))
        if tiles:
            caption = f"{len(tiles)} of {page.plural(len(rows), 'face')}, spread evenly over the list"
            title = name or ("no label" if manifest.taxonomy else "")
            figure = page.figure(_sheet(tiles, title or "faces"), caption, title)
            figures.append(page.Html(f'<div style="margin-bottom:28px">{figure}</div>'))
    return [page.section("faces", "Faces to inspect", *figures)] if figures else []


def _code(text: str) -> page.Html:
    """HTML of a text whose commands stand between backticks."""
    return page.Html(re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text)))


def _tiles(manifest: Manifest, rows: Sequence[int]) -> list[Image]:
    images = manifest.table["image"].take(np.array(rows, np.int64)).to_pylist() if rows else []
    tiles = []
    for image in images:
        try:
            tiles.append(preprocess(read_image(manifest.root, image), _TILE, 3))
        except BadImageError:
            continue
    return tiles


def _sheet(tiles: Sequence[Image], description: str) -> page.Html:
    """Tiles as one picture that wraps with the page: each an image of its own."""
    shown = []
    for tile in tiles:
        data = cv2.imencode(".jpg", cv2.cvtColor(tile, cv2.COLOR_RGB2BGR), _JPEG)[1].tobytes()
        source = base64.b64encode(data).decode("ascii")
        shown.append(f'<img width="{_TILE}" height="{_TILE}" src="data:image/jpeg;base64,{source}" alt="">')
    style = "display:flex;flex-wrap:wrap;gap:6px"
    return page.Html(
        f'<div role="img" aria-label="{escape(description)}" style="{style}">{"".join(shown)}</div>'
    )


def _across(group: Sequence[int], splits: Sequence[str | None]) -> list[int]:
    """The rows of a group, one of each split first."""
    firsts = {splits[row]: row for row in reversed(group)}
    return [*sorted(firsts.values()), *(row for row in group if row not in firsts.values())]


def _spread(items: Sequence[Item], number: int) -> list[Item]:
    """At most so many items, evenly spread."""
    places = np.linspace(0, len(items) - 1, min(number, len(items))).round().astype(int)
    return [items[place] for place in places.tolist()]
