"""Images per second of our training loop, as a ratio to a plain PyTorch + SMP loop.

Both train the same network on the same files with the same augmentation, loss and optimizer, in
alternating rounds of one run; the ratio is the median over the rounds. The first iterations of a
round, in which workers start and caches fill, are not counted. Of ours it is also said how much of
an iteration is waiting for data, the step, and the hooks that look on (log, checks).

    python benchmarks/training.py --rounds 7 --iterations 40
    python benchmarks/training.py --data data/camvid --amp bf16 --channels-last     # on a GPU
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

from segnoise.datasets import TRANSFORMS, CamVid, Phantoms, Transformed, collate
from segnoise.engine.schema import complete
from segnoise.engine.train import train
from segnoise.models.preprocessor import IMAGENET_MEAN, IMAGENET_STD

WARM_UP = 5
PARTS = ("waiting for data", "step", "hooks")


class Clock(Hook):
    """Seconds between the end of the warm-up and the last iteration, and where they went."""

    priority = "LOWEST"

    def __init__(self, iterations: int) -> None:
        self.iterations = iterations
        self.seconds = 0.0
        self.waiting = 0.0  # for data
        self.stepping = 0.0  # as far as the processor is busy with it: a GPU goes on by itself
        self._last = self._ready = 0.0

    def before_train_iter(self, runner: Any, batch_idx: int, **_: Any) -> None:
        """Put down when a batch has come."""
        self._ready = time.perf_counter()
        if batch_idx >= WARM_UP:
            self.waiting += self._ready - self._last

    def after_train_iter(self, runner: Any, batch_idx: int, **_: Any) -> None:
        """Look at the clock twice for the whole."""
        if batch_idx + 1 in (WARM_UP, self.iterations):
            _synchronize()
            self.seconds = time.perf_counter() - self.seconds
        self._last = time.perf_counter()


class StepClock(Hook):
    """When a step ends, before the other hooks look on."""

    priority = "HIGHEST"

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def after_train_iter(self, runner: Any, batch_idx: int, **_: Any) -> None:
        """Add the step's time."""
        if batch_idx >= WARM_UP:
            self.clock.stepping += time.perf_counter() - self.clock._ready


def ours(settings: argparse.Namespace, root: str) -> Clock:
    clock = Clock(settings.iterations)
    quiet = contextlib.redirect_stdout(io.StringIO())
    with tempfile.TemporaryDirectory() as folder, quiet, contextlib.redirect_stderr(io.StringIO()):
        train(
            complete(
                {
                    "data_root": root,
                    "train_data": {"type": kind(settings).__name__, "split": "train"},
                    "train_transform": transform(settings),
                    "model": {
                        "encoder": settings.encoder,
                        "encoder_weights": None,
                        "channels_last": settings.channels_last,
                    },
                    "losses": [{"type": "CE"}],
                    "optim_wrapper": {"optimizer": {"type": "SGD", "lr": 0.01, "momentum": 0.9}},
                    "train_cfg": {"max_iters": settings.iterations},
                    "batch_size": settings.batch_size,
                    "num_workers": settings.workers,
                    "amp": settings.amp,
                    "check_data": "masks",
                    "custom_hooks": [StepClock(clock), clock],
                    "work_dir": folder,
                }
            )
        )
    return clock


def kind(settings: argparse.Namespace) -> type:
    """Which data set lies there."""
    return CamVid if settings.data else Phantoms


def transform(settings: argparse.Namespace) -> dict[str, Any]:
    if settings.data:
        size = (settings.size, settings.size)
        return {"type": "RandomScaleCrop", "crop_size": size, "scale": (1.0, 2.0)}
    steps = [
        {"type": "HorizontalFlip", "p": 0.5},
        {"type": "Affine", "scale": (0.85, 1.15), "rotate": (-15, 15), "p": 0.8},
        {"type": "RandomBrightnessContrast", "p": 0.5},
    ]
    return {"type": "Augment", "transforms": steps}


def plain(settings: argparse.Namespace, root: str) -> float:
    """What one writes by hand: DataLoader, SMP's U-Net, F.cross_entropy, SGD."""
    torch.manual_seed(0)
    device = get_device()
    layout = torch.channels_last if settings.channels_last else torch.contiguous_format
    files = kind(settings)(root, "train")
    classes = len(files.metainfo["classes"])
    network = smp.Unet(settings.encoder, encoder_weights=None, classes=classes)
    network = network.to(device, memory_format=layout).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    arguments = transform(settings)
    dataset = Transformed(files, TRANSFORMS[arguments.pop("type")](**arguments))
    amp = torch.autocast(torch.device(device).type, torch.bfloat16, enabled=settings.amp == "bf16")
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
        with amp:
            outputs = network(image.contiguous(memory_format=layout))
            loss = F.cross_entropy(outputs, mask, ignore_index=255)
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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--iterations", type=int, default=40)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--encoder", default="resnet18")
    parser.add_argument("--data", metavar="CAMVID", help="its folder; by default phantoms are made")
    parser.add_argument("--size", type=int, default=512, help="of the crops, with --data")
    parser.add_argument("--amp", choices=["bf16"], help="on a GPU")
    parser.add_argument("--channels-last", action="store_true")
    settings = parser.parse_args()
    with contextlib.ExitStack() as stack:
        root = settings.data or stack.enter_context(tempfile.TemporaryDirectory())
        kind(settings)(root, "train")  # phantoms are made before any clock runs
        rounds = [measure(settings, root, number) for number in range(settings.rounds)]
    for name in ("plain", "ours"):
        speeds = [row[name] for row in rounds]
        print(f"{name:<6} {statistics.median(speeds):8.2f} images/s (median of {len(speeds)})")
    ratios = [row["ratio"] for row in rounds]
    print(
        f"ratio  {statistics.median(ratios):8.3f} ours / plain "
        f"(min {min(ratios):.3f}, max {max(ratios):.3f}); {get_device()}, torch {torch.__version__}"
    )
    shares = {part: statistics.median(row[part] for row in rounds) for part in PARTS}
    print("ours:", ", ".join(f"{part} {100 * share:.0f} %" for part, share in shares.items()))


def measure(settings: argparse.Namespace, root: str, number: int) -> dict[str, float]:
    """Images per second of both loops in a round, and the shares of ours."""
    images = (settings.iterations - WARM_UP) * settings.batch_size
    if number % 2:
        seconds, clock = plain(settings, root), ours(settings, root)
    else:
        clock, seconds = ours(settings, root), plain(settings, root)
    shares = clock.waiting / clock.seconds, clock.stepping / clock.seconds
    return {
        "plain": images / seconds,
        "ours": images / clock.seconds,
        "ratio": seconds / clock.seconds,
        **dict(zip(PARTS, (*shares, max(0.0, 1 - sum(shares))), strict=True)),
    }


if __name__ == "__main__":
    main()
