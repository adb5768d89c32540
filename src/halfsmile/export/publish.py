"""The folder of an export: what an earlier one wrote there, and how new files take its place.

Only files that an export wrote are replaced or removed; gate.json in the folder lists them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from halfsmile.export.result import CALIBRATION, GATE, INT8, ONNX, OPENVINO, TEMPORAL, files_of
from halfsmile.utils.files import read_json
from halfsmile.utils.lock import lock, unlock

KNOWN = files_of((ONNX, INT8, OPENVINO, TEMPORAL))


def earlier_files(out: Path) -> frozenset[str]:
    """Names of what an earlier export wrote into a folder, as its gate.json tells; none without one.

    Older exports listed only the models, and wrote no calibration.json beside them.
    """
    try:
        gate = read_json(out / GATE)
    except (ValueError, OSError):
        return frozenset()
    models = gate.get("files") if isinstance(gate, dict) else None
    if not isinstance(models, dict) or ONNX not in models:
        return frozenset()
    listed = gate.get("written", [name for name in files_of(models) if name != CALIBRATION])
    return frozenset(name for name in KNOWN if isinstance(listed, list) and name in listed)


def require_place(out: Path, names: Iterable[str]) -> None:
    """Refuse a folder where files can't be put without harm.

    Args:
        out: The folder; it need not exist.
        names: What is to be written into it.

    Raises:
        ValueError: If it is no folder, or one of the names is taken by something that no export wrote.
    """
    there = next(path for path in (out, *out.absolute().parents) if os.path.lexists(path))
    if not there.is_dir():
        raise ValueError(f"Can't export into {out}: {there} is a file. Give a folder with --out.")
    ours = earlier_files(out)
    places = {name: out / name for name in names}
    foreign = [
        name
        for name, place in places.items()
        if os.path.lexists(place) and (place.is_dir() or name not in ours)
    ]
    parents = {place.parent for place in places.values()} - {out}
    foreign += [str(path.relative_to(out)) for path in parents if path.exists() and not path.is_dir()]
    if foreign:
        raise ValueError(
            f"{out} holds {', '.join(foreign)}, which no export wrote (its {GATE} would list it), and this "
            "one would overwrite. Move it away, or give another folder with --out."
        )


@contextlib.contextmanager
def unfinished(out: Path) -> Iterator[Path]:
    """Yield a hidden folder inside ``out`` that is gone afterwards; no other process exports there meanwhile.

    What a process that was killed left there is removed.

    Raises:
        ValueError: If another process exports into ``out``.
        OSError: If ``out`` can't be made or written.
    """
    out.mkdir(parents=True, exist_ok=True)
    place = out / ".export.lock"
    held = lock(place, f"an export into {out}")
    try:
        for left in out.glob(".unfinished-*"):
            shutil.rmtree(left, ignore_errors=True)
        scratch = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=out))
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    finally:
        unlock(held, place)


def publish(scratch: Path, out: Path, names: Sequence[str]) -> None:
    """Move finished files into place; those of an earlier export that were not made again go away.

    gate.json comes first: whatever happens then, the folder knows whose files are in it.

    Args:
        scratch: Where the files are.
        out: Where they go, on the same file system.
        names: The files.

    Raises:
        ValueError: As :func:`require_place`; nothing has been moved then.
        OSError: If ``out`` can't be written.
    """
    require_place(out, names)
    for name in names:
        (out / name).parent.mkdir(exist_ok=True)
    for name in earlier_files(out) - set(names):
        place = out / name
        if not place.is_dir():
            place.unlink(missing_ok=True)
        if place.parent != out:
            with contextlib.suppress(OSError):
                place.parent.rmdir()  # only if it is empty
    for name in sorted(names, key=lambda name: name != GATE):
        (scratch / name).replace(out / name)
