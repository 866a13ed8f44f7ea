import numpy as np
import pytest

from segnoise.checks import check_integer, check_number, check_rate
from segnoise.noise import mask as mask_module
from segnoise.noise.mask import count_labels


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64])
def test_label_counts_equal_unique(patches, dtype):
    mask = patches(0, (30, 40), dtype=dtype)
    labels, counts = count_labels(mask)
    expected = np.unique(mask, return_counts=True)
    np.testing.assert_array_equal(labels, expected[0])
    np.testing.assert_array_equal(counts, expected[1])


def test_label_counts_add_up_over_blocks(patches, monkeypatch):
    mask = patches(0, (30, 40))
    expected = [values.tolist() for values in count_labels(mask)]
    monkeypatch.setattr(mask_module, "_HISTOGRAM_PIXELS", 70)
    assert [values.tolist() for values in count_labels(mask)] == expected


def test_numbers_too_large_for_a_float():
    with pytest.raises(ValueError, match="x must be finite"):
        check_number("x", 10**400)
    with pytest.raises(ValueError, match="x must be at most 3"):
        check_number("x", 10**400, most=3)
    with pytest.raises(ValueError, match="x must be from 0 to 1"):
        check_rate("x", 10**400)
    with pytest.raises(ValueError, match="x must be at most 3, not 4"):
        check_integer("x", 4, most=3)
