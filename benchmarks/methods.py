"""Time of a training step with each method, as a ratio to the same step without any.

    python benchmarks/methods.py --rounds 5 --size 128

A step is the Segmentor's losses, backward, SGD, and the method's look at the new weights, on random
images and labels, in a state where the method does all it ever does. A method and the plain step
take turns: a ratio is that of two steps one after the other, whose order changes every round.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import torch
from mmengine.device import get_device

from segnoise.engine.model import build_methods
from segnoise.methods import METHODS
from segnoise.models import Segmentor

CLASSES = 21
EPOCH_ITERS, MAX_ITERS = 10, 1000
ROWS: dict[str, dict[str, Any]] = {
    "WarmUp": {"type": "WarmUp", "start": 0.0, "end": 1.0},
    "ClassBalanced": {"type": "ClassBalanced"},
    "ObjectBalanced": {"type": "ObjectBalanced"},
    "SmallLoss, image": {"type": "SmallLoss", "noise_rate": 0.2},
    "SmallLoss, class": {"type": "SmallLoss", "noise_rate": 0.2, "group": "class"},
    "CoTeaching": {"type": "CoTeaching", "noise_rate": 0.2},
    "MeanTeacher": {"type": "MeanTeacher"},
    "MeanTeacher, consistency": {"type": "MeanTeacher", "consistency": 1.0},
    "ObjectTeacher": {"type": "ObjectTeacher"},
    "ObjectTeacher, mirror": {"type": "ObjectTeacher", "mirror": True},
    "ADELE": {"type": "ADELE"},
    "ADELE, no consistency": {"type": "ADELE", "consistency": 0.0},
    "MissingObjects": {"type": "MissingObjects", "tau": 0.1},
    "MissingObjects, object-wise": {"type": "MissingObjects", "tau": 0.1, "object_wise": True},
    "Abstention": {"type": "Abstention", "noise_rate": 0.2},
}


class Training:
    """A model with at most one method, and a batch."""

    def __init__(self, entry: dict[str, Any] | None, settings: argparse.Namespace) -> None:
        torch.manual_seed(0)
        methods = build_methods([entry] if entry else [])
        extra = sum(method.extra_outputs(CLASSES) for method in methods.values())
        self.model = Segmentor(
            CLASSES,
            encoder=settings.encoder,
            encoder_weights=None,
            losses=[{"type": "CE"}],
            extra_outputs=extra,
        )
        self.model.set_methods(methods, MAX_ITERS, EPOCH_ITERS)
        self.model.to(get_device()).train()
        for method in methods.values():
            method.iteration = MAX_ITERS // 2 + 1  # all is ramped up; no point of a curve is due
            if entry and entry["type"] == "ADELE":
                method.corrected[0] = True
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01)
        size = settings.size
        cells = torch.randint(CLASSES, (settings.batch_size, size // 16, size // 16))
        labels = cells.repeat_interleave(16, 1).repeat_interleave(16, 2)
        self.batch = (
            torch.randn(settings.batch_size, 3, size, size, device=get_device()),
            labels.to(get_device()),
        )

    def step(self) -> float:
        """Train on the batch once, and return the seconds it took."""
        _synchronize()
        start = time.perf_counter()
        total, _ = self.model.parse_losses(self.model(*self.batch, mode="loss"))
        self.optimizer.zero_grad()
        total.backward()
        self.optimizer.step()
        for method in self.model.methods.values():
            method.after_step(self.model.network)  # type: ignore[operator]
        _synchronize()
        return time.perf_counter() - start


def _measure(plain: Training, other: Training, rounds: int) -> tuple[float, list[float]]:
    """Median seconds of a step with a method, and its ratios to a plain step beside it."""
    other.step()
    seconds, ratios = [], []
    for number in range(rounds):
        pair = [plain, other] if number % 2 else [other, plain]
        times = {training: training.step() for training in pair}
        seconds.append(times[other])
        ratios.append(times[other] / times[plain])
    return statistics.median(seconds), ratios


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=128, help="of the square images, in pixels")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--encoder", default="resnet18")
    settings = parser.parse_args()
    missing = METHODS.keys() - {entry["type"] for entry in ROWS.values()}
    if missing:
        raise SystemExit(f"no row for {', '.join(sorted(missing))}: add one to ROWS")
    plain = Training(None, settings)
    plain.step()  # warms up
    rows = [(name, *_measure(plain, Training(entry, settings), settings.rounds))
            for name, entry in ROWS.items()]  # fmt: skip
    print(
        f"{settings.batch_size} images of {settings.size} x {settings.size}, {CLASSES} classes, "
        f"U-Net {settings.encoder}, {get_device()}, {torch.get_num_threads()} thread(s), "
        f"torch {torch.__version__}; median of {settings.rounds} rounds"
    )
    print("\n| method | ms a step | times plain | min | max |\n|:--|--:|--:|--:|--:|")
    for name, seconds, ratios in rows:
        print(
            f"| {name} | {1000 * seconds:.0f} | {statistics.median(ratios):.2f} | "
            f"{min(ratios):.2f} | {max(ratios):.2f} |"
        )


if __name__ == "__main__":
    main()
