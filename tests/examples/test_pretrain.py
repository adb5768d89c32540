"""The loop written out learns, and training starts from its encoder."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from examples.pretrain import main

from halfsmile import recipes
from halfsmile.models import build_encoder, load_pretrained
from halfsmile.recipes.config import Preset


@pytest.mark.parametrize("preset", ["tiny", "cpu"])
def test_the_loss_falls_and_the_encoder_fits_the_preset(
    preset: Preset, generated_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faces = generated_data / "unlabeled.zip" if preset == "cpu" else None
    losses = main(faces=faces, epochs=16, preset=preset, draw=64, out=tmp_path)
    assert len(losses) == 16
    assert np.mean(losses[-4:]) < 0.95 * np.mean(losses[:4])
    encoder = build_encoder(recipes.ssfer(preset).encoder)
    report = load_pretrained(encoder, str(tmp_path / "encoder.safetensors"))
    assert (report.missing, report.unused) == ((), ())
    picture = cv2.imread(str(tmp_path / "reconstructions.png"))
    assert picture is not None
    assert picture.std() > 10
    assert f"--preset {preset} --init {tmp_path / 'encoder.safetensors'}" in capsys.readouterr().out


def test_a_finished_encoder_is_not_replaced(tmp_path: Path) -> None:
    kept = tmp_path / "encoder.safetensors"
    kept.write_bytes(b"mine")
    with pytest.raises(SystemExit, match="is there already"):
        main(out=tmp_path)
    assert kept.read_bytes() == b"mine"
