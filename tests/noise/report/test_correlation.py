import math

import cv2
import numpy as np
import pytest

from segnoise.noise.geometry.bit_maps import packed
from segnoise.noise.report.correlation import (
    LAGS,
    autocorrelation,
    correlation_length,
    count_pairs,
)


def pairs_one_by_one(valid, wrong):
    pairs, both = [0] * len(LAGS), [0] * len(LAGS)
    height, width = valid.shape
    for y, x in zip(*np.nonzero(wrong), strict=True):
        for index, lag in enumerate(LAGS):
            for down, right in ((lag, 0), (-lag, 0), (0, lag), (0, -lag)):
                v, u = y + down, x + right
                if 0 <= v < height and 0 <= u < width and valid[v, u]:
                    pairs[index] += 1
                    both[index] += wrong[v, u]
    return pairs, both


@pytest.mark.parametrize("shape", [(30, 41), (1, 140), (140, 1), (64, 65), (3, 3)])
def test_pairs_equal_a_loop(shape):
    rng = np.random.default_rng(shape[0])
    valid = rng.random(shape) < 0.9
    wrong = valid & (rng.random(shape) < 0.3)
    pairs, both = count_pairs(packed(valid), packed(wrong))
    expected = pairs_one_by_one(valid, wrong)
    assert pairs.tolist() == expected[0]
    assert both.tolist() == expected[1]
    mirrored = count_pairs(packed(valid[::-1, ::-1]), packed(wrong[::-1, ::-1]))
    np.testing.assert_array_equal(mirrored, (pairs, both))
    turned = count_pairs(packed(valid.T), packed(wrong.T))
    np.testing.assert_array_equal(turned, (pairs, both))


def length_of(wrong):
    everywhere = packed(np.ones_like(wrong))
    return correlation_length(
        autocorrelation(*count_pairs(everywhere, packed(wrong)), wrong.mean())
    )


def test_independent_errors():
    wrong = np.random.default_rng(0).random((400, 400)) < 0.3
    pairs, both = count_pairs(packed(np.ones_like(wrong)), packed(wrong))
    rho = autocorrelation(pairs, both, wrong.mean())
    np.testing.assert_allclose(rho, 0, atol=0.01)
    assert length_of(wrong) == pytest.approx(1 - 1 / math.e, abs=0.01)


def test_a_smooth_field_has_the_length_that_its_formula_says():
    """A threshold at 0 of a Gaussian field with correlation c has rho = 2 / pi * asin(c)."""
    sigma, rng = 8.0, np.random.default_rng(0)
    field = cv2.GaussianBlur(rng.normal(size=(1200, 1200)), (0, 0), sigma)[60:-60, 60:-60]
    # White noise blurred with sigma has the correlation exp(-lag^2 / (4 sigma^2)).
    lag = np.linspace(0, 64, 10_000)
    rho = 2 / math.pi * np.arcsin(np.exp(-(lag**2) / (4 * sigma**2)))
    expected = lag[np.argmax(rho < 1 / math.e)]
    assert length_of(field > 0) == pytest.approx(expected, rel=0.05)


def test_scale_of_blocks():
    """Blocks of side s, wrong with probability p: rho(lag) = 1 - lag / s."""
    blocks = np.random.default_rng(0).random((80, 80)) < 0.4
    wrong = np.kron(blocks, np.ones((12, 12))) > 0
    assert length_of(wrong) == pytest.approx(12 * (1 - 1 / math.e), rel=0.03)


def test_where_there_is_nothing_to_measure():
    nothing = np.zeros((5, 5), bool)
    assert math.isnan(length_of(nothing))
    assert math.isnan(length_of(~nothing))
    assert math.isnan(length_of(np.ones((1, 1), bool)))
    half = np.zeros((200, 800), bool)
    half[:, :400] = True
    assert length_of(half) == math.inf


def test_lags_beyond_the_image_are_not_read():
    """A band wider than the image allows to see: correlated at all lags there are."""
    wrong = np.zeros((1, 20), bool)
    wrong[:, :10] = True
    rho = autocorrelation(*count_pairs(packed(np.ones_like(wrong)), packed(wrong)), 0.5)
    assert np.isnan(rho[LAGS.index(24) :]).all()
    assert not np.isnan(rho[: LAGS.index(24)]).any()
