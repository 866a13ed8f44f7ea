"""Naive references: every loss as its paper prints it, one pixel at a time, in float64."""

import math
from types import SimpleNamespace

import pytest
import torch

CASES = {
    "CE": {},
    "FL": {"gamma": 2.0},
    "MAE": {"scale": 2.0},
    "RCE": {"min_prob": 1e-4},
    "GCE": {"q": 0.7},
    "NCE": {},
    "NFL": {"gamma": 0.5},
    "NNCE": {"min_prob": 1e-2},
    "NNFL": {"gamma": 0.5, "min_prob": 1e-2},
    "NCE+MAE": {"alpha": 3.0, "beta": 0.5, "scale": 2.0},
    "NCE+RCE": {"alpha": 3.0, "beta": 0.5, "min_prob": 1e-3},
    "NFL+MAE": {"alpha": 3.0, "beta": 0.5, "gamma": 1.5},
    "NFL+RCE": {"alpha": 3.0, "beta": 0.5, "gamma": 1.5},
    "ANL-CE": {"alpha": 5.0, "beta": 2.0, "min_prob": 1e-2},
    "ANL-FL": {"alpha": 5.0, "beta": 2.0, "gamma": 0.5, "min_prob": 1e-2},
}
# min_prob is 1e-2 above, so that random logits do meet the cut.


def of_pixel(name, p, y, alpha=1.0, beta=1.0, gamma=0.5, q=0.7, scale=1.0, min_prob=None):
    """One pixel's loss from its class probabilities p (K,) and its label y, by the formula."""
    num_classes = len(p)
    own = {"gamma": gamma, "q": q, "scale": scale, "min_prob": min_prob}
    if name in ("ANL-CE", "ANL-FL"):
        base = name[-2:]
        return alpha * of_pixel("N" + base, p, y, **own) + beta * of_pixel("NN" + base, p, y, **own)
    if "+" in name:
        active, passive = name.split("+")
        return alpha * of_pixel(active, p, y, **own) + beta * of_pixel(passive, p, y, **own)
    if name == "CE":
        return -torch.log(p[y])
    if name == "FL":
        return -((1 - p[y]) ** gamma) * torch.log(p[y])
    if name == "MAE":
        return scale * (1 - p[y])
    if name == "RCE":
        one_hot = [1.0 if k == y else min_prob or 1e-4 for k in range(num_classes)]
        return -sum(p[k] * math.log(one_hot[k]) for k in range(num_classes))
    if name == "GCE":
        return (1 - p[y] ** q) / q
    if name in ("NCE", "NFL"):
        base = {"NCE": "CE", "NFL": "FL"}[name]
        losses = [of_pixel(base, p, k, **own) for k in range(num_classes)]
        return losses[y] / sum(losses)
    floor = min_prob or 1e-7
    bound = -math.log(floor) * (1 if name == "NNCE" else (1 - floor) ** gamma)
    base = {"NNCE": "CE", "NNFL": "FL"}[name]
    losses = [of_pixel(base, p.clamp_min(floor), k, **own) for k in range(num_classes)]
    return 1 - (bound - losses[y]) / sum(bound - loss for loss in losses)


def of_batch(
    name,
    mode,
    logits,
    labels,
    *,
    ignore_index=None,
    reduction="mean",
    class_weights=None,
    pixel_weights=None,
    **own,
):
    """A batch's loss, pixel by pixel; logits (N, K, P), labels (N, P), (N, C, P) in multilabel."""
    maps = logits[:, 0] if mode in ("binary", "multiclass") else logits
    rows, weights = [], []
    for position in torch.cartesian_prod(*(torch.arange(n) for n in maps.shape)).tolist():
        if mode == "multiclass":
            p = torch.softmax(logits[position[0], :, position[1]], 0)
        else:
            z = maps[tuple(position)]
            p = torch.stack((1 / (1 + torch.exp(z)), 1 / (1 + torch.exp(-z))))
        y = int(labels[tuple(position)])
        if y == ignore_index:
            rows.append(logits.sum() * 0)
            weights.append(0.0)
            continue
        weight = 1.0
        if class_weights is not None:
            weight *= class_weights[position[1] if mode == "multilabel" else y]
        if pixel_weights is not None:
            weight *= float(pixel_weights[tuple(position)])
        rows.append(of_pixel(name, p, y, **own) * weight)
        weights.append(weight)
    losses = torch.stack(rows)
    if reduction == "none":
        return losses.reshape(maps.shape)
    return losses.sum() / (sum(weights) if reduction == "mean" else 1)


@pytest.fixture(scope="session")
def naive():
    return SimpleNamespace(pixel=of_pixel, batch=of_batch, cases=CASES)


def pytest_generate_tests(metafunc):
    """Run a test that asks for a `case` with every loss: (short name, own parameters)."""
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", CASES.items(), ids=CASES)


@pytest.fixture
def make_batch():
    """Random logits, labels with some void, and pixel weights: flat (N, K, P), 3 x 4 pixels."""

    def make(mode, num_classes=5, dtype=torch.float64, void=True, pixels=4, seed=0):
        random = torch.Generator().manual_seed(seed)
        channels = 1 if mode == "binary" else num_classes
        logits = 3 * torch.randn(3, channels, pixels, generator=random, dtype=torch.float64)
        shape = (3, channels, pixels) if mode == "multilabel" else (3, pixels)
        ids = num_classes if mode == "multiclass" else 2
        labels = torch.randint(ids, shape, generator=random)
        weights = torch.rand(shape, generator=random, dtype=torch.float64)
        if void:
            labels[torch.rand(shape, generator=random) < 0.3] = 255
        return logits.to(dtype).requires_grad_(), labels, weights

    return make
