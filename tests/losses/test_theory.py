"""The numerical theory against the closed forms of the papers."""

import math

import naive_losses
import pytest
import torch

from segnoise.losses import build_loss
from segnoise.losses.theory import (
    asymmetry_ratio,
    curves,
    is_asymmetric,
    is_symmetric,
    noise_tolerance,
    tolerated_rate,
)


def loss(name, **own):
    return build_loss(name, mode="multiclass", **own)


SYMMETRIC = {
    "MAE": lambda k: k - 1,
    "RCE": lambda k: -math.log(1e-4) * (k - 1),
    "NCE": lambda _: 1,
    "NFL": lambda _: 1,
    "NGCE": lambda _: 1,
    "NNCE": lambda k: k - 1,
    "NNFL": lambda k: k - 1,
    **dict.fromkeys(("NCE+MAE", "NFL+MAE"), lambda k: 1 + (k - 1)),
    **dict.fromkeys(("NCE+RCE", "NFL+RCE"), lambda k: 1 - math.log(1e-4) * (k - 1)),
    "ANL-CE": lambda k: 5 + 5 * (k - 1),
    "ANL-FL": lambda k: 5 + 5 * (k - 1),
}


def test_symmetric_losses_and_their_constants():
    for name in SYMMETRIC:
        for classes in (2, 3, 10):
            found = is_symmetric(loss(name), classes)
            assert found.symmetric
            assert found.constant == pytest.approx(SYMMETRIC[name](classes), rel=1e-9)
            assert found.spread < 1e-9 * found.constant


def test_losses_that_are_not_symmetric():
    for name in ["CE", "FL", "GCE", "SCE", "AGCE", "AUL", "AEL", "AMSE", "JAL-CE", "JS"]:
        found = is_symmetric(loss(name), 4)
        assert not found.symmetric
        assert found.spread > 0.01


AGCE = [(0.1, 0.3), (0.6, 0.6), (0.6, 1.0), (6.0, 1.5), (0.1, 4.0)]
AUL = [(1.1, 0.5), (5.5, 1.0), (6.3, 1.5), (5.5, 3.0)]
RATIOS = [
    *[("AGCE", {"a": a, "q": q}, (a / (a + 1)) ** abs(1 - q)) for a, q in AGCE],
    *[("AUL", {"a": a, "q": q}, ((a - 1) / a) ** abs(q - 1)) for a, q in AUL],
    *[("AEL", {"a": a}, math.exp(-1 / a)) for a in (0.3, 2.5, 5.0)],
    ("MAE", {}, 1.0),
    ("PHuberCE", {"tau": 10.0}, 0.1),
    ("TaylorCE", {"t": 2}, 0.5),
    ("CE", {}, 0.0),
    ("FL", {}, 0.0),
    ("GCE", {}, 0.0),
    ("SCE", {}, 0.0),
    ("JS", {}, 0.0),
]  # fmt: skip


def test_asymmetry_ratios_of_the_paper():
    """The slope is monotone: the ratio is that of its ends."""
    for name, own, expected in RATIOS:
        found = asymmetry_ratio(loss(name, **own))
        assert found.ratio == pytest.approx(expected, rel=1e-6, abs=1e-12)
        assert abs(found.ratio - expected) <= found.error + 1e-6 * expected


def test_fewer_points_cannot_miss_by_more_than_the_error():
    """A slope with a valley inside: w = 1 + 0.9 sin(7 u), whose least is 0.1 and greatest 1.9."""

    class Wavy(type(loss("MAE"))):
        def pixel_loss(self, statistics):
            u = statistics.log_p.exp()
            return 10 - u + 0.9 / 7 * torch.cos(7 * u)

    fine = asymmetry_ratio(Wavy("multiclass"), points=200_001).ratio
    # The valley is at u1 = 3 pi / 14 = 0.673, the peak at u2 = pi / 14 = 0.224.
    assert fine == pytest.approx(0.1 / 1.9, rel=1e-6)
    for points in (21, 101, 1001):
        coarse = asymmetry_ratio(Wavy("multiclass"), points=points)
        assert fine <= coarse.ratio
        assert coarse.ratio - coarse.error <= fine + 1e-9


@pytest.mark.parametrize("name", ["NCE", "ANL-CE", "AMSE", "LabelSmoothing", "SR"])
def test_the_ratio_is_of_losses_of_the_labels_probability_alone(name):
    with pytest.raises(ValueError, match="depends on more than the label's probability"):
        asymmetry_ratio(loss(name))


@pytest.mark.parametrize(
    ("name", "own"), [("AGCE", {"a": 0.6, "q": 0.6}), ("AUL", {}), ("AEL", {}), ("TaylorCE", {})]
)
def test_convex_losses_are_asymmetric_just_where_the_ratio_says(name, own):
    """w_clean / w_other r >= 1, on either side of the border; two classes."""
    ratio = asymmetry_ratio(loss(name, **own)).ratio
    for factor, expected in ((1.02, True), (0.98, False)):
        odds = factor / ratio  # of the true label
        clean = odds / (1 + odds)
        matrix = [[clean, 1 - clean], [1 - clean, clean]]
        assert is_asymmetric(loss(name, **own), matrix) == expected


def test_concave_losses_are_asymmetric_whatever_their_ratio():
    agce = loss("AGCE", a=6.0, q=1.5)
    assert asymmetry_ratio(agce).ratio < 1
    assert is_asymmetric(agce, [[0.51, 0.49], [0.49, 0.51]])


@pytest.mark.parametrize(("a", "tolerant"), [(8.8, False), (9.2, True)])
def test_amse_under_80_percent_noise_wants_a_of_9(a, tolerant):
    assert noise_tolerance(loss("AMSE", a=a), 10, 0.8).tolerant == tolerant


def test_what_noise_does_to_cross_entropy_and_gce():
    """CE is led to the noisy probabilities w, GCE to w^(1 / (1 - q)), MAE to the true class."""
    matrix = torch.tensor([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.2, 0.2, 0.6]]).double()
    found = noise_tolerance(loss("CE"), 3, matrix)
    torch.testing.assert_close(found.minimizers, matrix, rtol=0, atol=1e-4)
    assert (found.tolerant, found.keeps_classes) == (False, True)
    assert found.gap > 0.01
    found = noise_tolerance(loss("GCE", q=0.5), 3, matrix)
    torch.testing.assert_close(
        found.minimizers, matrix**2 / (matrix**2).sum(1, keepdim=True), rtol=0, atol=1e-4
    )
    found = noise_tolerance(loss("MAE"), 3, matrix)
    assert found.tolerant
    assert found.gap == 0
    torch.testing.assert_close(found.minimizers, torch.eye(3).double(), rtol=0, atol=1e-6)


def test_nothing_keeps_the_class_where_another_label_is_more_frequent():
    matrix = [[0.4, 0.6], [0.0, 1.0]]
    for name in ("MAE", "CE", "ANL-CE"):
        found = noise_tolerance(loss(name), 2, matrix)
        assert (found.tolerant, found.keeps_classes) == (False, False)


def test_no_noise_changes_nothing():
    for name in ("CE", "GCE", "ANL-CE", "LabelSmoothing"):
        assert noise_tolerance(loss(name), 4, 0.0).tolerant


def test_forward_correction_undoes_its_own_noise():
    matrix = torch.tensor([[0.8, 0.2, 0.0], [0.1, 0.8, 0.1], [0.2, 0.1, 0.7]]).double()
    found = noise_tolerance(loss("ForwardCorrection", transition_matrix=matrix), 3, matrix)
    assert found.keeps_classes
    torch.testing.assert_close(found.minimizers, torch.eye(3).double(), rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "rate"),
    # The odds 3 (1 - rate) / rate are 1 / ratio at the border.
    [("MAE", 0.75), ("CE", 0.0), ("TaylorCE", 3 / 5), ("PHuberCE", 3 / 13)],
)
def test_tolerated_rates(name, rate):
    assert tolerated_rate(loss(name), 4) == pytest.approx(rate, abs=2e-3)


@pytest.mark.parametrize(
    ("name", "weight"),
    [
        ("CE", lambda p: torch.ones_like(p)),
        ("MAE", lambda p: p),
        ("GCE", lambda p: p**0.7),
        ("FL", lambda p: (1 - p) ** 2 - 2 * p * (1 - p) * p.log()),
        ("TaylorCE", lambda p: 1 - (1 - p) ** 2),
        ("PHuberCE", lambda p: (10 * p).clamp_max(1)),
    ],
)
def test_gradient_weights(name, weight):
    found = curves(loss(name))
    torch.testing.assert_close(found.weight, weight(found.p), rtol=1e-8, atol=1e-12)


def test_curves_of_one_score():
    hill = build_loss("Hill", mode="binary", reduction="sum")
    positive, negative = curves(hill), curves(hill, label=0)
    # A negative with p_y = 0.3 has sigmoid(z) = 0.7.
    at = (negative.p - 0.3).abs().argmin()
    p = 1 - negative.p[at]
    assert negative.loss[at] == pytest.approx(((1.5 - p) * p**2).item())
    assert (positive.weight > 0).all()
    ce = build_loss("CE", mode="multilabel")
    torch.testing.assert_close(curves(ce, label=0).weight, torch.ones(101).double())


@pytest.mark.parametrize("name", ["GJS", "ELR", "Dice", "NRDice", "TLoss"])
def test_losses_of_more_than_a_pixel(name):
    with pytest.raises(TypeError, match="no function of one pixel's logits"):
        is_symmetric(loss(name), 3)


def test_weighted_losses_are_others():
    for weights in ([1.0, 5.0, 1.0], "batch_inverse"):
        weighted = loss("MAE", class_weights=weights)
        with pytest.raises(ValueError, match="give the bare loss"):
            is_symmetric(weighted, 3)
        with pytest.raises(ValueError, match="give the bare loss"):
            noise_tolerance(weighted, 3, 0.1)
        with pytest.raises(ValueError, match="give the bare loss"):
            asymmetry_ratio(weighted)


def test_a_risk_without_a_lower_bound_has_no_minimiser():
    matrix = [[0.8, 0.2], [0.1, 0.9]]
    with pytest.raises(TypeError, match="no lower bound"):
        noise_tolerance(loss("BackwardCorrection", transition_matrix=matrix), 2, matrix)


@pytest.mark.parametrize("classes", [0, 1])
def test_one_class_is_no_question(classes):
    with pytest.raises(ValueError, match=f"num_classes must be at least 2, got {classes}"):
        is_symmetric(loss("MAE"), classes)
    with pytest.raises(ValueError, match="num_classes must be at least 2"):
        noise_tolerance(loss("MAE"), classes, 0.1)


def test_bad_input():
    with pytest.raises(ValueError, match="must be of multiclass mode, got 'binary'"):
        asymmetry_ratio(build_loss("MAE", mode="binary"))
    with pytest.raises(ValueError, match="draws at random"):
        is_symmetric(loss("NLNL"), 5)
    with pytest.raises(ValueError, match="must be of multiclass mode, got 'binary'"):
        is_symmetric(build_loss("CE", mode="binary"), 2)
    with pytest.raises(ValueError, match=r"must lie in 0..1, got 1\.5"):
        noise_tolerance(loss("CE"), 3, 1.5)
    with pytest.raises(ValueError, match="is for 2 classes, not 3"):
        noise_tolerance(loss("CE"), 3, [[1.0, 0.0], [0.0, 1.0]])
    with pytest.raises(ValueError, match=r"in row 1 the true label is not the most frequent"):
        is_asymmetric(loss("CE"), [[0.9, 0.1], [0.6, 0.4]])


def test_normalised_losses_of_every_base():
    for base in naive_losses.ACTIVE:
        assert is_symmetric(loss("NormalizedLoss", base=base), 5).constant == pytest.approx(1)
        assert is_symmetric(loss("NormalizedNegativeLoss", base=base), 5).constant == pytest.approx(
            4
        )
