import pytest
import torch

from segnoise.losses import build_loss, class_weights

HISTOGRAM = [5_000_000, 40_000, 0, 700, 1]
SCHEMES = ("inverse", "inverse_sqrt", "effective")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_pixels_mean_weight_is_1(scheme):
    weights = class_weights(HISTOGRAM, scheme).double()
    counts = torch.tensor(HISTOGRAM).double()
    torch.testing.assert_close((weights * counts).sum() / counts.sum(), torch.tensor(1.0).double())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_rarer_classes_weigh_more_and_absent_ones_as_the_rarest(scheme):
    weights = class_weights(torch.tensor(HISTOGRAM), scheme)
    assert weights[0] < weights[1] < weights[3] < weights[4]
    assert weights[2] == weights[4]
    assert weights.isfinite().all()


@pytest.mark.parametrize(("scheme", "power"), [("inverse", 1.0), ("inverse_sqrt", 0.5)])
def test_ratios_by_the_formula(scheme, power):
    weights = class_weights([1600, 100], scheme)
    assert (weights[1] / weights[0]).item() == pytest.approx(16**power)


@pytest.mark.parametrize("beta", [0.5, 0.9, 0.9999])
def test_effective_numbers_by_the_formula(beta):
    weights = class_weights([1600, 100], "effective", beta=beta)
    expected = (1 - beta**1600) / (1 - beta**100)
    assert (weights[1] / weights[0]).item() == pytest.approx(expected, rel=1e-5)


def test_effective_numbers_at_the_ends_of_beta():
    torch.testing.assert_close(class_weights([1600, 100], "effective", beta=0.0), torch.ones(2))
    torch.testing.assert_close(
        class_weights([1600, 100], "effective", beta=1 - 1e-9),
        class_weights([1600, 100], "inverse"),
        rtol=1e-4,
        atol=0,
    )
    # The default beta tells classes apart at the pixel counts of a data set.
    default = class_weights([10**9, 10**7], "effective")
    assert default[1] / default[0] > 10


def test_a_single_pixel_and_a_single_class():
    torch.testing.assert_close(class_weights([1], "effective"), torch.ones(1))
    torch.testing.assert_close(class_weights([7, 0]), torch.ones(2))


def test_a_loss_takes_them():
    weights = class_weights([30, 10])
    loss = build_loss("CE", mode="multiclass", class_weights=weights)
    torch.testing.assert_close(loss.class_weights, weights)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([3, 1], "inverse_sqr"), "did you mean inverse_sqrt?"),
        (([], "inverse"), "must be a vector"),
        (([[1, 2]], "inverse"), r"got the shape \(1, 2\)"),
        (([0, 0], "inverse"), r"not all of them 0, got \[0.0, 0.0\]"),
        (([3, -1], "inverse"), r"counts >= 0"),
        (([3, float("nan")], "inverse"), "counts >= 0"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        class_weights(*arguments)


def test_beta_errors():
    with pytest.raises(ValueError, match="beta belongs to the scheme 'effective'"):
        class_weights([3, 1], "inverse", beta=0.9)
    with pytest.raises(ValueError, match=r"beta must satisfy .*got 1\.0"):
        class_weights([3, 1], "effective", beta=1.0)
