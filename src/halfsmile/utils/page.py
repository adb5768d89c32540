"""Self-contained HTML pages: one file, no script, nothing fetched, light and dark."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

from halfsmile.utils.percent import percent

STYLE = Path(__file__).with_name("page.css")


class Html(str):
    """Text that is HTML already; everything else is escaped on its way into a page."""

    __slots__ = ()


def html(value: object) -> Html:
    """HTML of a value: unchanged if it is HTML already, else its text escaped.

    Example:
        >>> html("a < b")
        'a &lt; b'
        >>> html(html("a < b"))
        'a &lt; b'
    """
    return value if isinstance(value, Html) else Html(escape(str(value)))


def page(title: str, body: str) -> str:
    """A whole page around a body of HTML."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>\n{STYLE.read_text(encoding='utf-8')}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def section(anchor: str, heading: str, *parts: str) -> Html:
    """A section with a heading that can be linked to; the parts are HTML."""
    return Html(f'<section id="{anchor}">\n<h2>{escape(heading)}</h2>\n' + "\n".join(parts) + "\n</section>")


def paragraph(text: object, kind: str = "") -> Html:
    """A paragraph; ``kind`` is ``lead``, ``quiet`` or nothing."""
    attribute = f' class="{kind}"' if kind else ""
    return Html(f"<p{attribute}>{html(text)}</p>")


def table(header: Sequence[object], rows: Sequence[Sequence[object]], *, caption: str = "") -> Html:
    """A table that scrolls sideways in a narrow window. The first column is text, the others are numbers."""
    head = "".join(f'<th scope="col">{html(cell)}</th>' for cell in header)
    body = "\n".join("<tr>" + "".join(f"<td>{html(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    below = paragraph(caption, "quiet") if caption else ""
    return Html(
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>{below}"
    )


def definitions(pairs: Sequence[tuple[object, object]], *, short: bool = False) -> Html:
    """Names and what they stand for; ``short`` values stay beside their names in a narrow window."""
    kind = ' class="short"' if short else ""
    return Html(f"<dl{kind}>" + "".join(f"<dt>{html(a)}</dt><dd>{html(b)}</dd>" for a, b in pairs) + "</dl>")


def details(summary: str, *parts: str) -> Html:
    """Parts that are folded away until the reader opens them."""
    return Html(f"<details><summary>{escape(summary)}</summary>\n" + "\n".join(parts) + "\n</details>")


def grid(*cards: str, kind: str = "") -> Html:
    """Cards side by side as far as there is room; ``kind`` is ``three``, ``four`` or nothing (two)."""
    inner = "\n".join(f'<div class="card">{card}</div>' for card in cards)
    return Html(f'<div class="{f"grid {kind}".strip()}">\n{inner}\n</div>')


def figure(content: str, caption: object = "", heading: str = "") -> Html:
    """A chart or picture with a heading above and a caption below."""
    above = f"<h3>{escape(heading)}</h3>" if heading else ""
    below = f"<figcaption>{html(caption)}</figcaption>" if caption else ""
    return Html(f"<figure>{above}{content}{below}</figure>")


def picture(png: Path | bytes, description: str) -> Html:
    """A PNG file, or its bytes, as an inline image.

    One of 800 pixels or more fills the page, and scrolls on a phone.
    """
    content = png if isinstance(png, bytes) else png.read_bytes()
    width = int.from_bytes(content[16:20], "big")
    kind = ' class="wide"' if width >= 800 else ""
    data = base64.b64encode(content).decode("ascii")
    image = f'<img{kind} src="data:image/png;base64,{data}" alt="{escape(description)}">'
    return Html(f'<div class="scroll">{image}</div>')


def bar(share: float) -> Html:
    """A share in [0, 1] as per cent above a thin bar."""
    return Html(f'{percent(share)}<span class="bar"><i style="width:{100 * share:.1f}%"></i></span>')


def plural(count: int, noun: str) -> str:
    """A count with its noun.

    Example:
        >>> plural(1, "face"), plural(2500, "face")
        ('1 face', '2,500 faces')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def duration(seconds: float) -> str:
    """A time span in the largest fitting units.

    Example:
        >>> duration(42), duration(600), duration(9000)
        ('42 s', '10 min', '2 h 30 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
