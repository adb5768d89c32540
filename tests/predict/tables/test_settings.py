"""How a table was made: told to its readers, and compared when it is resumed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from halfsmile import __version__
from halfsmile.predict.options.selection import Selection
from halfsmile.predict.predictor import Predictor
from halfsmile.predict.tables.settings import (
    Settings,
    move_settings,
    resumed_settings,
    settings_of,
    settings_path,
    write_settings,
)
from halfsmile.predict.tables.sinks import open_sink
from halfsmile.utils.files import read_json, write_json

NOW: Settings = {"halfsmile": ["2.0"], "model": "new", "every": 1, "smoothing": None}


def test_all_that_changes_rows_is_told(predictor: Predictor, model_file: Path) -> None:
    found = settings_of(
        predictor,
        {
            "start": 1.5,
            "end": None,
            "every": 2,
            "every_seconds": None,
            "retries": 3,
            "detect_every": 4,
            "smoothing": 0.5,
            "temporal": None,
            "people": None,
            "baseline": "person",
            "neutral": None,
        },
        Selection(min_score=0.7, region=(0, 0, 1, 0.5)),
        frames_without_face=True,
    )
    assert found == {
        "halfsmile": [__version__],
        "model": "brightness",
        "model_sha256": hashlib.sha256(model_file.read_bytes()).hexdigest(),
        "temporal_sha256": None,
        "detector": "FramedSquares",
        "detector_sha256": None,
        "threshold": 0.75,
        "prior": None,
        "quality": False,
        "start": 1.5,
        "end": None,
        "every": 2,
        "every_seconds": None,
        "largest_only": False,
        "min_score": 0.7,
        "region": [0, 0, 1, 0.5],
        "clip_boxes": False,
        "detect_every": 4,
        "smoothing": 0.5,
        "baseline": "person",
        "neutral": None,
        "same_people": False,
        "frames_without_face": True,
        "fps": None,
    }


def test_each_setting_that_differs_is_named(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    assert resumed_settings(table, NOW) is None  # a table that has none
    write_settings(table, {**NOW, "every": 5, "smoothing": 0.5})
    with pytest.raises(
        ValueError, match=r"otherwise: every was 5, now 1; smoothing was 0\.5, now none\. Give .*t\.csv\.set"
    ):
        resumed_settings(table, NOW)


def test_another_version_or_an_unknown_setting_refuses_nothing(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    write_settings(table, {"halfsmile": ["1.0"], "model": "new", "older": 3})
    assert resumed_settings(table, NOW) == {"halfsmile": ["1.0", "2.0"], "model": "new", "older": 3}
    write_settings(table, NOW)
    assert resumed_settings(table, NOW) == NOW


@pytest.mark.parametrize("content", [[], {}, {"halfsmile": "1.0"}])
def test_another_file_of_that_name_is_refused(tmp_path: Path, content: Any) -> None:
    table = tmp_path / "t.csv"
    write_json(settings_path(table), content)
    with pytest.raises(ValueError, match=r"t\.csv\.settings\.json holds no settings .*Remove it"):
        resumed_settings(table, NOW)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_settings_belong_to_their_table(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    with open_sink(path, ["a", "b"], settings=NOW) as table:
        assert read_json(settings_path(table.partial)) == NOW
        assert not settings_path(path).exists()
    assert sorted(file.name for file in tmp_path.iterdir()) == [path.name, f"{path.name}.settings.json"]
    with open_sink(path, ["a", "b"]):
        pass
    assert [file.name for file in tmp_path.iterdir()] == [path.name]  # of other rows, nothing is known


def test_settings_become_those_of_the_table_that_is_made(tmp_path: Path) -> None:
    write_settings(tmp_path / "a.csv", NOW)
    move_settings(tmp_path / "a.csv", tmp_path / "b.csv")
    assert resumed_settings(tmp_path / "b.csv", NOW) == NOW
    move_settings(tmp_path / "a.csv", tmp_path / "b.csv")
    assert list(tmp_path.iterdir()) == []
