"""Images per second of our training loop, as a ratio to a plain PyTorch + SMP loop.

Both train the same network on the same files with the same augmentation, loss and optimizer, in
alternating rounds of one run; the ratio is the median over the rounds. The first iterations of a
round, in which workers start and caches fill, are not counted.

    python benchmarks/training.py --rounds 7 --iterations 40
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import segmentation_models_pytorch as smp
import torch
from mmengine.device import get_device
from mmengine.hooks import Hook
from torch.nn import functional as F
from torch.utils.data import DataLoader

from segnoise.datasets import Phantoms, Transformed, collate
from segnoise.engine.schema import complete
from segnoise.engine.train import train
from segnoise.models.preprocessor import IMAGENET_MEAN, IMAGENET_STD

WARM_UP = 5


class Clock(Hook):
    """Seconds between the end of the warm-up and the last iteration."""

    priority = "LOWEST"

    def __init__(self, iterations: int) -> None:
        self.iterations = iterations
        self.seconds = 0.0

    def after_train_iter(self, runner: Any, batch_idx: int, **_: Any) -> None:
        """Look at the clock twice."""
        if batch_idx + 1 in (WARM_UP, self.iterations):
            _synchronize()
            self.seconds = time.perf_counter() - self.seconds


def ours(settings: argparse.Namespace, root: str) -> float:
    clock = Clock(settings.iterations)
    quiet = contextlib.redirect_stdout(io.StringIO())
    with tempfile.TemporaryDirectory() as folder, quiet, contextlib.redirect_stderr(io.StringIO()):
        train(
            complete(
                {
                    "data_root": root,
                    "train_data": {"type": "Phantoms", "split": "train"},
                    "train_transform": transform(),
                    "model": {"encoder": settings.encoder, "encoder_weights": None},
                    "losses": [{"type": "CE"}],
                    "optim_wrapper": {"optimizer": {"type": "SGD", "lr": 0.01, "momentum": 0.9}},
                    "train_cfg": {"max_iters": settings.iterations},
                    "batch_size": settings.batch_size,
                    "num_workers": settings.workers,
                    "custom_hooks": [clock],
                    "work_dir": folder,
                }
            )
        )
    return clock.seconds


def transform() -> dict[str, Any]:
    steps = [
        {"type": "HorizontalFlip", "p": 0.5},
        {"type": "Affine", "scale": (0.85, 1.15), "rotate": (-15, 15), "p": 0.8},
        {"type": "RandomBrightnessContrast", "p": 0.5},
    ]
    return {"type": "Augment", "transforms": steps}


def plain(settings: argparse.Namespace, root: str) -> float:
    """What one writes by hand: DataLoader, SMP's U-Net, F.cross_entropy, SGD."""
    from segnoise.datasets.transforms import Augment

    torch.manual_seed(0)
    device = get_device()
    network = smp.Unet(settings.encoder, encoder_weights=None, classes=5).to(device).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    dataset = Transformed(Phantoms(root, "train"), Augment(transform()["transforms"]))
    loader = DataLoader(
        dataset,
        batch_size=settings.batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=settings.workers,
        persistent_workers=settings.workers > 0,
        collate_fn=collate,
        pin_memory=torch.cuda.is_available(),
    )
    mean = torch.tensor(IMAGENET_MEAN, device=device).view(-1, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=device).view(-1, 1, 1)
    start = 0.0
    for iteration, batch in enumerate(_repeat(loader, settings.iterations), 1):
        image = (batch["image"].to(device, non_blocking=True).float() - mean) / std
        mask = batch["mask"].to(device, non_blocking=True).long()
        loss = F.cross_entropy(network(image), mask, ignore_index=255)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if iteration == WARM_UP:
            _synchronize()
            start = time.perf_counter()
    _synchronize()
    return time.perf_counter() - start


def _repeat(loader: DataLoader, iterations: int) -> Iterator[dict[str, Any]]:
    done = 0
    while True:
        for batch in loader:
            yield batch
            done += 1
            if done == iterations:
                return


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--iterations", type=int, default=40)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--encoder", default="resnet18")
    settings = parser.parse_args()
    images = (settings.iterations - WARM_UP) * settings.batch_size
    speeds: dict[str, list[float]] = {"plain": [], "ours": []}
    with tempfile.TemporaryDirectory() as root:
        Phantoms(root, "train")  # made before any clock runs
        for number in range(settings.rounds):
            pair = [("plain", plain), ("ours", ours)]
            for name, run in pair if number % 2 else reversed(pair):
                speeds[name].append(images / run(settings, root))
    ratios = [o / p for o, p in zip(speeds["ours"], speeds["plain"], strict=True)]
    for name, values in speeds.items():
        print(f"{name:<6} {statistics.median(values):8.2f} images/s (median of {len(values)})")
    print(
        f"ratio  {statistics.median(ratios):8.3f} ours / plain "
        f"(min {min(ratios):.3f}, max {max(ratios):.3f}); {get_device()}, torch {torch.__version__}"
    )


if __name__ == "__main__":
    main()
