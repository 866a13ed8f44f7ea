"""Statistics over seeds, against SciPy and by hand; nothing where there is nothing."""

import pytest
from scipy import stats

from segnoise.benchmark.statistics import (
    damage_recovered,
    paired_difference,
    spread,
    t95,
)


def test_quantiles_are_students():
    for freedom in range(1, 31):
        assert t95(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), abs=5e-5)
    assert t95(500) == t95(30), "wider than need be, never narrower"
    with pytest.raises(ValueError, match="at least 1"):
        t95(0)


def test_spread():
    assert spread([]) is None
    assert spread([70.0]) == (70.0, None, 1)
    assert spread([1.0, 2.0, 6.0]) == pytest.approx((3.0, 7**0.5, 3))


def test_differences_are_paired_by_seed():
    values, baseline = {0: 71.0, 1: 75.0, 2: 70.0, 5: 99.0}, {2: 68.0, 0: 70.0, 1: 71.0, 7: 1.0}
    found = paired_difference(values, baseline)
    pairs = [1.0, 4.0, 2.0]
    low, high = stats.ttest_1samp(pairs, 0).confidence_interval(0.95)
    assert found.n == 3
    assert found.mean == pytest.approx(7 / 3)
    assert (found.mean - found.half, found.mean + found.half) == pytest.approx(
        (low, high), rel=1e-4
    )


def test_a_single_pair_has_no_interval_and_none_no_difference():
    assert paired_difference({0: 3.0}, {0: 1.0, 1: 9.0}) == (2.0, None, 1)
    assert paired_difference({0: 3.0}, {1: 1.0}) is None
    assert paired_difference({}, {}) is None


def test_damage_recovered():
    noisy, clean = {0: 60.0, 1: 62.0}, {0: 70.0, 1: 72.0, 2: 10.0}
    assert damage_recovered({0: 65.0, 1: 67.0}, noisy, clean) == pytest.approx(50)
    assert damage_recovered({0: 55.0}, noisy, clean) == pytest.approx(-50), "of seed 0 alone"
    assert damage_recovered({0: 65.0}, noisy, {}) is None
    assert damage_recovered({3: 65.0}, noisy, clean) is None
    assert damage_recovered({0: 65.0}, {0: 69.5}, {0: 70.0}) is None, "under a point"
