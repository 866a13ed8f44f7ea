"""The losses in a plain training loop, in the place of one of segmentation_models_pytorch."""

import naive_losses
import pytest
import segmentation_models_pytorch as smp
import torch
from torch import nn

from segnoise.losses import build_loss


def train(loss, mode="multiclass", steps=30):
    """Fit a tiny network to images that are their own labels; return accuracy and losses."""
    torch.manual_seed(0)
    channels = 1 if mode == "binary" else 3
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, channels, 1))
    labels = torch.randint(2 if mode == "binary" else 3, (4, 8, 8))
    images = nn.functional.one_hot(labels, 3).movedim(-1, 1).float()
    void = torch.rand(4, 8, 8) < 0.2
    masks = labels.masked_fill(void, 255)
    if mode == "binary":
        masks = masks.unsqueeze(1).float()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        logits = network(images)
        loss(logits, masks).backward()
        optimizer.step()
    predicted = (logits[:, 0] > 0).long() if mode == "binary" else logits.argmax(1)
    return (predicted == labels).float().mean().item()


def test_smp_s_loss_learns_here():
    assert train(smp.losses.FocalLoss("multiclass", ignore_index=255)) > 0.95


def test_each_kind_swaps_in(kind):
    name = kind[0]
    if name == "BackwardCorrection":  # labels are right here
        kind = (name, {"transition_matrix": torch.eye(3)})
    steps = 30
    loss = naive_losses.make(kind, "multiclass", 3, ignore_index=255)
    if name == "NLNL":  # one class in two is ruled out at a time, and drawn anew
        loss, steps = build_loss(name, mode="multiclass", ignore_index=255), 100
    assert train(loss, steps=steps) > 0.95


@pytest.mark.parametrize("name", ["CE", "FL", "GCE", "NCE+RCE", "ANL-CE"])
def test_binary_with_smp_s_float_masks(name):
    assert train(build_loss(name, mode="binary", ignore_index=255), mode="binary") > 0.95
