"""Other tools on the crops of real faces: a stand-in that names the color of a picture."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmarks.cross_tool import Options, Side, Tool
from benchmarks.real_faces_tools import OtherTool, tools

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


def test_a_tool_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert list(tools(fer=None, face_api=None, out=tmp_path, core=0)) == []
    with pytest.raises(ValueError, match="face-api is not installed"):
        list(tools(fer=None, face_api=tmp_path, out=tmp_path, core=0))
