"""A teacher in Stage I: who gets one, and that nothing else of the recipe changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from halfsmile.recipes import ssfer, student
from halfsmile.recipes.changes.matching import with_matching
from halfsmile.recipes.resolve import resolve


def test_matching_takes_the_place_of_painting() -> None:
    plain, found = ssfer(), with_matching(ssfer(), "face")
    assert plain.pretrain is not None
    assert found == replace(plain, pretrain=replace(plain.pretrain, teacher="face", paint=0.0))


def test_a_student_gets_the_stage_one_of_its_preset() -> None:
    found = with_matching(student(), "face")
    assert found.pretrain == with_matching(ssfer(), "face").pretrain
    assert replace(found, pretrain=None) == student()


def test_who_has_no_stage_one_is_told(generated_data: Path) -> None:
    data = generated_data / "labeled"
    for method, init in (("supervised", None), ("student", "runs/other")):
        teachers = [Path("runs/large")] if method == "student" else []
        with pytest.raises(ValueError, match=rf"the recipe {method} has none\. Leave --init away"):
            resolve(method, data=data, teachers=teachers, teacher="face", init=init)
