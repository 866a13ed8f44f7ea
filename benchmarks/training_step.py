"""Share of a training step that the loss takes: U-Net on a ResNet-34, 21 classes, 512 x 512.

A step is forward, loss, backward and an SGD update. The loss is also timed by itself, on the logits
of that step; its share is loss / step. Medians over the rounds, the losses in alternating order.

    python benchmarks/training_step.py --rounds 7
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from losses import describe, naive_anl_ce, timed, wait
from torch import Tensor, nn

from segnoise.kernels import VARIABLE
from segnoise.losses import build_loss

CLASSES = 21


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--encoder", default="resnet34")
    parser.add_argument("--compile", action="store_true", help="with SEGNOISE_KERNELS=compile too")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    settings = parser.parse_args(arguments)
    settings.dtype, settings.channels_last = "float32", False
    rows = measure(settings)
    shape = (settings.batch_size, CLASSES, settings.size, settings.size)
    print(describe(shape, settings), "", sep="\n")
    print("| loss | step, ms | of which the loss, ms | share |\n|:--|--:|--:|--:|")
    for row in rows:
        print(
            f"| {row['loss']} | {row['step_milliseconds']:.0f} | {row['loss_milliseconds']:.1f} | "
            f"{100 * row['share']:.1f} % |"
        )


def measure(settings: Any) -> list[dict[str, Any]]:
    """Time of a step with each loss, and of the loss alone."""
    network = smp.Unet(settings.encoder, encoder_weights=None, classes=CLASSES).to(settings.device)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    shape = (settings.batch_size, settings.size, settings.size)
    images = torch.randn(shape[0], 3, *shape[1:], device=settings.device)
    labels = torch.randint(CLASSES, shape, device=settings.device)
    labels[:, : settings.size // 20] = 255

    ours = build_loss("ANL-CE", mode="multiclass", ignore_index=255)
    losses: dict[str, tuple[str, Callable[[Tensor], Tensor]]] = {
        "ANL-CE, naive port": ("eager", lambda z: naive_anl_ce(z, labels)),
        "F.cross_entropy": ("eager", lambda z: F.cross_entropy(z, labels, ignore_index=255)),
        "ANL-CE": ("auto", lambda z: ours(z, labels)),
    }
    if settings.compile:
        losses["ANL-CE, compiled"] = ("compile", lambda z: ours(z, labels))
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in losses}
    for number in range(-1, settings.rounds):  # the first round warms up
        names = list(losses) if number % 2 else list(losses)[::-1]
        for name in names:
            os.environ[VARIABLE] = losses[name][0]
            result = step(network, optimizer, images, losses[name][1])
            if number >= 0:
                times[name].append(result)
    os.environ[VARIABLE] = "auto"
    rows = []
    for name, pairs in times.items():
        whole, alone = (1e3 * statistics.median(column) for column in zip(*pairs, strict=True))
        share = statistics.median(part / total for total, part in pairs)
        rows.append(
            {"loss": name, "step_milliseconds": whole, "loss_milliseconds": alone, "share": share}
        )
    return rows


def step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    loss: Callable[[Tensor], Tensor],
) -> tuple[float, float]:
    """Seconds of one training step, and of its loss forward and backward by itself."""
    wait(images)
    start = time.perf_counter()
    optimizer.zero_grad()
    logits = network(images)
    loss(logits).backward()
    optimizer.step()
    wait(images)
    whole = time.perf_counter() - start
    return whole, sum(timed(loss, logits.detach().requires_grad_()))


if __name__ == "__main__":
    main()
