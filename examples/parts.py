"""What the loops of this folder have in common: noisy data, augmentation, a network, a loss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, DistributedSampler

from segnoise.datasets import Augment, NoisyLabels, Phantoms, Transformed, collate
from segnoise.losses import build_loss

EPOCHS = 3
CLASSES = 5
LEARNING_RATE = 0.01


def training_data(folder: Path) -> Transformed:
    """Six generated images, with 20 % of the labels wrong, augmented anew in every epoch."""
    clean = Phantoms(folder / "data", num_images=6, size=32)
    noisy = NoisyLabels(clean, {"type": "SymmetricFlip", "rate": 0.2}, seed=0)
    turn = {"type": "Affine", "rotate": (-30, 30), "p": 1.0}
    return Transformed(noisy, Augment([{"type": "HorizontalFlip"}, turn]), seed=0)


def loader(data: Transformed, epoch: int = 0) -> DataLoader:
    """Batches in an order that follows from seed and epoch, so that a training can resume.

    A loader with shuffle=True does as well, but its order follows from torch's generator, whose
    state a checkpoint would have to hold. One process is all that this sampler serves here.
    """
    data.set_epoch(epoch)
    sampler: DistributedSampler[Any] = DistributedSampler(data, num_replicas=1, rank=0, seed=0)
    sampler.set_epoch(epoch)
    return DataLoader(
        data, batch_size=2, sampler=sampler, num_workers=1, persistent_workers=True,
        collate_fn=batch,
    )  # fmt: skip


def batch(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Images from 0 to 1 and labels as torch's losses have them."""
    found = collate(samples)
    return {**found, "image": found["image"].float() / 255, "mask": found["mask"].long()}


def network() -> nn.Module:
    """A network that trains in seconds, always from the same weights."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, CLASSES, 1)
    )


def loss() -> nn.Module:
    """A loss that withstands noise, with the interface of SMP's."""
    return build_loss("ANL-CE", mode="multiclass", ignore_index=255)
