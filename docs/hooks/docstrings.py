"""Docstrings made ready for the site: cross references become links, examples become code.

``:func:`name``` is looked up where the docstring stands: in its class, its module, or as a full name.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):`(~?)([\w.]+)`")
_EXAMPLE = re.compile(r"^(\s*)Example:$", re.MULTILINE)
_log = griffe.get_logger("griffe.docstrings")


class Docstrings(griffe.Extension):
    """Rewrites every docstring of a package; a reference that leads nowhere is a warning."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Go through a package when it is loaded."""
        for thing in _things(pkg):
            if thing.docstring is not None:
                thing.docstring.value = prepared(thing.docstring.value, thing, pkg)
        for thing in _things(pkg):
            if thing.is_class:
                _hide_fields(thing)


def prepared(text: str, thing: griffe.Object, package: griffe.Module) -> str:
    """The text of a docstring, with links for references and its examples as a section of code."""

    def linked(match: re.Match[str]) -> str:
        short, name = match.groups()
        shown = name.rpartition(".")[2] if short else name
        path = resolve(name, thing, package)
        if path is None:
            _log.warning(
                "%s: the docstring of %s names %s, which is not there", thing.filepath, thing.path, name
            )
            return f"`{shown}`"
        return f"[`{shown}`][{path}]"

    return _EXAMPLE.sub(r"\1Examples:", _ROLE.sub(linked, text))


def resolve(name: str, thing: griffe.Object, package: griffe.Module) -> str | None:
    """The full name of what a docstring means; of a field that is described with its class, the class."""
    found = None
    if name.startswith(f"{package.name}."):
        found = _member(package, name.removeprefix(f"{package.name}."))
    else:
        scope: griffe.Object | None = thing
        while found is None and scope is not None:
            found = _member(scope, name)
            scope = scope.parent
    if found is None or found.name.startswith("_"):
        return None
    if _is_field(found) and found.parent is not None:
        found = found.parent
    return str(found.canonical_path)


def _member(scope: griffe.Object, name: str) -> griffe.Object | None:
    """A member, also an inherited one; for an imported name, what was imported."""
    found: griffe.Object | griffe.Alias = scope
    for part in name.split("."):
        members = found.all_members if found.is_class else found.members
        if part not in members:
            return None
        found = members[part]
        if isinstance(found, griffe.Alias):
            try:
                found = found.final_target
            except griffe.AliasResolutionError:
                return None
    return found if isinstance(found, griffe.Object) else None


def _is_field(thing: griffe.Object) -> bool:
    """Whether this is an attribute of a class that has no docstring of its own."""
    return (
        thing.is_attribute and thing.docstring is None and thing.parent is not None and thing.parent.is_class
    )


def _hide_fields(owner: griffe.Object) -> None:
    """Leave fields to the docstring of their class, which describes them."""
    for name, member in list(owner.members.items()):
        if isinstance(member, griffe.Object) and _is_field(member):
            owner.del_member(name)


def _things(scope: griffe.Object) -> list[griffe.Object]:
    """Everything in a package that is defined there."""
    inside = [member for member in scope.members.values() if isinstance(member, griffe.Object)]
    return [scope, *(thing for member in inside for thing in _things(member))]
