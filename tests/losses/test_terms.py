"""Every term's closed forms: the slope is its derivative, the rise its value above that at 0."""

import itertools

import pytest
import torch

from segnoise.losses.asymmetric import ExponentialTerm, ShiftedPowerTerm, UnhingedPowerTerm
from segnoise.losses.bounded import HuberTerm
from segnoise.losses.core.terms import (
    BoundedTerm,
    EntropyTerm,
    FocalTerm,
    LogTerm,
    PowerTerm,
    TaylorTerm,
)
from segnoise.losses.jensen_shannon import JensenShannonTerm

TERMS = [
    LogTerm(),
    FocalTerm(0.0),
    FocalTerm(0.5),
    FocalTerm(2.0),
    PowerTerm(0.1),
    PowerTerm(1.0),
    PowerTerm(2.5),
    TaylorTerm(1),
    TaylorTerm(5),
    EntropyTerm(),
    ShiftedPowerTerm(0.0, 0.6),
    ShiftedPowerTerm(0.6, 0.6),
    ShiftedPowerTerm(6.0, 1.5),
    UnhingedPowerTerm(1.5, 0.5),
    UnhingedPowerTerm(5.5, 3.0),
    ExponentialTerm(0.3),
    ExponentialTerm(5.0),
    HuberTerm(1.5),
    HuberTerm(10.0),
    JensenShannonTerm(0.1),
    JensenShannonTerm(0.9),
]
BOUNDED = [term for term in TERMS if isinstance(term, BoundedTerm)]
LOG_P = -torch.tensor([1e-9, 1e-3, 0.1, 0.4, 0.7, 1.0, 2.0, 5.0, 20.0, 60.0]).double()


@pytest.mark.parametrize("term", TERMS, ids=repr)
def test_slope_is_the_derivative(term):
    log_p = LOG_P.clone().requires_grad_()
    (expected,) = torch.autograd.grad(term(log_p).sum(), log_p)
    slope = term.slope(log_p.detach().exp())
    slope = torch.ones_like(LOG_P) if slope is None else slope
    torch.testing.assert_close(slope, expected, rtol=1e-6, atol=1e-15)


def test_at_is_the_value():
    for term, log_p in itertools.product(TERMS, LOG_P.tolist()):
        value = term(torch.tensor(log_p, dtype=torch.float64)).item()
        p = torch.tensor(log_p, dtype=torch.float64).exp().item()
        assert term.at(p) == pytest.approx(value, rel=1e-6, abs=1e-9), term


@pytest.mark.parametrize("term", BOUNDED, ids=repr)
def test_rise_is_the_value_above_that_at_0_and_has_its_slope(term):
    expected = term(LOG_P) - term.at(0.0)
    torch.testing.assert_close(term.rise(LOG_P), expected, rtol=1e-6, atol=1e-12)
    log_p = LOG_P.clone().requires_grad_()
    (slope,) = torch.autograd.grad(term.rise(log_p).sum(), log_p)
    torch.testing.assert_close(slope, term.slope(LOG_P.exp()), rtol=1e-6, atol=1e-15)


def test_rise_keeps_its_digits_of_small_probabilities():
    # The difference of two numbers of size 1 would have none left.
    log_p = torch.tensor([-8.0, -14.0, -25.0])
    for term in BOUNDED:
        if term != EntropyTerm():
            expected = term.rise(log_p.double())
            torch.testing.assert_close(term.rise(log_p).double(), expected, rtol=1e-5, atol=0)
            assert (expected > 0).all(), term


def test_terms_are_compared_by_value():
    assert PowerTerm(0.5) == PowerTerm(0.5)
    assert PowerTerm(0.5) != PowerTerm(0.6)
    assert len({LogTerm(), LogTerm(), FocalTerm(0.5)}) == 2
