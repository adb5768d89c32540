"""One color for each expression, the same in pictures, timelines and on the page."""

from __future__ import annotations

COLORS = {
    "neutral": "#8a8f98", "happiness": "#f2b134", "surprise": "#2f9bd6", "sadness": "#4464b8",
    "anger": "#cf3f52", "disgust": "#5f9440", "fear": "#8a56a8", "contempt": "#a5703f", "other": "#4aa3a0",
}  # fmt: skip
OTHERS = ("#b0567e", "#6f7f2f", "#357f86", "#b5651d", "#5b5ea6", "#7a6a53")


def color(label: str, labels: tuple[str, ...] = ()) -> str:
    """The color of a label as ``#rrggbb``; labels of the user's own get one by their place in ``labels``."""
    if label in COLORS:
        return COLORS[label]
    return OTHERS[labels.index(label) % len(OTHERS)] if label in labels else "#777777"


def rgb(label: str, labels: tuple[str, ...] = ()) -> tuple[int, int, int]:
    """The same as red, green and blue, 0 to 255.

    Example:
        >>> rgb("neutral")
        (138, 143, 152)
    """
    digits = color(label, labels)[1:]
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
