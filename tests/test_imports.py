"""Imports point one way, and rooms that need no torch import without it.

The table of rooms in CONTRIBUTING.md says the order: a room imports from those further up only.
"""

from __future__ import annotations

import subprocess
import sys

from tests import rooms

LARGEST_LEVEL = 16
"""Modules of a folder level, ``__init__.py`` not among them."""

PROGRAM = """
import importlib, sys

class Lacking:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("torch", "torchvision", "timm", "matplotlib", "sklearn"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Lacking())
for module in sys.argv[1:]:
    try:
        importlib.import_module(module)
    except ImportError as error:
        print(module, "needs", error)
"""


def without_torch(names: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", PROGRAM, *names], capture_output=True, text=True)


def test_contributing_lists_every_room() -> None:
    there = {rooms.room_of(module) for module in rooms.modules()} - {"door"}
    listed = [room.name for room in rooms.table()]
    assert sorted(listed) == sorted(there)


def test_arrows_point_to_rooms_further_up() -> None:
    order = [room.name for room in rooms.table()]
    wrong = [
        f"{module.relative_to(rooms.PACKAGE)}:{line} imports {room}"
        for module in rooms.modules()
        if rooms.room_of(module) != "door"
        for line, room in rooms.imports(module)
        if order.index(room) > order.index(rooms.room_of(module))
    ]
    assert wrong == []


def test_the_picture_is_made_from_the_imports() -> None:
    drawn = rooms.PICTURE.read_text(encoding="utf-8")
    assert drawn == rooms.picture(), "python -m tests.rooms draws it as it should be"
    assert "docs/images/rooms.svg" in (rooms.ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_light_rooms_import_without_torch() -> None:
    light = {room.name for room in rooms.table() if room.is_light}
    names = [
        ".".join(("halfsmile", *module.relative_to(rooms.PACKAGE).with_suffix("").parts)).removesuffix(
            ".__init__"
        )
        for module in rooms.modules()
        if rooms.room_of(module) in light and module.name != "__main__.py"
    ]
    done = without_torch(["halfsmile", *names])
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


def test_others_are_named_with_what_they_lack() -> None:
    assert without_torch(["halfsmile.taxonomy", "halfsmile.training.run"]).stdout == (
        "halfsmile.training.run needs torch\n"
    )


def test_no_level_is_crowded() -> None:
    counts = {folder: len(list(folder.glob("*.py"))) - 1 for folder in {m.parent for m in rooms.modules()}}
    crowded = {str(f.relative_to(rooms.PACKAGE)): n for f, n in counts.items() if n > LARGEST_LEVEL}
    assert crowded == {}


def test_the_front_door_costs_nothing() -> None:
    """`import halfsmile` brings neither torch nor numpy, so it takes a few milliseconds."""
    program = "import sys, halfsmile; print(sorted({'torch', 'numpy', 'cv2', 'pyarrow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_rooms_do_not_hide_the_front_door() -> None:
    """Importing a room of nearly the same name leaves the public one in place."""
    names = ["train", "evaluate", "recipes", "data", "Predictor", "Run"]
    program = (
        "import halfsmile, halfsmile.training.run, halfsmile.evaluation.evaluate_run\n"
        f"for name in {names}: print(getattr(halfsmile, name).__name__.rpartition('.')[2])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == names, done.stderr
