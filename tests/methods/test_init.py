"""What the package's users import from ``halfsmile.methods``."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import ModuleType

from halfsmile import methods


def test_every_public_name_is_there_and_documented() -> None:
    for name in methods.__all__:
        value = getattr(methods, name)
        assert not isinstance(value, ModuleType), name
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), name


def test_no_public_name_hides_a_module() -> None:
    modules = {path.stem for path in Path(str(methods.__file__)).parent.glob("[a-z]*.py")}
    assert not modules & set(methods.__all__)
    assert all(isinstance(getattr(methods, name), ModuleType) for name in modules if hasattr(methods, name))
