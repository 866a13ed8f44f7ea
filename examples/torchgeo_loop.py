"""torchgeo's task with a robust loss: python examples/torchgeo_loop.py [--resume]."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import parts
import torch
from lightning_loop import trainer
from torchgeo.trainers import SemanticSegmentationTask


class RobustTask(SemanticSegmentationTask):
    """The task's own step, metrics and logs; loss, network and data are replaced."""

    folder = Path()

    def configure_losses(self) -> None:
        """Called as torchgeo calls its own: with scores (N, K, H, W) and labels (N, H, W)."""
        self.criterion = parts.loss()

    def configure_models(self) -> None:
        """The network of the other loops; leave this out for torchgeo's."""
        self.model = parts.network()

    def configure_optimizers(self) -> Any:
        """Without torchgeo's schedule, which follows the validation loss."""
        return torch.optim.Adam(self.parameters(), parts.LEARNING_RATE)

    def train_dataloader(self) -> Any:
        """Begin with the views of the epoch to come, as in lightning_loop.py."""
        self.losses: list[float] = []
        return parts.loader(parts.training_data(self.folder), self.current_epoch)

    def training_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Any:
        """The task's own, and a note of the loss."""
        value = super().training_step(batch, batch_idx, dataloader_idx)
        self.losses.append(value.item())
        return value


def train(folder: Path, epochs: int = parts.EPOCHS, resume: bool = False) -> list[float]:
    """Train, write a checkpoint, and return the epochs' losses."""
    task, running = RobustTask(num_classes=parts.CLASSES, ignore_index=255), trainer(epochs)
    checkpoint, task.folder = folder / "torchgeo.ckpt", folder
    running.fit(task, ckpt_path=checkpoint if resume else None, weights_only=True)
    running.save_checkpoint(checkpoint)
    batches = running.num_training_batches
    steps = [task.losses[i : i + batches] for i in range(0, len(task.losses), batches)]
    return [sum(values) / batches for values in steps]


if __name__ == "__main__":
    print(train(Path("work_dirs/examples"), resume="--resume" in sys.argv))
