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
    with pytest.raises(ValueError, match=r"beta must be .*not 1\.0"):
        class_weights([3, 1], "effective", beta=1.0)


@pytest.mark.parametrize("mode", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("name", ["CE", "Dice", "TLoss"])
def test_weights_of_each_batch_are_those_of_its_histogram(make_batch, name, mode):
    if (name, mode) == ("Dice", "binary"):
        return  # refuses them: see test_dice.py
    common = {"mode": mode, "ignore_index": 255}
    for seed, scheme in enumerate(SCHEMES):
        loss = build_loss(name, class_weights=f"batch_{scheme}", **common)
        logits, labels, pixel_weights = make_batch(mode, seed=seed)
        if mode == "multilabel":
            counts = ((labels == 1).sum((0, 2))).tolist()
        else:
            counts = torch.bincount(labels[labels != 255], minlength=2 if mode == "binary" else 5)
        fixed = build_loss(name, class_weights=class_weights(counts, scheme), **common)
        expected = fixed(logits, labels, pixel_weights)
        torch.testing.assert_close(loss(logits, labels, pixel_weights), expected, rtol=1e-6, atol=0)


def test_a_batch_without_labels_weighs_nothing():
    loss = build_loss("ANL-CE", mode="multiclass", ignore_index=255, class_weights="batch_inverse")
    logits = torch.randn(2, 3, 4, requires_grad=True)
    value = loss(logits, torch.full((2, 4), 255))
    value.backward()
    assert value == 0
    assert (logits.grad == 0).all()


def test_soft_labels_are_counted_by_their_mass(make_batch):
    logits, _, _ = make_batch("multiclass")
    soft = torch.rand(logits.shape, dtype=torch.float64).softmax(1)
    fixed = build_loss("CE", mode="multiclass", class_weights=class_weights(soft.sum((0, 2))))
    loss = build_loss("CE", mode="multiclass", class_weights="batch_inverse_sqrt")
    torch.testing.assert_close(loss(logits, soft), fixed(logits, soft), rtol=1e-6, atol=0)


def test_repr_names_the_scheme():
    loss = build_loss("CE", mode="multiclass", class_weights="batch_inverse")
    assert repr(loss) == "CrossEntropyLoss('multiclass', class_weights='batch_inverse')"
