"""Methods by name, without torch."""

from __future__ import annotations

import pytest

from halfsmile.method_names import METHOD_NAMES, RENAMED, require_method


@pytest.mark.parametrize("name", METHOD_NAMES)
def test_a_method_that_there_is_is_taken(name: str) -> None:
    require_method(name)


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_a_name_from_before_is_answered_with_the_new_command(old: str, new: str) -> None:
    assert new in METHOD_NAMES
    with pytest.raises(ValueError, match=rf"^{old} is now called by its method.* halfsmile train {new} "):
        require_method(old)


@pytest.mark.parametrize(
    ("name", "near"), [("sfer", "ssfer"), ("FixMatch", "fixmatch"), ("softmach", "softmatch")]
)
def test_an_unknown_name_is_answered_with_the_nearest(name: str, near: str) -> None:
    with pytest.raises(ValueError, match=rf"Unknown method '{name}'; known are .* Did you mean .*{near}"):
        require_method(name)
