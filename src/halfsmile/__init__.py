"""halfsmile: facial-expression recognition from a few labeled faces and many unlabeled ones.

>>> import halfsmile
>>> sorted(set(halfsmile.__all__) & {"Predictor", "train", "evaluate", "recipes"})
['Predictor', 'evaluate', 'recipes', 'train']
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from halfsmile import data, recipes
    from halfsmile.api import Run, evaluate, train
    from halfsmile.cross_validation import Folds, cross_validate
    from halfsmile.label.session import Labeling
    from halfsmile.predict.face import Face, Faces, NoFace
    from halfsmile.predict.predictor import Predictor

__version__ = "0.1.0"
__all__ = [
    "Face",
    "Faces",
    "Folds",
    "Labeling",
    "NoFace",
    "Predictor",
    "Run",
    "__version__",
    "cross_validate",
    "data",
    "evaluate",
    "recipes",
    "train",
]

_HOMES = {
    "Face": "halfsmile.predict.face",
    "Faces": "halfsmile.predict.face",
    "Folds": "halfsmile.cross_validation",
    "Labeling": "halfsmile.label.session",
    "NoFace": "halfsmile.predict.face",
    "Predictor": "halfsmile.predict.predictor",
    "Run": "halfsmile.api",
    "cross_validate": "halfsmile.cross_validation",
    "evaluate": "halfsmile.api",
    "train": "halfsmile.api",
}
_ROOMS = ("data", "recipes")


def __getattr__(name: str) -> Any:
    """Import what is asked for, so that ``import halfsmile`` itself costs nothing."""
    if name in _ROOMS:
        return import_module(f"halfsmile.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'halfsmile' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Names that can be asked for."""
    return sorted({*globals(), *_HOMES, *_ROOMS})
