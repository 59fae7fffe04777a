import numpy as np
import pytest

from routeviz.space.bits import byte_sums, pack, weighted


@pytest.mark.parametrize("n_features", [1, 7, 8, 9, 149])
def test_packed_as_numpy_packs(n_features):
    bits = np.random.default_rng(0).random((n_features, 33)) < 0.5
    np.testing.assert_array_equal(pack(bits), np.packbits(bits, axis=0))


@pytest.mark.parametrize("n_features", [1, 7, 8, 9, 149])
def test_sums_of_what_is_chosen_are_exact(n_features):
    """Beyond the 53 bits in which a float64 is exact."""
    rng = np.random.default_rng(1)
    weights = rng.integers(0, 1 << 55, n_features)
    bits = rng.random((n_features, 33)) < 0.5
    expected = [sum(int(weight) for weight, chosen in zip(weights, route, strict=True) if chosen) for route in bits.T]
    assert weighted(byte_sums(weights), pack(bits)).tolist() == expected
