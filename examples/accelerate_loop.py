"""A loop with Hugging Face's accelerate: python examples/accelerate_loop.py [--resume]."""

from __future__ import annotations

import sys
from pathlib import Path

import parts
import torch
from accelerate import Accelerator


def train(folder: Path, epochs: int = parts.EPOCHS, resume: bool = False) -> list[float]:
    """Train, write a checkpoint after every epoch, and return the epochs' losses."""
    accelerator = Accelerator(cpu=True)
    checkpoint, criterion, model = folder / "accelerate", parts.loss(), parts.network()
    optimizer = torch.optim.Adam(model.parameters(), parts.LEARNING_RATE)
    batches = parts.loader(parts.training_data(folder))
    model, optimizer, batches = accelerator.prepare(model, optimizer, batches)
    first, losses = 0, []
    if resume:
        accelerator.load_state(str(checkpoint))
        first = int((checkpoint / "epoch.txt").read_text())
    for epoch in range(first, epochs):
        batches.set_epoch(epoch)  # accelerate passes it on to the sampler and to the data set
        total = 0.0
        for batch in batches:
            value = criterion(model(batch["image"]), batch["mask"])
            optimizer.zero_grad()
            accelerator.backward(value)
            optimizer.step()
            total += value.item()
        losses.append(total / len(batches))
        accelerator.save_state(str(checkpoint))
        (checkpoint / "epoch.txt").write_text(str(epoch + 1))
    return losses


if __name__ == "__main__":
    print(train(Path("work_dirs/examples"), resume="--resume" in sys.argv))
