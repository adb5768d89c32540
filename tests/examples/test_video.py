"""A table, a timeline and a sentence for each of two people; no torch."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import sys

class Lacking:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("torch", "torchvision", "timm", "matplotlib", "sklearn"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Lacking())
from pathlib import Path
from examples.video import main
main(seconds=3, out=Path(sys.argv[1]))
"""


def test_both_people_are_told_of_without_torch(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "faces.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    frames = {track: [int(row["frame"]) for row in rows if row["track"] == track] for track in ("1", "2")}
    assert sum(map(len, frames.values())) == len(rows)
    assert all(numbers == list(range(75)) for numbers in frames.values())
    place = {row["track"]: float(row["x0"]) for row in rows}
    left, right = sorted(place, key=lambda track: place[track])
    said = dict(line.removeprefix("person ").split(": ", 1) for line in done.stdout.splitlines()[:2])
    assert "happiness from" in said[left]
    assert "anger from" in said[right]
    drawn = (tmp_path / "timeline.svg").read_text(encoding="utf-8")
    assert "person 1" in drawn
    assert "person 2" in drawn

    again = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert again.returncode == 1
    assert "faces.csv is there already" in again.stderr
