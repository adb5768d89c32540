"""The semi-supervised methods by name; a further one is a file of its own and one line here."""

from __future__ import annotations

from halfsmile.methods.ada_cm import AdaCM
from halfsmile.methods.debias import DebiasPL
from halfsmile.methods.feedback.debiased import Feedback
from halfsmile.methods.freematch import FreeMatch
from halfsmile.methods.mean_teacher import MeanTeacher
from halfsmile.methods.noisy_student import NoisyStudent
from halfsmile.methods.pseudo_label import FixMatch
from halfsmile.methods.semi import Method
from halfsmile.methods.soft_targets import SoftTargets
from halfsmile.methods.softmatch import SoftMatch

FAMILY: dict[str, type[Method]] = {
    "fixmatch": FixMatch,
    "freematch": FreeMatch,
    "softmatch": SoftMatch,
    "debias": DebiasPL,
    "ada-cm": AdaCM,
    "mean-teacher": MeanTeacher,
    "feedback": Feedback,
    "noisy-student": NoisyStudent,
    "soft-targets": SoftTargets,
}


def method_named(name: str) -> Method:
    """A method with its own hyper-parameters as published.

    Raises:
        ValueError: If the name is unknown.
    """
    if name not in FAMILY:
        raise ValueError(f"Unknown semi-supervised method {name!r}; known are {', '.join(FAMILY)}.")
    return FAMILY[name]()
