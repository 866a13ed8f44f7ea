"""Two-term losses: their terms, their parameters, and one computation of the statistics."""

import pytest
import torch

from segnoise.losses import ActiveNegativeLoss, ActivePassiveLoss, base, build_loss
from segnoise.losses.core import statistics


@pytest.mark.parametrize("name", ["NCE+MAE", "NFL+RCE", "NCE+AGCE", "ANL-FL", "JAL-FL", "SCE"])
def test_the_statistics_are_computed_once(monkeypatch, name):
    calls = []

    def counted(*arguments, **keywords):
        calls.append(1)
        return statistics.pixel_statistics(*arguments, **keywords)

    monkeypatch.setattr(base, "pixel_statistics", counted)
    build_loss(name, mode="multiclass")(torch.zeros(1, 3, 2), torch.tensor([[0, 1]]))
    assert len(calls) == 1


def test_own_parameters_reach_the_terms_that_have_them():
    loss = ActiveNegativeLoss("multiclass", base="FL", gamma=2.0, min_prob=1e-5)
    assert (loss.first.gamma, loss.second.gamma, loss.second.min_prob) == (2.0, 2.0, 1e-5)
    loss = ActivePassiveLoss("multiclass", active="NFL", passive="RCE", min_prob=1e-5)
    assert (loss.first.gamma, loss.second.min_prob) == (0.5, 1e-5)


def test_the_paper_s_defaults():
    loss = ActiveNegativeLoss("multiclass")
    assert (loss.alpha, loss.beta, loss.second.min_prob) == (5.0, 5.0, 1e-7)
    loss = ActivePassiveLoss("multiclass")
    assert (loss.alpha, loss.beta, loss.second.scale) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: ActivePassiveLoss("binary", active="CE"), ValueError, "active term 'CE'"),
        (lambda: ActivePassiveLoss("binary", passive="GCE"), ValueError, "did you mean AGCE"),
        (lambda: ActiveNegativeLoss("binary", base="NCE"), ValueError, "unknown base 'NCE'"),
        # gamma belongs to the focal terms: accepted and ignored would be worse than an error.
        (lambda: ActiveNegativeLoss("binary", gamma=2), TypeError, "no parameter 'gamma'"),
        (lambda: ActivePassiveLoss("binary", scal=2), TypeError, "did you mean scale"),
    ],
)
def test_errors(build, error, message):
    with pytest.raises(error, match=message):
        build()


def test_repr_shows_both_terms():
    text = repr(ActiveNegativeLoss("multiclass", ignore_index=255, base="FL"))
    assert "'multiclass', alpha=5.0, beta=5.0, ignore_index=255" in text
    assert "(second): NormalizedNegativeFocalLoss('multiclass', gamma=0.5, min_prob=1e-07)" in text
