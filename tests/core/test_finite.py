"""Numbers that JSON has no word for are told as nothing."""

import math

import pytest

from errata.core.canonical import canonical, finite


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_what_a_diverged_write_leaves_is_told_as_nothing(number):
    assert canonical([finite(number)]) == b"[null]"


def test_any_other_number_is_told_as_it_is():
    assert [finite(number) for number in (0.0, -2.5, 1e300)] == [0.0, -2.5, 1e300]
