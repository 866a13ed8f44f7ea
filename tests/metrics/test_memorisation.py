"""Memorisation: counts against a loop over pixels, shares and turning points by hand."""

import math

import pytest
import torch
from on_gpu import CUDA, DEVICE, on_gpu

from segnoise.metrics.memorisation import (
    OUTCOMES,
    memorisation_begins,
    memorisation_counts,
    memorisation_shares,
)


def naive(prediction, given, true, num_classes, void):
    counts = [[0] * num_classes for _ in OUTCOMES]
    for p, g, t in zip(prediction.flatten(), given.flatten(), true.flatten(), strict=True):
        p, g, t = int(p), int(g), int(t)
        if void in (g, t):
            continue
        if g == t:
            outcome = "right" if p == t else "missed"
        else:
            outcome = "given" if p == g else "true" if p == t else "other"
        counts[OUTCOMES.index(outcome)][t] += 1
    return torch.tensor(counts)


@pytest.mark.parametrize("void", [255, 0])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_counts_are_those_of_a_loop(void, dtype):
    generator = torch.Generator().manual_seed(3)
    labels = torch.tensor([0, 1, 2, 3, void])
    given, true = (labels[torch.randint(5, (2, 9, 7), generator=generator)] for _ in range(2))
    prediction = torch.randint(4, (2, 9, 7), generator=generator)
    counted = memorisation_counts(prediction, given.to(dtype), true.to(dtype), 4, void)
    assert counted.tolist() == naive(prediction, given, true, 4, void).tolist()
    assert counted.sum() == ((given != void) & (true != void)).sum()
    halves = [
        memorisation_counts(p, g, t, 4, void)
        for p, g, t in zip(prediction, given, true, strict=True)
    ]
    assert torch.equal(sum(halves), counted), "counts add"


def test_nothing_to_count_gives_nan_shares():
    void = torch.full((2, 2), 255)
    shares = memorisation_shares(memorisation_counts(void * 0, void, void, 3).sum(1))
    assert all(math.isnan(float(value)) for value in shares.values())


def test_shares_by_class():
    counts = torch.tensor([[3, 0], [1, 2], [0, 2], [8, 5], [2, 5]])
    shares = memorisation_shares(counts)
    assert shares["given"].tolist() == [0.75, 0.0]
    assert shares["true"].tolist() == [0.25, 0.5]
    assert shares["other"].tolist() == [0.0, 0.5]
    assert shares["right_accuracy"].tolist() == [0.8, 0.5]


def test_shapes_must_fit():
    with pytest.raises(ValueError, match=r"differ in shape: \(2,\), \(3,\), \(3,\)"):
        memorisation_counts(torch.zeros(2), torch.zeros(3), torch.zeros(3), 2)
    with pytest.raises(ValueError, match=r"5 rows, got shape \(4, 2\)"):
        memorisation_shares(torch.zeros(4, 2))


def curve(given, true):
    return [
        {"epoch": epoch, "given": g, "true": t}
        for epoch, (g, t) in enumerate(zip(given, true, strict=True), start=1)
    ]


@pytest.mark.parametrize(
    ("given", "true", "epoch"),
    [
        ([20, 15, 12, 30, 50], [60, 80, 79, 65, 45], 3),  # learns the truth, then forgets it
        ([20, 15, 12, 11], [60, 80, 85, 86], None),  # never memorises
        ([20, 30, 40, 60], [70, 60, 50, 30], 1),  # from the start
        ([20, 12, 30, 11, 40], [60, 80, 70, 75, 50], 4),  # a rise that is not for good
        ([20, 10, 10, 40], [60, 80, 80, 50], 3),  # the last of equals
        ([5, 15, 12, 30], [10, 80, 79, 65], 3),  # low before the peak does not count
        ([20, 12, 12.5, 12.9], [60, 80, 80, 80], None),  # less than a point
        ([None, 12, 20], [None, 80, 70], 2),
        ([None], [None], None),
        ([], [], None),
    ],
)
def test_where_memorisation_begins(given, true, epoch):
    assert memorisation_begins(curve(given, true)) == epoch


def test_the_least_rise_is_a_choice():
    history = curve([20, 12, 12.9], [60, 80, 80])
    assert memorisation_begins(history, least_rise=0.5) == 2


@on_gpu
def test_counting_on_a_gpu_does_not_wait_for_it():
    generator = torch.Generator().manual_seed(3)
    tensors = [torch.randint(4, (2, 9, 7), generator=generator) for _ in range(3)]
    there = [tensor.to(DEVICE) for tensor in tensors]
    torch.cuda.set_sync_debug_mode("error") if CUDA else None
    try:
        counted = memorisation_counts(*there, 4)
    finally:
        torch.cuda.set_sync_debug_mode("default") if CUDA else None
    assert counted.tolist() == memorisation_counts(*tensors, 4).tolist()
