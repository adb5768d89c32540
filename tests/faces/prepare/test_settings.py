"""Settings that contradict themselves or a store are refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from halfsmile.faces import yunet
from halfsmile.faces.prepare.settings import SETTINGS_NAME, Settings, require_same_settings, save_settings


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 8}, "at least 16"),
        ({"min_score": 1.5}, "between 0 and 1"),
        ({"min_quality": -0.1}, "between 0 and 1"),
        ({"every": 0}, "at least 1"),
        ({"detector": "mtcnn", "model": "yunet.onnx"}, "for YuNet"),
        ({"detector": "aligned", "min_score": 0.5}, "no score"),
    ],
)
def test_contradictions(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings(**options)


def test_auto_is_yunet_with_the_model_of_the_package_or_the_given_one(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(b"abc")
    assert Settings().resolved() == Settings(detector="yunet")
    shipped = hashlib.sha256(yunet.MODEL.read_bytes()).hexdigest()
    assert Settings().resolved().record()["model_sha256"] == shipped
    assert Settings(model=yunet.MODEL).resolved().record() == Settings().resolved().record()
    assert "model_sha256" not in Settings(detector="mtcnn").record()
    assert Settings(model=model).resolved().detector == "yunet"
    assert Settings(detector="aligned").resolved() == Settings(detector="aligned")
    with pytest.raises(ValueError, match="does not exist"):
        Settings(model=tmp_path / "gone.onnx").resolved()


def test_a_store_is_gone_on_with_in_the_same_way_only(tmp_path: Path) -> None:
    one, other = tmp_path / "one.onnx", tmp_path / "other.onnx"
    one.write_bytes(b"abc")
    other.write_bytes(b"abcd")
    settings = Settings(detector="yunet", model=one, every=2)
    require_same_settings(tmp_path, Settings())
    save_settings(tmp_path, settings)
    require_same_settings(tmp_path, settings)
    found = json.loads((tmp_path / SETTINGS_NAME).read_text())
    assert found["every"] == 2
    assert "model" not in found, "the same model may lie elsewhere"
    for changed in (
        Settings(detector="yunet", model=other, every=2),
        Settings(detector="yunet", model=one, every=2, min_quality=0.2),
    ):
        with pytest.raises(ValueError, match=r"other settings: (model_sha256|min_quality)"):
            require_same_settings(tmp_path, changed)
    require_same_settings(tmp_path, settings, "argmax")
    with pytest.raises(ValueError, match=r"label_rule \(argmax / majority\)"):
        require_same_settings(tmp_path, settings, "majority")
    del found["label_rule"]  # as stores had it before
    (tmp_path / SETTINGS_NAME).write_text(json.dumps(found))
    require_same_settings(tmp_path, settings, "majority")
