"""Cost of the confusion matrix from scores, as ratios to argmax and torch.bincount in one run.

The peer is what evaluation scripts write: ``scores.argmax(1)``, valid pixels picked out, and
``torch.bincount``. It and each way of ours run in alternating order; a ratio is the median over the
rounds. The floor is the time to read the scores once, at half the time in which this device copies
them.

    python benchmarks/metrics.py --rounds 15
    python benchmarks/metrics.py --shape 8 21 512 512 --dtype bfloat16       # on a GPU
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from losses import SHAPES, describe, floor, wait
from torch import Tensor

from segnoise.kernels import VARIABLE
from segnoise.metrics import confusion_matrix, confusion_matrix_from_scores


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--shape", type=int, nargs=4, metavar=("N", "K", "H", "W"))
    parser.add_argument("--dtype", default="float32", choices=["float32", "float16", "bfloat16"])
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    settings = parser.parse_args(arguments)
    for shape in [tuple(settings.shape)] if settings.shape else SHAPES[settings.device]:
        print(report(shape, settings), flush=True)


def peer(scores: Tensor, target: Tensor) -> Tensor:
    classes = scores.shape[1]
    truth, guess = target.flatten(), scores.argmax(1).flatten()
    valid = (truth >= 0) & (truth < classes)
    cells = classes * truth[valid] + guess[valid]
    return torch.bincount(cells, minlength=classes * classes).view(classes, classes)


def measure(shape: tuple[int, ...], settings: Any) -> dict[str, Any]:
    """Each way's time on one shape, the peer's, and the floor as a share of the peer's."""
    scores = torch.randn(shape, device=settings.device, dtype=getattr(torch, settings.dtype))
    if settings.channels_last:
        scores = scores.to(memory_format=torch.channels_last)
    target = torch.randint(shape[1], (shape[0], *shape[2:]), device=settings.device)
    target[:, : shape[2] // 20] = 255
    ways: dict[str, tuple[str, Callable[[Tensor, Tensor], Tensor]]] = {
        "confusion_matrix_from_scores": ("auto", confusion_matrix_from_scores),
        "confusion_matrix of argmax": (
            "eager",
            lambda s, t: confusion_matrix(s.argmax(1), t, s.shape[1]),
        ),
    }
    if settings.device == "cuda":
        ways["confusion_matrix_from_scores, eager"] = ("eager", confusion_matrix_from_scores)
    rows, peers = [], []
    for name, (kind, way) in ways.items():
        os.environ[VARIABLE] = kind
        assert way(scores, target).equal(peer(scores, target))  # and warms up
        pairs = []
        for number in range(settings.rounds):
            pair = [
                timed(run, scores, target) for run in ((way, peer) if number % 2 else (peer, way))
            ]
            pairs.append(pair if number % 2 else pair[::-1])
        peers += [theirs for _, theirs in pairs]
        ours = 1e3 * statistics.median(one for one, _ in pairs)
        ratio = statistics.median(one / two for one, two in pairs)
        rows.append({"way": name, "milliseconds": ours, "ratio": ratio})
    os.environ[VARIABLE] = "auto"
    milliseconds = 1e3 * statistics.median(peers)
    # The floor of a loss moves the scores three times, a copy twice.
    least = 1e3 * floor(scores) / 3 / milliseconds
    return {"rows": rows, "peer_milliseconds": milliseconds, "floor": least}


def report(shape: tuple[int, ...], settings: Any) -> str:
    """One shape's results as Markdown."""
    found = measure(shape, settings)
    return "\n".join(
        [
            describe(shape, settings),
            "",
            f"argmax and bincount {found['peer_milliseconds']:.2f} ms; floor {found['floor']:.2f}",
            "",
            "| way | ms | / argmax and bincount |",
            "|:--|--:|--:|",
            *(
                f"| {r['way']} | {r['milliseconds']:.2f} | {r['ratio']:.2f} |"
                for r in found["rows"]
            ),
            "",
        ]
    )


def timed(run: Callable[[Tensor, Tensor], Tensor], scores: Tensor, target: Tensor) -> float:
    """Seconds of one call."""
    wait(scores)
    start = time.perf_counter()
    run(scores, target)
    wait(scores)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
