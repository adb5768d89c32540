"""What can be trained, by name, and what it was called before; for recipes and the command line."""

from __future__ import annotations

from difflib import get_close_matches

METHOD_NAMES = (
    "supervised",
    "ssfer",
    "abaw6",
    "temporal",
    "fixmatch",
    "freematch",
    "softmatch",
    "debias",
    "ada-cm",
    "mean-teacher",
    "feedback",
    "noisy-student",
    "soft-targets",
    "student",
    "default-model",
)
"""What can be trained: the baseline, the two published methods, Stage IV alone, the stages of SSFER with each
of the semi-supervised methods of :mod:`halfsmile.methods.family` as Stage III, a small network taught by
finished runs, and the model in the box."""

RENAMED = {
    "ssfer-ferplus": "ssfer",
    "supervised-ferplus": "supervised",
    "ssfer-folders": "ssfer",
    "supervised-folders": "supervised",
    "semi-ferplus": "fixmatch",
    "abaw6-ferplus": "abaw6",
    "boxed-ferplus": "default-model",
    "boxed-enlarged-ferplus": "default-model",
    "sequences-synthetic": "temporal",
    "sequences-cpu": "temporal",
    "abaw6-affwild2": "abaw6",
}
"""Names from when a method's name carried its data set."""


def require_method(name: str) -> None:
    """Refuse a method that there is not.

    Raises:
        ValueError: With the nearest names, or with the new one.
    """
    if name in METHOD_NAMES:
        return
    if name in RENAMED:
        raise ValueError(
            f"{name} is now called by its method, and the data set is recognized: "
            f"halfsmile train {RENAMED[name]} --data DATA --out RUN"
        )
    near = get_close_matches(name, METHOD_NAMES, n=3)
    meant = f" Did you mean {' or '.join(near)}?" if near else ""
    raise ValueError(f"Unknown method {name!r}; known are {', '.join(METHOD_NAMES)}.{meant}")
