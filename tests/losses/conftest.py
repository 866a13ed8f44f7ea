"""Random batches, and the losses that a test is run with."""

import naive_losses
import pytest
import torch


def pytest_generate_tests(metafunc):
    """Run a test with every loss: (short name, own parameters), and with the modes it has.

    A test that asks for `case` runs with all losses, one that asks for `pixelwise` with those that
    are a map over the pixels; where it asks for `mode` too, with the modes that each loss has, else
    with the losses that have a multiclass mode.
    """
    for fixture, names in (("case", naive_losses.CASES), ("pixelwise", naive_losses.PIXELWISE)):
        if fixture not in metafunc.fixturenames:
            continue
        cases = [(name, naive_losses.CASES[name]) for name in names]
        if "mode" in metafunc.fixturenames:
            pairs = [(case, mode) for case in cases for mode in naive_losses.modes(case[0])]
            ids = [f"{case[0]}-{mode}" for case, mode in pairs]
            metafunc.parametrize((fixture, "mode"), pairs, ids=ids)
        else:
            cases = [case for case in cases if "multiclass" in naive_losses.modes(case[0])]
            metafunc.parametrize(fixture, cases, ids=[case[0] for case in cases])


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
