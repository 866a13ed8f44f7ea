"""MONAI's SupervisedTrainer: python examples/monai_loop.py [--resume]."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import parts
import torch
from ignite.engine import Events
from monai.engines import SupervisedTrainer
from monai.handlers import CheckpointLoader, CheckpointSaver


def image_and_mask(batch: dict[str, Any], device: Any, non_blocking: bool, **_: Any) -> Any:
    """What MONAI's trainer takes from a batch."""
    return batch["image"].to(device), batch["mask"].to(device)


def train(folder: Path, epochs: int = parts.EPOCHS, resume: bool = False) -> list[float]:
    """Train, write a checkpoint, and return the epochs' losses."""
    model = parts.network()
    optimizer = torch.optim.Adam(model.parameters(), parts.LEARNING_RATE)
    batches = parts.loader(parts.training_data(folder))
    trainer = SupervisedTrainer(
        device=torch.device("cpu"), max_epochs=epochs, train_data_loader=batches, network=model,
        optimizer=optimizer, loss_function=parts.loss(), prepare_batch=image_and_mask,
    )  # fmt: skip
    kept = {"network": model, "optimizer": optimizer, "trainer": trainer}
    CheckpointSaver(str(folder), kept, save_final=True, final_filename="monai.pt").attach(trainer)
    if resume:
        CheckpointLoader(str(folder / "monai.pt"), kept).attach(trainer)
    losses: list[float] = []

    def begin(engine: Any) -> None:
        # The event comes before the epoch's first batch is read; MONAI counts epochs from 1.
        batches.sampler.set_epoch(engine.state.epoch - 1)
        batches.dataset.set_epoch(engine.state.epoch - 1)
        losses.append(0.0)

    def note(engine: Any) -> None:
        losses[-1] += float(engine.state.output[0]["loss"]) / len(batches)

    trainer.add_event_handler(Events.EPOCH_STARTED, begin)
    trainer.add_event_handler(Events.ITERATION_COMPLETED, note)
    trainer.run()
    return losses


if __name__ == "__main__":
    print(train(Path("work_dirs/examples"), resume="--resume" in sys.argv))
