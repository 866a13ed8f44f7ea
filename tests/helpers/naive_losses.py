"""Naive references: every loss as its paper prints it, one pixel at a time, in float64."""

import math
from types import SimpleNamespace

import torch
from torch import nn

from segnoise.losses import build_loss

ANY_MATRIX = object()  # stands for transition_matrix(number of classes)

CASES = {
    "CE": {},
    "FL": {"gamma": 2.0},
    "MAE": {"scale": 2.0},
    "RCE": {"min_prob": 1e-4},
    "GCE": {"q": 0.7},
    "SCE": {"alpha": 0.3, "beta": 0.5, "min_prob": 1e-3},
    "TaylorCE": {"t": 4},
    "PHuberCE": {"tau": 4.0},
    "JS": {"pi": 0.3},
    "GJS": {"pi": 0.3},
    "AGCE": {"a": 0.6, "q": 0.6},
    "AUL": {"a": 2.5, "q": 3.0},
    "AEL": {"a": 2.5},
    "ANorm": {"a": 1.5, "p": 0.9},
    "AMSE": {"a": 3.0},
    "NCE": {},
    "NFL": {"gamma": 0.5},
    "NGCE": {"q": 0.7},
    "NNCE": {"min_prob": 1e-2},
    "NNFL": {"gamma": 0.5, "min_prob": 1e-2},
    "NCE+MAE": {"alpha": 3.0, "beta": 0.5, "scale": 2.0},
    "NCE+RCE": {"alpha": 3.0, "beta": 0.5, "min_prob": 1e-3},
    "NCE+AGCE": {"alpha": 1.0, "beta": 4.0, "a": 6.0, "q": 1.5},
    "NCE+AUL": {"alpha": 1.0, "beta": 4.0, "a": 6.3, "q": 1.5},
    "NCE+AEL": {"alpha": 1.0, "beta": 4.0, "a": 5.0},
    "NFL+MAE": {"alpha": 3.0, "beta": 0.5, "gamma": 1.5},
    "NFL+RCE": {"alpha": 3.0, "beta": 0.5, "gamma": 1.5},
    "NFL+AGCE": {"alpha": 1.0, "beta": 4.0, "a": 6.0, "q": 1.5, "gamma": 0.5},
    "NFL+AUL": {"alpha": 1.0, "beta": 4.0, "a": 6.3, "q": 1.5, "gamma": 0.5},
    "NFL+AEL": {"alpha": 1.0, "beta": 4.0, "a": 5.0, "gamma": 0.5},
    "ANL-CE": {"alpha": 5.0, "beta": 2.0, "min_prob": 1e-2},
    "ANL-FL": {"alpha": 5.0, "beta": 2.0, "gamma": 0.5, "min_prob": 1e-2},
    "JAL-CE": {"alpha": 2.0, "beta": 0.5, "a": 3.0},
    "JAL-FL": {"alpha": 2.0, "beta": 0.5, "a": 3.0, "gamma": 0.5},
    "SR": {"temperature": 0.5, "p": 0.1, "beta": 1.2},
    "LogitClip": {"base": "FL", "gamma": 2.0, "tau": 2.0},
    "EpsSoftmax": {"alpha": 0.5, "beta": 2.0, "m": 3.0},
    "LabelSmoothing": {"t": 0.1},
    "SoftBootstrap": {"t": 0.05},
    "HardBootstrap": {"t": 0.2},
    "ForwardCorrection": {"transition_matrix": ANY_MATRIX},
    "BackwardCorrection": {"transition_matrix": ANY_MATRIX},
    "NLNL": {},
    "ELR": {"beta": 3.0, "momentum": 0.7, "min_prob": 1e-4},
    "Dice": {"eps": 1e-5},
    "NRDice": {"gamma": 1.5, "eps": 1e-5},
    "TLoss": {"nu": 1.5},
    "Hill": {"lam": 1.5, "margin": 1.0, "gamma": 2.0},
    "SPLC": {"tau": 0.6, "margin": 1.0, "gamma": 2.0},
    "ASL": {"gamma_positive": 1.0, "gamma_negative": 4.0, "clip": 0.05},
    "NormalizedLoss": {"base": "TaylorCE", "t": 3},
    "NormalizedNegativeLoss": {"base": "AUL", "a": 2.5, "q": 3.0},
}
# min_prob is 1e-2 above, so that random logits do meet the cut.

REGIONS = ("Dice", "NRDice")
IMAGES = ("TLoss",)
# One loss of each kind: of the label's probability and soft labels, sums over the classes, the
# greatest class, a map of the logits, a matrix over the labels, chance, memory, two views, a score
# with positives and negatives apart, regions (a quotient, a power), images. What the formula does
# not decide is tested with these.
KINDS = (
    "CE",
    "ANL-CE",
    "HardBootstrap",
    "EpsSoftmax",
    "SR",
    "LogitClip",
    "BackwardCorrection",
    "NLNL",
    "ELR",
    "GJS",
    "ASL",
    *REGIONS,
    *IMAGES,
)
ACTIVE = ("CE", "FL", "MAE", "GCE", "TaylorCE", "PHuberCE", "JS", "AGCE", "AUL", "AEL")
MODES = ("binary", "multiclass", "multilabel")


def modes(name):
    """The modes that a loss has."""
    if name == "SR":
        return MODES[1:2]
    return (MODES[0], MODES[2]) if name in ("Hill", "SPLC", "ASL") else MODES


# Kinds in modes: each in one of its own in turn, and in all where a mode has a path of its own.
PAIRS = [
    (name, mode)
    for number, name in enumerate(KINDS)
    for at, mode in enumerate(modes(name))
    if name in ("ANL-CE", "ASL", "Dice", "TLoss") or at == number % len(modes(name))
]


def transition_matrix(num_classes):
    """A matrix without symmetry, with a 0."""
    matrix = torch.eye(num_classes, dtype=torch.float64) * 0.7
    matrix += 0.2 * torch.eye(num_classes, dtype=torch.float64).roll(1, 1)
    matrix[:, 0] += 0.1
    return matrix.tolist()


def own_of(case, num_classes):
    """A case's own parameters for a number of classes."""
    _, own = case
    if own.get("transition_matrix") is ANY_MATRIX:
        return {"transition_matrix": transition_matrix(num_classes)}
    return dict(own)


def make(case, mode, num_classes=5, **common):
    """The loss under test as a function of (logits, labels, weights) without chance or memory."""
    name, _ = case
    classes = num_classes if mode == "multiclass" else 2
    if name in REGIONS and mode == "binary":
        common.pop("class_weights", None)  # there is one region: refused
    loss = build_loss(name, mode=mode, **{**own_of(case, classes), **common})
    if name == "NLNL":
        loss.register_forward_pre_hook(lambda *_: torch.manual_seed(0) and None)
    return Views(loss) if name == "GJS" else loss


class Views(nn.Module):
    """GJS of an image and of a paler view of it."""

    def __init__(self, loss):
        super().__init__()
        self.loss = loss

    def forward(self, logits, labels, weights=None):
        return self.loss(torch.cat((logits, 0.5 * logits)), labels, weights)


def active(name, p, own):
    """A loss of the label's probability alone."""
    own = SimpleNamespace(
        **{"gamma": 2.0, "scale": 1.0, "q": 0.7, "t": 2, "tau": 10.0, "pi": 0.7, "a": 1.0, **own}
    )
    if name == "CE":
        return -torch.log(p)
    if name == "FL":
        return -((1 - p) ** own.gamma) * torch.log(p)
    if name == "MAE":
        return own.scale * (1 - p)
    if name == "GCE":
        return (1 - p**own.q) / own.q
    if name == "TaylorCE":
        return sum((1 - p) ** i / i for i in range(1, own.t + 1))
    if name == "PHuberCE":
        if p <= 1 / own.tau:
            return -own.tau * p + math.log(own.tau) + 1
        return -torch.log(p)
    if name == "AGCE":
        return ((own.a + 1) ** own.q - (own.a + p) ** own.q) / own.q
    if name == "AUL":
        return ((own.a - p) ** own.q - (own.a - 1) ** own.q) / own.q
    if name == "AEL":
        return torch.exp(-p / own.a)
    raise KeyError(name)


def kl(p, q):
    """Kullback-Leibler divergence of two vectors, with 0 log 0 = 0."""
    return sum(a * torch.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


def of_views(y, predictions, pi):
    """Generalised Jensen-Shannon divergence of a one-hot label and predictions, scaled."""
    one_hot = torch.zeros_like(predictions[0])
    one_hot[y] = 1
    weights = [pi, *[(1 - pi) / len(predictions)] * len(predictions)]
    vectors = [one_hot, *predictions]
    mean = sum(w * v for w, v in zip(weights, vectors, strict=True))
    divergence = sum(w * kl(v, mean) for w, v in zip(weights, vectors, strict=True))
    return divergence / (-(1 - pi) * math.log(1 - pi))


def of_pixel(name, z, y, other=None, **own):
    """One pixel's loss from its logits z (K,) and its label y, by the formula."""
    p = torch.softmax(z, 0)
    classes = range(len(p))
    gamma = own.get("gamma", 0.5)
    parts = {k: v for k, v in own.items() if k not in ("alpha", "beta")}

    def both(first, second):
        one, two = of_pixel(first, z, y, **parts), of_pixel(second, z, y, **parts)
        return own["alpha"] * one + own["beta"] * two

    if name in ("ANL-CE", "ANL-FL"):
        return both("N" + name[-2:], "NN" + name[-2:])
    if name in ("JAL-CE", "JAL-FL"):
        return both("N" + name[-2:], "AMSE")
    if name == "SCE":
        return both("CE", "RCE")
    if "+" in name:
        return both(*name.split("+"))
    if name == "RCE":
        one_hot = [1.0 if k == y else own.get("min_prob", 1e-4) for k in classes]
        return -sum(p[k] * math.log(one_hot[k]) for k in classes)
    if name == "JS":
        return of_views(y, [p], own["pi"])
    if name == "GJS":
        return of_views(y, [p, torch.softmax(0.5 * z, 0)], own["pi"])
    if name == "ANorm":
        total = sum(abs(own["a"] * (k == y) - p[k]) ** own["p"] for k in classes)
        return (total - (own["a"] - 1) ** own["p"]) / own["p"]
    if name == "AMSE":
        return sum((p[k] - own["a"] * (k == y)) ** 2 for k in classes) / len(p)
    if name in ("NCE", "NFL", "NGCE", "NormalizedLoss"):
        base = own.get("base", name[1:])
        losses = [active(base, p[k], {**own, "gamma": gamma}) for k in classes]
        return losses[y] / sum(losses)
    if name in ("NNCE", "NNFL"):
        floor = torch.tensor(own.get("min_prob", 1e-7), dtype=z.dtype)
        bound = active(name[2:], floor, {"gamma": gamma})
        losses = [active(name[2:], q, {"gamma": gamma}) for q in p.clamp_min(float(floor))]
        return 1 - (bound - losses[y]) / sum(bound - loss for loss in losses)
    if name == "NormalizedNegativeLoss":
        bound = active(own["base"], torch.zeros((), dtype=z.dtype), own)
        losses = [active(own["base"], q, own) for q in p]
        return 1 - (bound - losses[y]) / sum(bound - loss for loss in losses)
    if name == "SR":
        p = torch.softmax(z / (own["temperature"] * z.norm()), 0)
        return -torch.log(p[y]) + own["beta"] * sum(q ** own["p"] for q in p)
    if name == "LogitClip":
        if z.norm() > own["tau"]:
            z = own["tau"] * z / z.norm()
        return of_pixel(own["base"], z, y, **{k: v for k, v in own.items() if k == "gamma"})
    if name == "EpsSoftmax":
        pushed = p.clone()
        pushed[p.argmax()] += own["m"]
        pushed = pushed / pushed.sum()
        return -own["alpha"] * torch.log(pushed[y]) + own["beta"] * (1 - p[y])
    if name in ("LabelSmoothing", "SoftBootstrap", "HardBootstrap"):
        one_hot = torch.zeros_like(p)
        one_hot[y] = 1
        extra = {
            "LabelSmoothing": torch.full_like(p, 1 / len(p)),
            "SoftBootstrap": p,
            "HardBootstrap": torch.eye(len(p), dtype=p.dtype)[p.argmax()],
        }[name]
        target = (1 - own["t"]) * one_hot + own["t"] * extra
        return -sum(target[k] * torch.log(p[k]) for k in classes)
    if name == "ForwardCorrection":
        return -torch.log(sum(own["transition_matrix"][k][y] * p[k] for k in classes))
    if name == "BackwardCorrection":
        inverse = torch.linalg.inv(torch.tensor(own["transition_matrix"], dtype=z.dtype))
        return -sum(inverse[y, k] * torch.log(p[k]) for k in classes)
    if name == "NLNL":
        return -torch.log(1 - p[other])
    if name == "ELR":
        t = (1 - own["momentum"]) * p.detach()
        inner = sum(t[k] * p[k] for k in classes)
        return -torch.log(p[y]) + own["beta"] * torch.log(1 - inner)
    if name in ("Hill", "SPLC", "ASL"):
        return of_score(name, z[1] - z[0], y, **own)
    return active(name, p[y], own)


def of_score(name, z, y, **own):
    """Hill, SPLC (in its first epoch) and ASL: positives and negatives apart."""
    p = 1 / (1 + torch.exp(-z))
    if name == "ASL":
        if y == 1:
            return -((1 - p) ** own["gamma_positive"]) * torch.log(p)
        q = max(p - own["clip"], 0 * p)
        return -(q ** own["gamma_negative"]) * torch.log(1 - q)
    if y == 1:
        shifted = 1 / (1 + torch.exp(-(z - own["margin"])))
        return -((1 - shifted) ** own["gamma"]) * torch.log(shifted)
    if name == "Hill":
        return (own["lam"] - p) * p**2
    return -(p ** own["gamma"]) * torch.log(1 - p)


def batch(
    case,
    mode,
    logits,
    labels,
    *,
    ignore_index=None,
    reduction="mean",
    class_weights=None,
    pixel_weights=None,
    **defaults,
):
    """A batch's loss, pixel by pixel; logits (N, K, P), labels (N, P), (N, C, P) in multilabel."""
    name, _ = case
    maps = logits[:, 0] if mode in ("binary", "multiclass") else logits
    classes = logits.shape[1] if mode == "multiclass" else 2
    own = {**own_of(case, classes), **defaults}
    others = None
    if name == "NLNL":
        torch.manual_seed(0)
        clamped = labels.clamp(0, classes - 1)
        others = (clamped + torch.randint(1, classes, maps.shape)) % classes
    rows, weights, where = [], [], []
    for position in torch.cartesian_prod(*(torch.arange(n) for n in maps.shape)).tolist():
        if mode == "multiclass":
            z = logits[position[0], :, position[1]]
        else:
            z = torch.stack((torch.zeros_like(maps[tuple(position)]), maps[tuple(position)]))
        y = int(labels[tuple(position)])
        weight = 0.0 if y == ignore_index else 1.0
        if class_weights is not None and weight and name not in REGIONS:
            weight *= class_weights[position[1] if mode == "multilabel" else y]
        if pixel_weights is not None:
            weight *= float(pixel_weights[tuple(position)])
        weights.append(weight)
        where.append(position)
        if name in (*REGIONS, *IMAGES):
            rows.append((torch.softmax(z, 0), y))
        elif y == ignore_index:
            rows.append(logits.sum() * 0)
        else:
            other = None if others is None else int(others[tuple(position)])
            rows.append(of_pixel(name, z, y, other=other, **own) * weight)
    if name in REGIONS:
        if mode == "binary":
            class_weights = None
        return _regions(mode, rows, weights, where, reduction, class_weights, classes, own)
    if name in IMAGES:
        return _images(mode, rows, weights, where, reduction, classes, own)
    losses = torch.stack(rows)
    if reduction == "none":
        return losses.reshape(maps.shape)
    return losses.sum() / (sum(weights) if reduction == "mean" else 1)


def _regions(mode, rows, weights, where, reduction, class_weights, classes, own):
    """Dice and NR-Dice: one quotient a class, a channel's positives, or the positives."""
    channels = 1 + max(position[1] for position in where) if mode == "multilabel" else 1
    regions = [(c, 1) for c in range(channels)]
    if mode == "multiclass":
        regions = [(None, k) for k in range(classes)]
    losses, counted = [], []
    for number, (channel, k) in enumerate(regions):
        error, mass, size = 0.0, 0.0, 0.0
        for (p, y), weight, position in zip(rows, weights, where, strict=True):
            if weight == 0:
                continue
            if mode == "multilabel" and position[1] != channel:
                continue
            g = float(y == k)
            if "gamma" in own:
                error = error + weight * abs(p[k] - g) ** own["gamma"]
            else:
                error = error - 2 * weight * p[k] * g
            mass, size = mass + weight * p[k], size + weight * g
        numerator = error if "gamma" in own else mass + size + error
        present = size > 0
        factor = 1.0
        if class_weights is not None:
            factor = class_weights[number]
        losses.append((numerator / (mass + size + own["eps"])) * factor * present)
        counted.append(factor * present)
    losses = torch.stack(losses)
    if reduction == "none":
        return losses
    return losses.sum() / (sum(counted) if reduction == "mean" else 1)


def _images(mode, rows, weights, where, reduction, classes, own):
    """T-Loss: the likelihood of every image, in multilabel mode of every channel."""
    keys = sorted({tuple(p[:2]) if mode == "multilabel" else p[0] for p in where})
    nu = torch.tensor(own["nu"], dtype=torch.float64)
    losses = []
    for key in keys:
        residual, dimensions = torch.zeros((), dtype=torch.float64), 0.0
        for (p, y), weight, position in zip(rows, weights, where, strict=True):
            if (tuple(position[:2]) if mode == "multilabel" else position[0]) != key or not weight:
                continue
            squares = sum((p[k] - float(k == y)) ** 2 for k in range(classes))
            residual = residual + weight * squares / 2
            dimensions += weight * (classes - 1)
        d = torch.tensor(dimensions, dtype=torch.float64)
        losses.append(
            torch.lgamma(nu / 2)
            - torch.lgamma((nu + d) / 2)
            + d / 2 * torch.log(math.pi * nu)
            + (nu + d) / 2 * torch.log(1 + residual / nu)
        )
    losses = torch.stack(losses)
    if reduction == "none":
        if mode == "multilabel":
            return losses.reshape(keys[-1][0] + 1, keys[-1][1] + 1)
        return losses
    return losses.sum() / (sum(weights) if reduction == "mean" else 1)
