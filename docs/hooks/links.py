"""What reads well in a repository browser, made to read well on the site too.

Pages that lie elsewhere in the repository join the site, links to other files of the repository lead to its
browser, and modules that a text names lead to their page of the reference.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
INCLUDED = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "src/halfsmile/predict/models/CARD.md": "model_card.md",
}
COPIED = {"src/halfsmile/serve/static/icon.svg": "images/icon.svg"}

_LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#|<)([^)\s#]+)(#[^)\s]*)?(?=\))")
_CODE = re.compile(r"(?<![\[`])`(halfsmile(?:\.\w+)+|[\w/]+\.py)`(?![`\]])")
_FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what lies outside the folder of the docs."""
    from mkdocs.structure.files import File

    for source, path in {**INCLUDED, **COPIED}.items():
        files.append(File.generated(config, path, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Mend the links of a page, and link the modules it names."""
    path = page.file.src_uri
    if path.startswith("reference/"):
        return markdown
    sources = {included: source for source, included in INCLUDED.items()}
    place = posixpath.dirname(sources.get(path, f"docs/{path}"))
    modules = {file.src_uri for file in files.documentation_pages() if file.src_uri.startswith("reference/")}
    parts = _FENCE.split(markdown)
    for i in range(0, len(parts), 2):
        parts[i] = mended_links(parts[i], place, posixpath.dirname(path), config.repo_url or "")
        parts[i] = linked_modules(parts[i], modules)
    return "".join(parts)


def mended_links(text: str, place: str, page_place: str, repository: str) -> str:
    """Links of a text that lies in the folder ``place`` of the repository, for a page in ``page_place``.

    Example:
        >>> mended_links("[a](docs/guide.md#compare), [b](Makefile)", "", "", "https://host/repo")
        '[a](guide.md#compare), [b](https://host/repo/blob/main/Makefile)'
    """

    def mended(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(place, match[1]))
        anchor = match[2] or ""
        if target.startswith("docs/"):
            return posixpath.relpath(target.removeprefix("docs/"), page_place or ".") + anchor
        if target in INCLUDED:
            return posixpath.relpath(INCLUDED[target], page_place or ".") + anchor
        return f"{repository}/blob/main/{target}{anchor}"

    return _LINK.sub(mended, text)


def linked_modules(text: str, pages: set[str]) -> str:
    """Modules, files and names of the package in a text, as links to the reference; headings stay.

    Example:
        >>> linked_modules("`halfsmile.taxonomy` and `data/split.py`", {"reference/taxonomy.md"})
        '[`halfsmile.taxonomy`][halfsmile.taxonomy] and `data/split.py`'
    """

    def linked(match: re.Match[str]) -> str:
        parts = match[1].removesuffix(".py").replace("/", ".").removeprefix("halfsmile.").split(".")
        modules = [parts] if match[1].endswith(".py") else [parts, parts[:-1]]
        places = {"/".join(["reference", *module]) for module in modules if module}
        is_there = any(f"{place}.md" in pages or f"{place}/index.md" in pages for place in places)
        return f"[{match[0]}][{'.'.join(['halfsmile', *parts])}]" if is_there else match[0]

    lines = text.split("\n")
    return "\n".join(line if line.startswith("#") else _CODE.sub(linked, line) for line in lines)
