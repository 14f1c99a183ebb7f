"""The base of frozen values."""

import pytest
from pydantic import ValidationError

from calmo_pagerduty.kernel.model import FrozenModel


class Point(FrozenModel):
    x: int


def test_a_frozen_value_does_not_change() -> None:
    with pytest.raises(ValidationError):
        Point(x=1).x = 2  # type: ignore[misc]  # that it is refused is tested


def test_a_field_that_a_newer_version_added_is_ignored() -> None:
    assert Point.model_validate({"x": 1, "y": 2}) == Point(x=1)


def test_an_error_does_not_show_the_value_it_is_about() -> None:
    with pytest.raises(ValidationError) as raised:
        Point.model_validate({"x": "secret"})
    assert "secret" not in str(raised.value)
