"""Files for tests of what folders hold."""

from __future__ import annotations

from pathlib import Path


def touch(root: Path, *names: str, text: str = "") -> Path:
    """Write files of the same text below a folder, which is also returned."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root
