"""The number format follows the measured speed."""

from __future__ import annotations

import pytest
import torch

from halfsmile.models import precision
from halfsmile.models.precision import choose_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("half_seconds", "expected"), [(10.0, "float32"), (1.0, "float32"), (0.8, "float32"), (0.5, "bfloat16")]
)
def test_bfloat16_only_where_it_is_clearly_faster(
    monkeypatch: pytest.MonkeyPatch, half_seconds: float, expected: str
) -> None:
    budgets = []

    def seconds(dtype: torch.dtype, device: torch.device, budget: float) -> float:
        budgets.append(budget)
        return half_seconds if dtype == torch.bfloat16 else 1.0

    monkeypatch.setattr(precision, "_seconds", seconds)
    choice = choose_precision(CPU, seconds=3.0)
    assert choice.precision == expected
    assert choice.gain == pytest.approx(1 / half_seconds)
    assert f"{1 / half_seconds:.2f} times" in choice.reason
    assert sum(budgets) == pytest.approx(3.0)


def test_a_gpu_without_bf16_units_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    choice = choose_precision(torch.device("cuda", 0))
    assert (choice.precision, choice.gain) == ("float32", 1.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_measurement_takes_at_least_one_product(dtype: torch.dtype) -> None:
    assert 0 < precision._seconds(dtype, CPU, 0.0) < 60
