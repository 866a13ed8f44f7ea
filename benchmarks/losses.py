"""Cost of the losses, as ratios to torch.nn.functional.cross_entropy in the same run.

In every round each loss runs right before or after one cross-entropy, in alternating order; a ratio
is the median over the rounds. The floor is the time to copy what must move at least, the logits
three times (read forwards, read and gradient written backwards), at the bandwidth at which this
device copies them. Memory is the peak beside the logits during forward and backward, as a multiple
of the gradient (of the resident size on a CPU, Linux only, where small logits say nothing).

    python benchmarks/losses.py --rounds 15 --json losses.json
    python benchmarks/losses.py --losses ANL-CE GCE --kernels compile
    python benchmarks/losses.py --shape 8 21 512 512 --dtype bfloat16        # on a GPU
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from segnoise.kernels import KINDS, VARIABLE
from segnoise.losses import LOSSES, build_loss
from segnoise.losses.names import short_names

# Full size on a GPU, a quarter of the batch or of the pixels on a CPU.
SHAPES = {
    "cuda": [(8, 21, 512, 512), (4, 19, 512, 1024), (2, 150, 512, 512), (16, 2, 512, 512)],
    "cpu": [(2, 21, 512, 512), (1, 19, 512, 1024), (2, 150, 256, 256), (4, 2, 512, 512)],
}
MISSING = ("Hill", "SPLC", "ASL")  # of one score, in multilabel mode
NAIVE = "ANL-CE, naive port"
PER_SCORE = "BCE with logits"  # PyTorch's, what the losses of one score replace


class Timing(NamedTuple):
    """Seconds of one forward and one backward pass."""

    forward: float
    backward: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--shape", type=int, nargs=4, metavar=("N", "K", "H", "W"))
    parser.add_argument("--losses", nargs="+", help="short names; by default all")
    parser.add_argument("--kernels", nargs="+", choices=KINDS, default=["auto"])
    parser.add_argument("--dtype", default="float32", choices=["float32", "float16", "bfloat16"])
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--json", type=Path, metavar="OUT")
    settings = parser.parse_args(arguments)
    names = settings.losses or [n for n in short_names() if n != "L1"]
    unknown = [n for n in names if n not in LOSSES]
    if unknown:
        sys.exit(f"--losses {unknown[0]}: no such loss; there are: {', '.join(LOSSES)}")
    shapes = [tuple(settings.shape)] if settings.shape else SHAPES[settings.device]
    tables = []
    for shape in shapes:
        rows = measure_shape(names, shape, settings)
        tables.append({"shape": shape, **rows})
        print(report(tables[-1], settings), flush=True)
    if settings.json:
        content = {"date": str(date.today()), **environment(settings), "tables": tables}
        settings.json.write_text(json.dumps(content, indent=1) + "\n")


def measure_shape(names: list[str], shape: tuple[int, ...], settings: Any) -> dict[str, Any]:
    """All losses on one shape: ratios to cross-entropy, and the floor."""
    logits = torch.randn(shape, device=settings.device, dtype=getattr(torch, settings.dtype))
    if settings.channels_last:
        logits = logits.to(memory_format=torch.channels_last)
    logits.requires_grad_()
    labels = torch.randint(shape[1], (shape[0], *shape[2:]), device=settings.device)
    labels[torch.rand(labels.shape, device=settings.device) < 0.05] = 255
    runs = {
        (name, kind): runner(name, shape, labels, kind)
        for name in names
        for kind in settings.kernels
    }
    if "ANL-CE" in names:
        runs[NAIVE, "eager"] = lambda z: naive_anl_ce(z, labels)
    if set(names) & set(MISSING):
        ones = (torch.rand(shape, device=settings.device) < 0.1).float()
        runs[PER_SCORE, "eager"] = lambda z: F.binary_cross_entropy_with_logits(z.float(), ones)

    def reference(z: Tensor) -> Tensor:
        return F.cross_entropy(z.float(), labels, ignore_index=255)

    rows = []
    peer: list[float] = []
    for (name, kind), run in runs.items():
        os.environ[VARIABLE] = kind
        timed(run, logits)  # warm up, compile
        pairs = []
        for number in range(settings.rounds):
            first, second = (run, reference) if number % 2 else (reference, run)
            one, two = timed(first, logits), timed(second, logits)
            pairs.append((one, two) if number % 2 else (two, one))
        peer += [sum(theirs) for _, theirs in pairs]
        rows.append(
            {
                "loss": name,
                "kernels": kind,
                "milliseconds": 1e3 * statistics.median(sum(ours) for ours, _ in pairs),
                **{
                    part: statistics.median(
                        getattr(ours, part) / getattr(theirs, part) for ours, theirs in pairs
                    )
                    for part in Timing._fields
                },
                "both": statistics.median(sum(ours) / sum(theirs) for ours, theirs in pairs),
                "memory": peak_memory(run, logits),
            }
        )
    os.environ[VARIABLE] = "auto"
    milliseconds = 1e3 * statistics.median(peer)
    return {
        "rows": rows,
        "cross_entropy_milliseconds": milliseconds,
        "cross_entropy_memory": peak_memory(reference, logits),
        "floor": 1e3 * floor(logits.detach()) / milliseconds,
    }


def runner(
    name: str, shape: tuple[int, ...], labels: Tensor, kind: str
) -> Callable[[Tensor], Tensor]:
    """A loss as a function of the logits."""
    loss = built(name, shape[1]).to(labels.device)
    if name in MISSING:
        random = torch.Generator().manual_seed(0)
        labels = (torch.rand(shape, generator=random) < 0.1).to(labels.device, torch.uint8)
    if name == "GJS":
        half = len(labels) // 2 or 1
        if shape[0] < 2:
            return lambda z: loss(torch.cat((z, z)), labels)
        return lambda z: loss(z, labels[:half])
    return lambda z: loss(z, labels)


def built(name: str, classes: int) -> torch.nn.Module:
    """A loss by its short name, in the mode in which it is measured."""
    own: dict[str, Any] = {}
    if name.endswith("Correction"):
        off = 0.2 / (classes - 1)
        own["transition_matrix"] = torch.full((classes, classes), off).fill_diagonal_(0.8)
    mode = "multilabel" if name in MISSING else "multiclass"
    return build_loss(name, mode=mode, ignore_index=255, **own)


def naive_anl_ce(logits: Tensor, labels: Tensor) -> Tensor:
    """ANL-CE as a port from classification code has it: one-hot, every term a tensor of its own."""
    classes = logits.shape[1]
    valid = labels != 255
    one_hot = F.one_hot(torch.where(valid, labels, 0), classes).movedim(-1, 1).float()
    p = torch.softmax(logits.float(), 1)
    log_p = torch.log(torch.clamp(p, 1e-7, 1.0))
    active = -(one_hot * log_p).sum(1) / (-log_p).sum(1)
    bound = 16.118095651
    flipped = bound + log_p
    negative = 1 - (one_hot * flipped).sum(1) / flipped.sum(1)
    return (5 * active + 5 * negative)[valid].mean()


def timed(run: Callable[[Tensor], Tensor], logits: Tensor) -> Timing:
    """One forward and one backward pass."""
    logits.grad = None
    wait(logits)
    start = time.perf_counter()
    value = run(logits)
    wait(logits)
    middle = time.perf_counter()
    value.backward()
    wait(logits)
    return Timing(middle - start, time.perf_counter() - middle)


def wait(logits: Tensor) -> None:
    if logits.is_cuda:
        torch.cuda.synchronize()


def floor(logits: Tensor) -> float:
    """Seconds to move the logits' bytes three times, by the speed of copying them."""
    target = torch.empty_like(logits)
    seconds = []
    for _ in range(7):
        wait(logits)
        start = time.perf_counter()
        target.copy_(logits)  # moves them twice
        wait(logits)
        seconds.append(time.perf_counter() - start)
    return 1.5 * statistics.median(seconds)


def peak_memory(run: Callable[[Tensor], Tensor], logits: Tensor) -> float | None:
    """Peak beside the logits during forward and backward, in gradients; None if unknown."""
    size = logits.numel() * logits.element_size()
    logits.grad = None
    if logits.is_cuda:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run(logits).backward()
        return (torch.cuda.max_memory_allocated() - before) / size
    try:
        # What the C library keeps for later use would hide what a run asks for.
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak
        resident = _status("VmRSS")
        run(logits).backward()
        return (_status("VmHWM") - resident) / size
    except (OSError, AttributeError):  # no Linux, or another C library
        return None


def _status(name: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024.0 * int(line.split()[1])
    raise OSError(f"/proc/self/status has no {name}")


def environment(settings: Any) -> dict[str, Any]:
    """What a number means nothing without."""
    device = platform.processor() or platform.machine()
    if settings.device == "cuda":
        device = torch.cuda.get_device_name()
    elif Path("/proc/cpuinfo").exists():
        found = [
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ]
        device = f"{found[0] if found else device}, {torch.get_num_threads()} threads"
    command = "python " + shlex.join([os.path.relpath(sys.argv[0]), *sys.argv[1:]])
    return {
        "device": device,
        "versions": f"torch {torch.__version__}, Python {platform.python_version()}",
        "command": command,
    }


def describe(shape: Sequence[int], settings: Any) -> str:
    """The line above a table."""
    about = environment(settings)
    return (
        f"**{' x '.join(map(str, shape))}**, {settings.dtype}"
        f"{', channels last' if settings.channels_last else ''}; {about['device']}; "
        f"{about['versions']}; `{about['command']}`"
    )


def report(table: dict[str, Any], settings: Any) -> str:
    """One shape's results as Markdown."""
    lines = [
        describe(table["shape"], settings),
        "",
        f"F.cross_entropy {table['cross_entropy_milliseconds']:.1f} ms; floor "
        f"{table['floor']:.2f}; memory {number(table['cross_entropy_memory'])}",
        "",
        "| loss | kernels | ms | / cross-entropy | forward | backward | memory / gradient |",
        "|:--|:--|--:|--:|--:|--:|--:|",
    ]
    for row in table["rows"]:
        lines.append(
            f"| {row['loss']} | {row['kernels']} | {row['milliseconds']:.1f} | {row['both']:.2f} "
            f"| {row['forward']:.2f} | {row['backward']:.2f} | {number(row['memory'])} |"
        )
    return "\n".join([*lines, ""])


def number(value: float | None) -> str:
    """A ratio in a table."""
    return "not measured" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    main()
