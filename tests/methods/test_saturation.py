"""The fit of the saturating curve, against SciPy."""

import numpy as np
import pytest
from scipy.optimize import curve_fit

from segnoise.methods.saturation import Saturation, fit_saturation, has_saturated


def formula(t, a, b, c):
    return a * (1 - np.exp(-(t**b) / c))


def reference(t, y):
    """SciPy's best from several beginnings, under the same bounds."""
    bounds = ([0, 0, 0], [1, np.inf, np.inf])
    found = []
    for begin in ((0.5, 1.0, 1.0), (0.5, 0.5, 2.0), (0.9, 2.0, 20.0)):
        values, _ = curve_fit(formula, t, y, p0=begin, bounds=bounds, max_nfev=5000)
        found.append(values)
    return min(found, key=lambda values: squares(t, y, values))


def squares(t, y, parameters):
    return float(((formula(t, *parameters) - y) ** 2).sum())


@pytest.mark.parametrize(
    "truth", [(0.8, 1.0, 2.0), (0.6, 0.5, 1.5), (0.9, 1.8, 30.0), (0.3, 0.7, 5.0), (1.0, 0.4, 4.0)]
)
def test_the_fit_is_scipys(truth):
    for length in [6, 40]:
        for noise in [0.0, 0.02]:
            t = np.arange(1.0, length + 1)
            rng = np.random.default_rng(length)
            y = np.clip(formula(t, *truth) + noise * rng.standard_normal(length), 0, 1)
            ours, theirs = fit_saturation(t, y), reference(t, y)
            # Not worse than SciPy's; where the minimum is sharp, the same curve.
            assert squares(t, y, ours) <= squares(t, y, theirs) * (1 + 1e-6) + 1e-12
            if noise == 0:
                np.testing.assert_allclose(ours(t), formula(t, *truth), atol=1e-5)
            elif length == 40:
                np.testing.assert_allclose(ours(t), formula(t, *theirs), atol=2e-3)


def test_the_level_is_at_most_1():
    t = np.arange(1.0, 8.0)
    curve = fit_saturation(t, np.minimum(0.16 * t, 1.0))
    assert curve.a == 1
    assert squares(t, np.minimum(0.16 * t, 1.0), curve) < 0.02


def test_the_slope_is_the_derivative():
    curve, t = Saturation(0.7, 1.4, 3.0), np.array([1.0, 2.5, 6.0])
    numeric = (curve(t + 1e-6) - curve(t - 1e-6)) / 2e-6
    np.testing.assert_allclose(curve.slope(t), numeric, rtol=1e-7)


@pytest.mark.parametrize("level", [0.0, 0.6])
def test_constant_curves(level):
    curve = fit_saturation(np.arange(1.0, 9.0), np.full(8, level))
    np.testing.assert_allclose(curve(np.arange(1.0, 9.0)), level, atol=1e-4)


def test_a_curve_that_is_flat_from_the_start():
    assert has_saturated(Saturation(0.6, 1.0, 1e-4), 2, 0.9)
    assert not has_saturated(Saturation(0.0, 1.0, 1e-4), 2, 0.9)


def test_an_s_shaped_beginning_is_no_saturation():
    curve = Saturation(0.9, 3.0, 500.0)
    assert curve.slope(5.0) > 3 * curve.slope(1.0)
    assert not has_saturated(curve, 5, 0.9)
    assert has_saturated(curve, 30, 0.9)


def test_too_few_points():
    with pytest.raises(ValueError, match="3 points are too few"):
        fit_saturation(np.arange(1.0, 4.0), np.ones(3))
