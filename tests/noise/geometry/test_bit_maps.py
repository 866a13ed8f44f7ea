import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segnoise.noise.geometry import bit_maps
from segnoise.noise.geometry.bit_maps import count, dilated, packed, shifted

maps = hnp.arrays(bool, st.tuples(st.integers(1, 5), st.integers(1, 200)))


def unpacked(bits, width):
    return np.unpackbits(bits.view(np.uint8), axis=1, bitorder="little")[:, :width].astype(bool)


@settings(max_examples=60, deadline=None)
@given(region=maps, columns=st.integers(-210, 210))
def test_shift_and_count(region, columns):
    width = region.shape[1]
    bits = packed(region)
    np.testing.assert_array_equal(unpacked(bits, width), region)
    assert count(bits) == region.sum()
    expected = np.zeros_like(region)
    for x in range(width):
        if 0 <= x - columns < width:
            expected[:, x] = region[:, x - columns]
    moved = shifted(bits, columns)
    np.testing.assert_array_equal(unpacked(moved, width), expected)
    if columns <= 0:
        assert count(moved) == expected.sum()


@settings(max_examples=60, deadline=None)
@given(region=maps)
def test_dilation_is_opencvs(region):
    expected = cv2.dilate(region.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    np.testing.assert_array_equal(unpacked(dilated(packed(region)), region.shape[1]), expected)


def test_non_contiguous_maps_and_views():
    region = np.random.default_rng(0).random((20, 300)) < 0.3
    assert count(packed(region.T)) == region.sum()
    assert count(packed(region)[3:7]) == region[3:7].sum()


@pytest.mark.parametrize("shape", [(0, 5), (5, 0)])
def test_no_pixels(shape):
    assert count(packed(np.zeros(shape, bool))) == 0


def test_counts_of_large_maps_are_summed_in_parts(monkeypatch):
    monkeypatch.setattr(bit_maps, "_COUNTED", 24)
    region = np.random.default_rng(0).random((50, 300)) < 0.7
    assert count(packed(region)) == region.sum()
