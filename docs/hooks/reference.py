"""The reference: a page for every module of the package that is not private, made while the site is built.

The sources are read, never imported, so neither torch nor any other dependency is needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

PACKAGE = Path(__file__).parents[2] / "src" / "halfsmile"
PLACE = "reference/"  # the entry of the navigation in mkdocs.yml that is filled
Nav = list["str | dict[str, str | Nav]"]


def public_modules(package: Path = PACKAGE) -> dict[str, Path]:
    """Dotted names of the package and all its public modules, with their files, in alphabetical order."""
    found = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package.parent).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if not any(part.startswith("_") for part in parts):
            found[".".join(parts)] = path
    return dict(sorted(found.items()))


def page_path(name: str, path: Path) -> str:
    """Where the page of a module is, below the folder of the docs."""
    parts = ["reference", *name.split(".")[1:]]
    return "/".join([*parts, "index.md"]) if path.name == "__init__.py" else "/".join(parts) + ".md"


def reference_pages(package: Path = PACKAGE) -> dict[str, str]:
    """Path and Markdown of each page."""
    return {
        page_path(name, path): f"---\ntitle: {name.rpartition('.')[2]}\n---\n\n::: {name}\n"
        for name, path in public_modules(package).items()
    }


def reference_nav(package: Path = PACKAGE) -> Nav:
    """The navigation of the reference: a section for each package, its own page first."""

    def section(name: str) -> Nav:
        entries: Nav = [page_path(name, modules[name])]
        for child in modules:
            if child.rpartition(".")[0] == name:
                title = child.rpartition(".")[2]
                is_package = modules[child].name == "__init__.py"
                entries.append({title: section(child) if is_package else page_path(child, modules[child])})
        return entries

    modules = public_modules(package)
    return section(package.name)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the navigation of the reference where mkdocs.yml has its place."""
    nav = config.nav or []
    config.nav = [{"Reference": reference_nav()} if entry == {"Reference": PLACE} else entry for entry in nav]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    from mkdocs.structure.files import File

    for path, content in reference_pages().items():
        files.append(File.generated(config, path, content=content))
    return files
