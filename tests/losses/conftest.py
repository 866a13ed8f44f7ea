"""Random batches, and the losses that a test is run with."""

import naive_losses
import pytest
import torch


def pytest_generate_tests(metafunc):
    """Run a test that asks for `kind` with one loss of each kind: (short name, own parameters).

    Where it asks for `mode` too it runs with PAIRS of kinds and modes, else with the losses that
    have a multiclass mode. What the formula decides is tested with all of CASES.
    """
    if "kind" not in metafunc.fixturenames:
        return
    cases, kinds = naive_losses.CASES, naive_losses.KINDS
    if "mode" in metafunc.fixturenames:
        values = [((name, cases[name]), mode) for name, mode in naive_losses.PAIRS]
        ids = ["-".join(pair) for pair in naive_losses.PAIRS]
        metafunc.parametrize(("kind", "mode"), values, ids=ids)
    else:
        names = [name for name in kinds if "multiclass" in naive_losses.modes(name)]
        metafunc.parametrize("kind", [(name, cases[name]) for name in names], ids=names)


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
