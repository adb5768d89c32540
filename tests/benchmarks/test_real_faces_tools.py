"""Other tools on the crops of real faces: a stand-in that names the color of a picture."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmarks.cross_tool import Options, Side, Tool
from benchmarks.real_faces_tools import OtherTool, Places, bordered, tools

from halfsmile.taxonomy import FERPLUS

WORKER = """
import json, sys
import numpy as np
job = json.load(open(sys.argv[1]))
crops = np.fromfile(job["files"][0], np.uint8).reshape(-1, job["side"], job["side"], job["channels"])
means = crops.mean(axis=(1, 2)) / 255
answer = {"labels": ["happy", "neutral", "sad"], "probabilities": means.tolist()}
json.dump(answer, open(sys.argv[2], "w"))
"""


def test_crops_arrive_in_color_and_answers_in_our_order(tmp_path: Path) -> None:
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    side = Side("stand-in", {"crops": "stand-in"}, Tool("stand-in", (sys.executable, str(script))))
    core = min(os.sched_getaffinity(0))
    tool = OtherTool("stand-in", side, Options(Path(), Path(), tmp_path / "out", core=core))
    crops = np.zeros((2, 16, 16, 3), np.uint8)
    crops[0, :, :, 0] = 255
    crops[1, :, :, 2] = 255
    found = tool.classify(crops, "press")
    assert found.shape == (2, len(FERPLUS))
    assert [FERPLUS.labels[k] for k in found.argmax(axis=1)] == ["happiness", "sadness"]
    assert (tmp_path / "out" / "stand-in-press-crops.json").is_file()


FINDER = """
import json, sys
from PIL import Image
job = json.load(open(sys.argv[1]))
assert job["rounds"] == 0
photos = []
for file in job["files"]:
    with Image.open(file) as picture:
        red, _, blue = picture.getpixel((picture.width // 2, picture.height // 2))
        corner = picture.getpixel((0, 0))
    assert corner == (128, 128, 128)
    small, large = [0, 0, 4, 4], [0, 0, 9, 9]
    found = [{"box": small, "probabilities": [1, 0]}, {"box": large, "probabilities": [0, 1]}]
    if blue:
        found[0]["score"], found[1]["score"] = 0.9, 0.8
    photos.append(found if red or blue else [])
json.dump({"labels": ["happy", "sad"], "photos": photos}, open(sys.argv[2], "w"))
"""


def test_the_surest_or_else_the_largest_found_face_counts(tmp_path: Path) -> None:
    script = tmp_path / "worker.py"
    script.write_text(FINDER)
    side = Side("finder", {"photos": "finder"}, Tool("finder", (sys.executable, str(script))))
    tool = OtherTool("finder", side, Options(Path(), Path(), tmp_path, core=min(os.sched_getaffinity(0))))
    pictures = [np.zeros((16, 16, 3), np.uint8) for _ in range(3)]
    pictures[0][..., 0] = 255
    pictures[2][..., 2] = 255
    rows, found = tool.find(pictures, "press")
    assert tool.finds_faces
    assert rows.tolist() == [0, 2]
    assert [FERPLUS.labels[k] for k in found.argmax(axis=1)] == ["sadness", "happiness"]
    none, empty = tool.find(pictures[1:2], "dark")
    assert (none.shape, empty.shape) == ((0,), (0, len(FERPLUS)))


def test_the_border_leaves_the_picture_in_the_middle() -> None:
    picture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    wide = bordered(picture)
    assert wide.shape == (8, 8, 3)
    np.testing.assert_array_equal(wide[2:6, 2:6], picture)
    assert (wide[:2] == 128).all()


def test_a_tool_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert list(tools(Places(), out=tmp_path, core=0)) == []
    for name in ("fer", "facex", "face_api", "human", "faceplugin", "facial_emotion"):
        with pytest.raises(ValueError, match=f"{name.replace('_', '-')}.* is not installed"):
            list(tools(Places(**{name: tmp_path}), out=tmp_path, core=0))
