"""The entropy regulariser, alone and over processes that each hold a part of the batch."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from segnoise.losses import EntropyRegularizer

HISTOGRAM = [10.0, 1.0, 3.0, 4.0, 2.0]
MODES = ("binary", "multiclass", "multilabel")
RATES = [0.125, 0.25, 0.375, 0.5, 0.875]


def naive(mode, logits, labels, prior=None, void=255):
    """The formula, pixel by pixel: logits (N, K, P)."""
    if mode == "multilabel":
        channels = range(logits.shape[1])
        rates = [0.5] * len(channels) if prior is None else prior
        return sum(
            naive("binary", logits[:, c : c + 1], labels[:, c], [1 - rates[c], rates[c]])
            for c in channels
        ) / len(channels)
    total, count = 0.0, 0
    for n in range(logits.shape[0]):
        for i in range(logits.shape[2]):
            if labels[n, i] == void:
                continue
            z = logits[n, :, i]
            total = total + torch.softmax(torch.cat((z.new_zeros(1), z)) if len(z) == 1 else z, 0)
            count += 1
    if count == 0:
        return logits.sum() * 0
    mean = total / count
    prior = [1.0] * len(mean) if prior is None else prior
    return sum(m * (m.log() - math.log(q / sum(prior))) for m, q in zip(mean, prior, strict=True))


@pytest.mark.parametrize("void", [False, True])
@pytest.mark.parametrize("uniform", [True, False])
@pytest.mark.parametrize("mode", MODES)
def test_value_and_gradient(make_batch, mode, uniform, void):
    logits, labels, _ = make_batch(mode, void=void)
    prior = {"binary": [3.0, 1.0], "multiclass": HISTOGRAM}.get(mode, RATES)
    expected = naive(mode, logits, labels, None if uniform else prior)
    (expected_gradient,) = torch.autograd.grad(expected, logits)
    er = EntropyRegularizer(mode, ignore_index=255, prior="uniform" if uniform else prior)
    value = er(logits, labels)
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(torch.autograd.grad(value, logits)[0], expected_gradient)
    assert torch.autograd.gradcheck(lambda z: er(z, labels), (logits,))


def test_uniform_is_log_k_minus_the_entropy(make_batch):
    logits, labels, _ = make_batch("multiclass", void=False)
    mean = logits.softmax(1).mean((0, 2))
    expected = math.log(5) + (mean * mean.log()).sum()
    torch.testing.assert_close(EntropyRegularizer("multiclass")(logits, labels), expected)


def test_zero_exactly_at_the_prior():
    logits = torch.tensor(HISTOGRAM).log()[None, :, None].requires_grad_()
    value = EntropyRegularizer("multiclass", prior=HISTOGRAM)(logits, torch.tensor([[0]]))
    value.backward()
    torch.testing.assert_close(value, torch.tensor(0.0))
    torch.testing.assert_close(logits.grad, torch.zeros_like(logits))


@pytest.mark.parametrize("mode", MODES)
def test_all_void(make_batch, mode):
    logits, labels, _ = make_batch(mode)
    value = EntropyRegularizer(mode, ignore_index=255)(logits, torch.full_like(labels, 255))
    value.backward()
    assert value == 0
    assert (logits.grad == 0).all()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_extreme_logits(mode, dtype):
    channels = 1 if mode == "binary" else 3
    logits = torch.full((2, channels, 4), -1e4, dtype=dtype)
    logits[:, -1] = 1e4
    logits.requires_grad_()
    labels = torch.zeros(2, 3, 4) if mode == "multilabel" else torch.zeros(2, 4)
    value = EntropyRegularizer(mode)(logits, labels.long())
    value.backward()
    assert value.dtype == torch.float32
    classes = 3 if mode == "multiclass" else 2
    assert value.item() == pytest.approx(math.log(classes), rel=1e-4)
    assert logits.grad.dtype == dtype
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize(
    ("mode", "prior", "message"),
    [
        ("multiclass", "unifrom", "did you mean uniform?"),
        ("multiclass", [1.0, 0.0], "positive and finite, got .* rare as never"),
        ("multiclass", [1.0, float("inf")], "positive and finite"),
        ("multiclass", [[1.0]], r"vector, got the shape \(1, 1\)"),
        ("binary", [1.0], r"\(negative, positive\)"),
        ("multilabel", [0.5, 1.0], "between 0 and 1"),
    ],
)
def test_bad_priors(mode, prior, message):
    with pytest.raises(ValueError, match=message):
        EntropyRegularizer(mode, prior=prior)


@pytest.mark.parametrize("mode", ["multiclass", "multilabel"])
def test_a_prior_of_wrong_length(make_batch, mode):
    logits, labels, _ = make_batch(mode, void=False)
    with pytest.raises(ValueError, match="the prior has 2 numbers for 5 classes"):
        EntropyRegularizer(mode, prior=[0.4, 0.6])(logits, labels)


def test_repr():
    er = EntropyRegularizer("binary", ignore_index=255, prior=[3, 1])
    assert repr(er) == "EntropyRegularizer('binary', prior=(3, 1), ignore_index=255)"


# Two processes: images 0 and 1 in the first, image 2, mostly void, in the second.
PARTS = ((0, 2), (2, 3))


def batch_of_three(mode):
    random = torch.Generator().manual_seed(0)
    inputs = torch.randn(3, 2, 6, generator=random, dtype=torch.float64)
    labels = torch.randint(2, (3, 5, 6) if mode == "multilabel" else (3, 6), generator=random)
    labels[2, ..., 1:] = 255
    return inputs, labels


def regularize(mode, inputs, labels, wrap=lambda model: model):
    """Value and parameter gradients of ER on a small model."""
    torch.manual_seed(0)
    model = wrap(torch.nn.Conv1d(2, 1 if mode == "binary" else 5, 1).double())
    value = EntropyRegularizer(mode, ignore_index=255)(model(inputs), labels)
    value.backward()
    return value.item(), [p.grad.tolist() for p in model.parameters()]


def one_of_two_processes(rank, folder):
    """What each process runs: write its values and gradients of all modes to the folder."""
    store = dist.FileStore(str(Path(folder) / "store"), 2)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=2)
    found = {}
    for mode in MODES:
        inputs, labels = batch_of_three(mode)
        part = slice(*PARTS[rank])
        ddp = torch.nn.parallel.DistributedDataParallel
        found[mode] = regularize(mode, inputs[part], labels[part], wrap=ddp)
    (Path(folder) / f"{rank}.json").write_text(json.dumps(found))
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.skipif(not dist.is_gloo_available(), reason="this torch has no gloo")
@pytest.mark.slow
def test_two_processes_are_one(tmp_path):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__]
    processes = [
        subprocess.Popen([*command, str(rank), str(tmp_path)], env=environment) for rank in (0, 1)
    ]
    assert [p.wait(timeout=120) for p in processes] == [0, 0]
    for mode in MODES:
        expected_value, expected_gradients = regularize(mode, *batch_of_three(mode))
        for rank in (0, 1):
            value, gradients = json.loads((tmp_path / f"{rank}.json").read_text())[mode]
            assert value == pytest.approx(expected_value, rel=1e-12)
            for got, expected in zip(gradients, expected_gradients, strict=True):
                torch.testing.assert_close(torch.tensor(got), torch.tensor(expected))


if __name__ == "__main__":
    one_of_two_processes(int(sys.argv[1]), sys.argv[2])
