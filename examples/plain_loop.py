"""A loop in plain torch: python examples/plain_loop.py [--resume]."""

from __future__ import annotations

import sys
from pathlib import Path

import parts
import torch


def train(folder: Path, epochs: int = parts.EPOCHS, resume: bool = False) -> list[float]:
    """Train, write a checkpoint after every epoch, and return the epochs' losses."""
    checkpoint = folder / "plain.pt"
    model, criterion = parts.network(), parts.loss()
    optimizer = torch.optim.Adam(model.parameters(), parts.LEARNING_RATE)
    first, losses = 0, []
    if resume:
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["epoch"]
    batches = parts.loader(parts.training_data(folder), first)  # goes on with that epoch's views
    for epoch in range(first, epochs):
        batches.sampler.set_epoch(epoch)
        total = 0.0
        for batch in batches:
            value = criterion(model(batch["image"]), batch["mask"])
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            total += value.item()
        losses.append(total / len(batches))
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save({**state, "epoch": epoch + 1}, checkpoint)
    return losses


if __name__ == "__main__":
    print(train(Path("work_dirs/examples"), resume="--resume" in sys.argv))
