"""OpenVINO's files answer as the network does; without the package a message says what to do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tests.export.conftest import Network

from halfsmile.export.gate import EXACT, require
from halfsmile.export.openvino import OpenVinoModel, convert_openvino, require_openvino

Exports = Callable[[str], tuple[Network, Path]]
needs_openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="needs openvino")


def test_without_the_package_a_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ValueError, match=r"halfsmile\[openvino\]"):
        require_openvino()


@needs_openvino
def test_the_package_is_imported_without_its_telemetry() -> None:
    program = (
        "import sys; from halfsmile.export.openvino import require_openvino; require_openvino(); "
        "print([name for name, module in sys.modules.items() if 'openvino_telemetry' in name and module])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@needs_openvino
@pytest.mark.parametrize("name", ["resnet", "vit"])
def test_the_files_pass_the_gate_and_say_what_they_are(exported: Exports, tmp_path: Path, name: str) -> None:
    source, path = exported(name)
    convert_openvino(path, tmp_path / "openvino", source.facts)
    assert sorted(file.name for file in (tmp_path / "openvino").iterdir()) == ["model.bin", "model.xml"]
    found = OpenVinoModel(tmp_path / "openvino/model.xml", threads=1)
    assert found.facts == source.facts
    images = source.images(80, seed=3)
    require(
        "openvino",
        found,
        images=images,
        reference=source.probabilities(images),
        labels=source.facts.labels,
        limits=EXACT,
    )
    answer = found.predict(images[:3])
    assert answer.logits.shape == (3, 8)
    assert answer.features.shape == (3, source.model.encoder.config.width)
    assert np.allclose(answer.probabilities.sum(axis=1), 1, atol=1e-5)


@needs_openvino
def test_damaged_and_foreign_files_are_refused(exported: Exports, tmp_path: Path) -> None:
    openvino = require_openvino()
    source, path = exported("resnet")
    convert_openvino(path, tmp_path, source.facts)
    (tmp_path / "cut.xml").write_bytes((tmp_path / "model.xml").read_bytes()[:5000])
    openvino.save_model(openvino.convert_model(path), tmp_path / "foreign.xml")
    for name, message in (
        ("cut", "can't be used"),
        ("foreign", "no halfsmile metadata"),
        ("nowhere", "used"),
    ):
        with pytest.raises(ValueError, match=message):
            OpenVinoModel(tmp_path / f"{name}.xml")
