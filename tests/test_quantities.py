import math

import pytest

from routeviz.quantities import quantity, unit_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (118_085_140_448, "118.085 G"),
        (1_500_000, "1.500 M"),
        (1000, "1.000 k"),
        (999, "999"),
        (0, "0"),
        (2e12, "2,000.000 G"),
    ],
)
def test_quantities(value, text):
    assert quantity(value) == text


def test_a_unit_of_nothing_known_is_none():
    assert unit_of(math.nan) == (1.0, "")
    assert unit_of(-2e6) == (1e6, "M")
