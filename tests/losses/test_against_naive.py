"""Value and gradient of every loss and mode against loops over the pixels."""

import itertools

import naive_losses
import pytest
import torch

from segnoise.losses import build_loss

SCORES = ("Hill", "SPLC", "ASL")  # which have no multiclass mode
UNEVEN = [0.25, 1.75, 0.0, 1.0, 2.5]


SETTINGS, REDUCTIONS = ("plain", "void", "weighted"), ("none", "sum", "mean")


@pytest.mark.parametrize("name", naive_losses.CASES)
def test_value_and_gradient(make_batch, name):
    """Each setting and each reduction; crossed, where a kind of losses reduces in its own way."""
    combine = itertools.product if name in ("ANL-CE", "NRDice", "TLoss", "GJS") else zip
    for mode in naive_losses.modes(name):
        for setting, reduction in combine(SETTINGS, REDUCTIONS):
            case = (name, naive_losses.CASES[name])
            check_value_and_gradient(make_batch, case, mode, setting, reduction)


def check_value_and_gradient(make_batch, case, mode, setting, reduction):
    logits, labels, pixel_weights = make_batch(mode, void=setting != "plain")
    common = {"reduction": reduction}
    if setting != "plain":
        common["ignore_index"] = 255
    if setting == "weighted":
        common["class_weights"] = UNEVEN[:2] if mode == "binary" else UNEVEN
    else:
        pixel_weights = None
    expected = naive_losses.batch(case, mode, logits, labels, pixel_weights=pixel_weights, **common)
    upstream = torch.linspace(0.5, 2, expected.numel(), dtype=torch.float64).view_as(expected)
    (expected_gradient,) = torch.autograd.grad(expected, logits, upstream)

    value = naive_losses.make(case, mode, **common)(logits, labels, pixel_weights)
    (gradient,) = torch.autograd.grad(value, logits, upstream)
    # T-Loss holds log nu in float32.
    rtol = 1e-6 if case[0] == "TLoss" else 1e-10
    close = {
        "rtol": rtol,
        "atol": rtol / 100,
        "msg": lambda message: f"{mode}, {setting}, reduction {reduction}: {message}",
    }
    torch.testing.assert_close(value, expected, **close)
    torch.testing.assert_close(gradient, expected_gradient, **close)


BESIDE_NCE = {"AGCE": {"a": 6.0, "q": 1.5}, "AUL": {"a": 6.3, "q": 1.5}, "AEL": {"a": 5.0}}
DEFAULTS = {
    "FL": {"gamma": 2.0},
    "SCE": {"alpha": 0.1, "beta": 1.0, "min_prob": 1e-4},
    "TaylorCE": {"t": 2},
    "PHuberCE": {"tau": 10.0},
    "JS": {"pi": 0.7},
    "GJS": {"pi": 0.7},
    "AGCE": {"a": 0.6, "q": 0.6},
    "AUL": {"a": 5.5, "q": 3.0},
    "AEL": {"a": 2.5},
    "ANorm": {"a": 1.5, "p": 0.9},
    "AMSE": {"a": 30.0},
    **{f"{n}+{p}": {"alpha": 1.0, "beta": 1.0} for n in ("NCE", "NFL") for p in ("MAE", "RCE")},
    **{
        f"{n}+{p}": {"alpha": 1.0, "beta": 4.0, **own}
        for n in ("NCE", "NFL")
        for p, own in BESIDE_NCE.items()
    },
    "ANL-CE": {"alpha": 5.0, "beta": 5.0},
    "ANL-FL": {"alpha": 5.0, "beta": 5.0},
    "JAL-CE": {"alpha": 1.0, "beta": 1.0, "a": 30.0},
    "JAL-FL": {"alpha": 1.0, "beta": 1.0, "a": 30.0},
    "SR": {"temperature": 0.5, "p": 0.1, "beta": 1.2},
    "LogitClip": {"base": "CE", "tau": 1.0},
    "EpsSoftmax": {"alpha": 1.0, "beta": 1.0, "m": 1e5},
    "LabelSmoothing": {"t": 0.1},
    "SoftBootstrap": {"t": 0.05},
    "HardBootstrap": {"t": 0.2},
    "NLNL": {},
    "ELR": {"beta": 3.0, "momentum": 0.7, "min_prob": 1e-4},
    "Dice": {"eps": 1e-5},
    "NRDice": {"gamma": 1.5, "eps": 1e-5},
    "TLoss": {"nu": 1.0},
    "Hill": {"lam": 1.5, "margin": 1.0, "gamma": 2.0},
    "SPLC": {"margin": 1.0, "gamma": 2.0},
    "ASL": {"gamma_positive": 1.0, "gamma_negative": 4.0, "clip": 0.05},
}  # fmt: skip


@pytest.mark.parametrize("name", naive_losses.CASES)
def test_default_parameters_are_the_papers(make_batch, name):
    own, mode = naive_losses.CASES[name], naive_losses.modes(name)[-1]
    if "transition_matrix" in own:
        with pytest.raises(TypeError, match="transition_matrix"):
            build_loss(name, mode=mode)
        return
    logits, labels, _ = make_batch(mode)
    of_base = {"NormalizedLoss": ("NCE", {}), "NormalizedNegativeLoss": ("NNCE", {})}
    reference = of_base.get(name, (name, DEFAULTS.get(name, {})))
    expected = naive_losses.batch(reference, mode, logits, labels, ignore_index=255)
    value = naive_losses.make((name, {}), mode, ignore_index=255)(logits, labels)
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", [n for n in naive_losses.CASES if n not in SCORES])
def test_float32_keeps_five_digits(make_batch, name):
    case = (name, naive_losses.CASES[name])
    if name in ("NNCE", "NNFL", "ANL-CE", "ANL-FL"):
        case = (name, case[1] | {"min_prob": 1e-7})
    # A thousand classes take their time, and differ only by the kind of the sum.
    for num_classes in (2, 150, 1000) if name in naive_losses.KINDS else (2, 150):
        logits, labels, _ = make_batch("multiclass", num_classes, pixels=1)
        labels = labels.clamp_max(num_classes - 1)
        check_float32(case, "multiclass", num_classes, logits, labels)


def test_float32_keeps_five_digits_in_every_mode(make_batch, kind, mode):
    logits, labels, _ = make_batch(mode)
    check_float32(kind, mode, 5, logits, labels, ignore_index=255)


def check_float32(case, mode, num_classes, logits, labels, **common):
    expected = naive_losses.batch(case, mode, logits, labels, **common)
    (expected_gradient,) = torch.autograd.grad(expected, logits)
    single = logits.detach().float().requires_grad_()
    value = naive_losses.make(case, mode, num_classes, **common)(single, labels)
    value.backward()
    torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=0)
    assert (single.grad - expected_gradient).abs().max() < 1e-5 * expected_gradient.abs().max()


def test_cross_entropy_is_pytorchs(make_batch):
    logits, labels, _ = make_batch("multiclass", dtype=torch.float32)
    weights = torch.tensor([0.3, 1.7, 0.0, 1.0, 2.5])
    for reduction in ("mean", "sum", "none"):
        ours = build_loss(
            "CE", mode="multiclass", ignore_index=255, reduction=reduction, class_weights=weights
        )
        torchs = torch.nn.CrossEntropyLoss(weights, ignore_index=255, reduction=reduction)
        torch.testing.assert_close(ours(logits, labels), torchs(logits, labels))


def test_label_smoothing_is_pytorchs(make_batch):
    logits, labels, _ = make_batch("multiclass")
    expected = torch.nn.functional.cross_entropy(
        logits, labels, ignore_index=255, label_smoothing=0.2
    )
    loss = build_loss("LabelSmoothing", mode="multiclass", ignore_index=255, t=0.2)
    torch.testing.assert_close(loss(logits, labels), expected)


def test_binary_cross_entropy_is_pytorchs(make_batch):
    logits, labels, _ = make_batch("binary", void=False, dtype=torch.float32)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0], labels.float())
    torch.testing.assert_close(build_loss("CE", mode="binary")(logits, labels), expected)
