"""Refusing of settings that are out of their range, by their name."""

from __future__ import annotations


def require_positive(**values: float) -> None:
    """Refuse numbers that are not above 0.

    Raises:
        ValueError: With name and value of the first.
    """
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name} must be above 0, found {value}.")


def require_shares(**values: float | None) -> None:
    """Refuse numbers that do not lie between 0 and 1, both included; None is left alone.

    Raises:
        ValueError: With name and value of the first.
    """
    for name, value in values.items():
        if value is not None and not 0 <= value <= 1:
            raise ValueError(f"{name} must lie between 0 and 1, found {value}.")
