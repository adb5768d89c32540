"""The reference of the site has every public module of the package, each on a page of its own."""

from __future__ import annotations

from pathlib import Path

from docs.hooks.reference import PACKAGE, Nav, public_modules, reference_nav, reference_pages


def flat(nav: Nav) -> list[str]:
    """The pages of a navigation, in order."""
    pages = []
    for entry in nav:
        for below in [entry] if isinstance(entry, str) else entry.values():
            pages += [below] if isinstance(below, str) else flat(below)
    return pages


def modules_in_the_package() -> set[str]:
    """Counted in another way than the reference does: file by file, from the path."""
    names = set()
    for path in PACKAGE.glob("**/*.py"):
        name = (
            str(path.relative_to(PACKAGE.parent))[: -len(".py")].replace("/", ".").removesuffix(".__init__")
        )
        if "._" not in name:
            names.add(name)
    return names


def test_every_public_module_has_a_page_that_documents_it() -> None:
    pages = reference_pages()
    documented = {text.split("::: ")[1].strip() for text in pages.values()}
    assert documented == modules_in_the_package()
    assert len(pages) == len(documented)
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert {f"reference/{room}/index.md" for room in rooms} <= set(pages)


def test_the_navigation_leads_to_every_page_once() -> None:
    pages = flat(reference_nav())
    assert sorted(pages) == sorted(reference_pages())
    assert pages[0] == "reference/index.md"


def test_private_modules_are_left_out(tmp_path: Path) -> None:
    package = tmp_path / "parcel"
    for name in ("__init__.py", "__main__.py", "_hidden.py", "box.py", "_inner/deep.py", "room/__init__.py"):
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert list(public_modules(package)) == ["parcel", "parcel.box", "parcel.room"]
    assert set(reference_pages(package)) == {
        "reference/index.md",
        "reference/box.md",
        "reference/room/index.md",
    }
    assert reference_nav(package) == [
        "reference/index.md",
        {"box": "reference/box.md"},
        {"room": ["reference/room/index.md"]},
    ]
