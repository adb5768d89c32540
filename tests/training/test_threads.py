"""More threads only where they are faster now; a run that goes on keeps its own, or says that bits differ."""

from __future__ import annotations

import pytest
import torch

from halfsmile.training.threads import choose_threads, other_bits, step_seconds


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [
        ({1: 1.0, 2: 0.55}, 2),
        ({1: 1.0, 2: 0.95}, 1),
        ({1: 1.0, 2: 20.0}, 1),
        ({1: 1.0, 4: 0.3, 8: 0.16}, 8),
        ({1: 1.0, 4: 0.3, 8: 2.0}, 4),
        ({1: 1.0, 4: 0.3, 8: 0.29}, 4),
        ({1: 1.0, 4: 0.95, 8: 0.5}, 8),
    ],
)
def test_the_fewest_threads_that_are_about_as_fast_as_any(seconds: dict[int, float], chosen: int) -> None:
    most = max(seconds)
    found = choose_threads(most, measure=seconds.__getitem__)
    assert found.threads == chosen
    assert (found.reason is None) == (chosen == most)
    if found.reason is not None:
        assert f"with {most} a step takes {seconds[most] / seconds[chosen]:.1f} times as long" in found.reason
        assert "--threads" in found.reason


def test_nothing_is_measured_where_nothing_is_to_choose() -> None:
    def never(count: int) -> float:
        raise AssertionError

    assert choose_threads(1, measure=never).threads == 1
    assert choose_threads(8, asked=3, before=2, measure=never).threads == 3
    assert choose_threads(8, before=2, measure=never).threads == 2
    with pytest.raises(ValueError, match="--threads must be at least 1, found 0"):
        choose_threads(8, asked=0)


def test_a_measurement_leaves_torch_as_it_was() -> None:
    own = torch.get_num_threads()
    assert step_seconds(own + 1, budget=0.0) > 0
    assert torch.get_num_threads() == own


def test_what_makes_other_bits_is_named() -> None:
    begun = {"threads": 2, "device": "cpu", "processor": "A", "processes": 1, "packages": {"torch": "2.8"}}
    assert other_bits(begun, {**begun, "python": "3.12"}) is None
    assert other_bits({}, begun) is None, "old runs don't say"
    said = other_bits(begun, {**begun, "threads": 1, "packages": {"torch": "2.9"}})
    assert said is not None
    assert "threads (2 / 1), torch (2.8 / 2.9) (then / now)" in said
    assert "not in the bits of an unbroken run" in said
