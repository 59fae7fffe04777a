import math

import pytest

from routeviz.quantities import of_rows, percent, quantity, unit_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (118_085_140_448, "118.085 G"),
        (1_500_000, "1.500 M"),
        (1000, "1.000 k"),
        (999, "999"),
        (0, "0"),
        (999_400, "999.400 k"),
        (999_999, "1.000 M"),
        (2e12, "2.000 T"),
        (2e15, "2,000.000 T"),
    ],
)
def test_quantities(value, text):
    assert quantity(value) == text


def test_a_unit_of_nothing_known_is_none():
    assert unit_of(math.nan) == (1.0, "")
    assert unit_of(-2e6) == (1e6, "M")


def test_a_number_that_rounds_to_a_unit_in_three_digits_has_that_unit():
    assert [unit_of(value)[1] for value in (999.4, 999.5, 999_499, -999_500, 999.5e9)] == ["", "k", "k", "M", "T"]
    assert quantity(999_600, "#.3g", ".3g") == "1.00 M"
    assert quantity(0.12345, "#.3g", ".3g") == "0.123"


def test_what_is_said_of_images_is_said_of_whatever_the_rows_are():
    text = "An image opens it; of 3 images each image is image-blind, and the Image of an image-blind cell"
    assert of_rows(text, "images") == text
    assert of_rows(text, "tokens") == (
        "A token opens it; of 3 tokens each token is image-blind, and the Token of an image-blind cell"
    )
    assert of_rows("An image, an image", "architectures") == "An architecture, an architecture"


def test_a_share_is_written_in_percent_and_what_is_not_known_is_not_a_number():
    assert [percent(share) for share in (0, 0.12345, 1.0)] == ["0.0 %", "12.3 %", "100.0 %"]
    assert percent(-0.5, "+.2f", unit="%") == "-50.00%"
    assert [percent(share, unknown="?") for share in (None, math.nan)] == ["?", "?"]
