"""Docstrings on the site: references are resolved where they stand, and those that lead nowhere are told."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

griffe = pytest.importorskip("griffe", reason="needs halfsmile[docs]")

SOURCES = {
    "__init__.py": "",
    "tools.py": '''
class Saw:
    """Cuts.

    Args:
        teeth: How many.
    """

    teeth: int

    def cut(self) -> None:
        """Once; see :meth:`sharpen` and :attr:`teeth`."""

    def sharpen(self) -> None:
        """Before :meth:`Saw.cut`, says :mod:`parcel.work`.

        Example:
            >>> 1 + 1
            2
        """
''',
    "work.py": '''
from parcel.tools import Saw

WOOD = "oak"

class BigSaw(Saw):
    """More than a :class:`Saw`, for :data:`WOOD`; :func:`~parcel.tools.Saw.cut` is its :meth:`cut`."""

def polish() -> None:
    """Wants :func:`sandpaper`."""
''',
}


def test_references_become_links_and_examples_become_code(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from docs.hooks.docstrings import Docstrings

    (tmp_path / "parcel").mkdir()
    for name, source in SOURCES.items():
        (tmp_path / "parcel" / name).write_text(source)
    with caplog.at_level(logging.WARNING):
        parcel = griffe.load(
            "parcel",
            search_paths=[tmp_path],
            extensions=griffe.load_extensions(Docstrings),
            allow_inspection=False,
        )
    text = {
        name: parcel[name].docstring.value for name in ("tools.Saw.cut", "tools.Saw.sharpen", "work.BigSaw")
    }
    assert text["tools.Saw.cut"] == (
        "Once; see [`sharpen`][parcel.tools.Saw.sharpen] and [`teeth`][parcel.tools.Saw]."
    )
    assert text["tools.Saw.sharpen"].startswith(
        "Before [`Saw.cut`][parcel.tools.Saw.cut], says [`parcel.work`][parcel.work].\n\nExamples:\n"
    )
    assert text["work.BigSaw"] == (
        "More than a [`Saw`][parcel.tools.Saw], for [`WOOD`][parcel.work.WOOD]; "
        "[`cut`][parcel.tools.Saw.cut] is its [`cut`][parcel.tools.Saw.cut]."
    )
    assert "teeth" not in parcel["tools.Saw"].members
    assert "WOOD" in parcel["work"].members
    assert ["parcel.work.polish names sandpaper" in record.message for record in caplog.records] == [True]
