"""Random batches, and the losses that a test is run with."""

import naive_losses
import pytest
import torch


def pytest_generate_tests(metafunc):
    """Run a test with losses: (short name, own parameters), and with the modes they have.

    A test that asks for `case` runs with all losses: what the formula decides. One that asks for
    `kind` runs with one loss of each kind: what the base classes and the core decide. Where it asks
    for `mode` too it runs with all modes of each loss, or with PAIRS of kinds and modes; else with
    the losses that have a multiclass mode.
    """
    modes, cases = naive_losses.modes, naive_losses.CASES
    every_mode = [(name, mode) for name in cases for mode in modes(name)]
    for fixture, names, pairs in (
        ("case", cases, every_mode),
        ("kind", naive_losses.KINDS, naive_losses.PAIRS),
    ):
        if fixture not in metafunc.fixturenames:
            continue
        if "mode" in metafunc.fixturenames:
            values = [((name, cases[name]), mode) for name, mode in pairs]
            metafunc.parametrize((fixture, "mode"), values, ids=["-".join(p) for p in pairs])
        else:
            names = [name for name in names if "multiclass" in modes(name)]
            metafunc.parametrize(fixture, [(name, cases[name]) for name in names], ids=names)


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
