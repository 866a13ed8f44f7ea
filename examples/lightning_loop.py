"""A Lightning module: python examples/lightning_loop.py [--resume]."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import lightning
import parts
import torch
from torch import Tensor


class Segmentation(lightning.LightningModule):
    """A network and a loss that withstands noise."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.network, self.criterion = parts.network(), parts.loss()
        self.losses: list[float] = []

    def train_dataloader(self) -> Any:
        """Begin with the views of the epoch to come.

        Lightning reads ahead before any other hook: on_train_epoch_start were too late.
        """
        return parts.loader(parts.training_data(self.folder), self.current_epoch)

    def training_step(self, batch: dict[str, Any], _: int) -> Tensor:
        """Return a batch's loss."""
        value: Tensor = self.criterion(self.network(batch["image"]), batch["mask"])
        self.log("loss", value, on_step=False, on_epoch=True, batch_size=1)
        return value

    def on_train_epoch_end(self) -> None:
        """Keep the mean over the epoch's batches."""
        self.losses.append(float(self.trainer.callback_metrics["loss"]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Train as the other loops do."""
        return torch.optim.Adam(self.parameters(), parts.LEARNING_RATE)


def trainer(epochs: int) -> lightning.Trainer:
    """A trainer without logs and progress, which tests do not need."""
    return lightning.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip


def train(folder: Path, epochs: int = parts.EPOCHS, resume: bool = False) -> list[float]:
    """Train, write a checkpoint, and return the epochs' losses."""
    checkpoint, model, running = folder / "lightning.ckpt", Segmentation(folder), trainer(epochs)
    running.fit(model, ckpt_path=checkpoint if resume else None, weights_only=True)
    running.save_checkpoint(checkpoint)
    return model.losses


if __name__ == "__main__":
    print(train(Path("work_dirs/examples"), resume="--resume" in sys.argv))
