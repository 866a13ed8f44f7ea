"""Cost of losses on quarter-size logits: UpsampledLoss against F.interpolate and the same loss.

Forward and backward of both in alternating order; ratios are medians over the rounds. Memory is the
peak beside the quarter-size logits, as a multiple of the full-size ones (Linux only on a CPU).

    python benchmarks/upsampling.py --rounds 15
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from losses import SHAPES, describe, number, peak_memory, timed
from torch import Tensor

from segnoise.losses import UpsampledLoss, build_loss

SCALE = 4


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--shape", type=int, nargs=4, metavar=("N", "K", "H", "W"))
    parser.add_argument("--losses", nargs="+", default=["CE", "GCE", "NCE+AGCE", "ANL-CE"])
    parser.add_argument("--dtype", default="float32", choices=["float32", "float16", "bfloat16"])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    settings = parser.parse_args(arguments)
    settings.channels_last = False
    for shape in [tuple(settings.shape)] if settings.shape else SHAPES[settings.device]:
        print(report(shape, settings), flush=True)


def measure(name: str, shape: tuple[int, ...], settings: Any) -> dict[str, Any]:
    """Time and memory of one loss, fused and in two steps."""
    images, classes, height, width = shape
    size = (images, classes, height // SCALE, width // SCALE)
    dtype = getattr(torch, settings.dtype)
    logits = torch.randn(size, device=settings.device, dtype=dtype).requires_grad_()
    labels = torch.randint(classes, (images, height, width), device=settings.device)
    labels[:, : height // 20] = 255
    loss = build_loss(name, mode="multiclass", ignore_index=255)
    fused = UpsampledLoss(loss)

    def run_fused(z: Tensor) -> Tensor:
        return fused(z, labels)

    def two_steps(z: Tensor) -> Tensor:
        return loss(F.interpolate(z, size=labels.shape[1:], mode="bilinear"), labels)

    torch.testing.assert_close(run_fused(logits), two_steps(logits), rtol=1e-3, atol=1e-3)
    pairs = []
    for turn in range(settings.rounds):
        order = (run_fused, two_steps) if turn % 2 else (two_steps, run_fused)
        pair = [sum(timed(run, logits)) for run in order]
        pairs.append(pair if turn % 2 else pair[::-1])
    ours, theirs = (1e3 * statistics.median(column) for column in zip(*pairs, strict=True))
    memory = [peak_memory(run, logits) for run in (two_steps, run_fused)]
    whole = [None if m is None else m / SCALE**2 for m in memory]
    return {
        "loss": name,
        "two_steps_milliseconds": theirs,
        "fused_milliseconds": ours,
        "ratio": statistics.median(one / two for one, two in pairs),
        "two_steps_memory": whole[0],
        "fused_memory": whole[1],
    }


def report(shape: tuple[int, ...], settings: Any) -> str:
    """One shape's results as Markdown."""
    lines = [
        describe(shape, settings),
        "",
        "| loss | two steps, ms | fused, ms | fused / two steps | memory, two steps | fused |",
        "|:--|--:|--:|--:|--:|--:|",
    ]
    for name in settings.losses:
        row = measure(name, shape, settings)
        lines.append(
            f"| {name} | {row['two_steps_milliseconds']:.1f} | {row['fused_milliseconds']:.1f} | "
            f"{row['ratio']:.2f} | {number(row['two_steps_memory'])} | "
            f"{number(row['fused_memory'])} |"
        )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
