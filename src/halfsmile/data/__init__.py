"""Faces as data: manifests, readers, label budgets, the store, generated faces. No torch here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from halfsmile.data.manifest import Manifest

__all__ = ["read"]


def read(path: str | Path, layout: str | None = None, **options: Any) -> Manifest:
    """Read a data set in any layout that ``halfsmile data check`` recognizes.

    Args:
        path: A folder, table, archive, store or manifest.
        layout: One of :data:`halfsmile.data.readers.registry.LAYOUTS`; recognized if None.
        options: For the reader, such as ``rule`` for FERPlus.

    Returns:
        One row per face: where its pixels are, label, split, person, video, box, landmarks.

    Raises:
        ValueError: If no reader fits, or the data are not as the reader expects.
    """
    from pathlib import Path

    from halfsmile.data.readers.registry import read_any

    return read_any(Path(path), layout, **options)
