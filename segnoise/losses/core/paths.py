"""Which way computes a loss: on a GPU the fastest there, timed once and used from then on.

On a CUDA device, where ``SEGNOISE_KERNELS`` leaves it open, the first training step of a loss times
its forward and backward pass on the step's own logits: by PyTorch's operators ("eager"), as one
graph of torch.compile, by Triton kernels. What fails, or does not give the eager value and
gradient, is left out; of the rest each must be :data:`MARGIN` times as fast as the simpler ones.
That takes seconds, with the compiler up to a minute.

The choice is a file in ``$XDG_CACHE_HOME/segnoise`` (``~/.cache/segnoise``), by loss, classes,
pixels to the next power of two, dtype, layout, device and versions. The first one written stands:
the processes of a distributed training on a machine agree, and a run that is repeated or resumed
there has the same numbers to the bit. On another machine the way may be another, the numbers equal
up to rounding, unless ``SEGNOISE_KERNELS`` names it. Nothing is timed, and Triton computes what it
can, where no such file can be written, where PyTorch is to be deterministic
(``torch.use_deterministic_algorithms``), and where no gradient is wanted.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import tempfile
import time
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segnoise.kernels import VARIABLE, using, wanted
from segnoise.losses.core.derivatives import by_operators
from segnoise.losses.core.one_graph import as_one_graph
from segnoise.losses.core.target import Target
from segnoise.version import __version__

PATHS = ("eager", "compile", "triton")  # the simpler ones first
MARGIN = 1.15
SHAPES = 4  # for which graphs of a loss are compiled unasked: images may be of ever new sizes
_ROUNDS = 5

_log = logging.getLogger(__name__)
_paths: weakref.WeakKeyDictionary[Any, dict[tuple[Any, ...], str]] = weakref.WeakKeyDictionary()
_failed = False


def computed(loss: Any, target: Target, pixel_weights: Tensor | None) -> Tensor:
    """Return ``loss.value(target, pixel_weights)``, computed in the way that is wanted."""
    value: Callable[..., Tensor] = loss.value
    if torch.compiler.is_compiling() or by_operators(target.labels):
        return value(target, pixel_weights)
    path = wanted()
    if path == "auto" and _can_be_timed(loss, target.logits, pixel_weights):
        path = fastest(loss, target, pixel_weights)
    if path == "compile":
        return _as_graph_or_not(loss, target, pixel_weights)
    with using("eager") if path == "eager" else contextlib.nullcontext():
        return value(target, pixel_weights)


def _as_graph_or_not(loss: Any, target: Target, pixel_weights: Tensor | None) -> Tensor:
    """By a compiled graph, and where that fails once operation by operation from then on."""
    global _failed
    value: Callable[..., Tensor] = loss.value
    if _failed:
        return value(target, pixel_weights)
    try:
        return as_one_graph(loss, target, pixel_weights)
    except (torch._dynamo.exc.TorchDynamoException, torch._inductor.exc.InductorError) as error:
        result = value(target, pixel_weights)  # where the arguments are at fault, this says so
        _failed = True
        reason = _first_line(error)
        _log.warning("%s=compile does not work here, going on with eager: %s", VARIABLE, reason)
        return result


def _can_be_timed(loss: Any, logits: Tensor, pixel_weights: Tensor | None) -> bool:
    return (
        logits.is_cuda
        and logits.requires_grad
        and torch.is_grad_enabled()
        and not (pixel_weights is not None and pixel_weights.requires_grad)
        and not loss.needs  # such as a memory, which each call changes
        and not torch.are_deterministic_algorithms_enabled()
        and not torch.cuda.is_current_stream_capturing()
    )


def fastest(loss: Any, target: Target, pixel_weights: Tensor | None) -> str:
    """Return which of :data:`PATHS` is the fastest here; "auto" where that is not known."""
    logits = target.logits
    known = _paths.setdefault(loss, {})
    case = (logits.shape, logits.stride(), logits.dtype, logits.device, pixel_weights is None)
    if case not in known:
        ways = _ways(loss, target, pixel_weights)
        described = _described(loss, logits, pixel_weights)
        path = kept(described, lambda: measured(ways, logits.detach(), described))
        compiled = sum(other == "compile" for other in known.values())
        known[case] = "auto" if path == "compile" and compiled >= SHAPES else path
    return known[case]


def _ways(
    loss: Any, target: Target, pixel_weights: Tensor | None
) -> dict[str, Callable[[Tensor], Tensor]]:
    """Each of the paths as a function of the logits."""

    def given(logits: Tensor) -> Target:
        return Target(logits, target.labels, target.valid, target.num_classes)

    def eager(logits: Tensor) -> Tensor:
        with using("eager"):
            result: Tensor = loss.value(given(logits), pixel_weights)
            return result

    def graph(logits: Tensor) -> Tensor:
        return as_one_graph(loss, given(logits), pixel_weights)

    def triton(logits: Tensor) -> Tensor:
        with using("auto"):  # once its kernels have passed their own check
            result: Tensor = loss.value(given(logits), pixel_weights)
            return result

    return dict(zip(PATHS, (eager, graph, triton), strict=True))


def _described(loss: Any, logits: Tensor, pixel_weights: Tensor | None) -> str:
    """What a choice depends on, in words."""
    own = " ".join(repr(loss).split()).replace("( ", "(").replace(" )", ")")
    own = re.sub(r"class_weights=\([^)]*\)", "class_weights", own)
    if loss.logit_map is not None:  # which LogitClip gives to its base
        own += f" of {type(loss.logit_map).__name__}"
    pixels = max(1, logits.numel() // (logits.shape[1] if logits.dim() > 1 else 1))
    layout = "channels last" if logits.dim() > 2 and logits.stride(1) == 1 else "channels first"
    device = torch.cuda.get_device_name(logits.device) if logits.is_cuda else "CPU"
    weights = "" if pixel_weights is None else ", pixel weights"
    return (
        f"{own}, {logits.shape[1:2].numel()} channels, 2^{(pixels - 1).bit_length()} pixels, "
        f"{logits.dtype}, {layout}{weights}; {device}, torch {torch.__version__}, segnoise "
        f"{__version__}"
    )


def measured(
    ways: Mapping[str, Callable[[Tensor], Tensor]], logits: Tensor, described: str = ""
) -> str:
    """Time ways to a loss forwards and backwards, and return the name of the one to take."""
    # A thread of its own has none of what the caller may be in the middle of: autocast, hooks on
    # saved tensors (checkpointing), inference mode.
    with ThreadPoolExecutor(1) as apart:
        seconds, words = apart.submit(_timed, ways, logits).result()
    if not seconds:
        return "auto"  # not even the first one works: the call itself will say why
    best = next(iter(seconds))
    for name in seconds:
        if seconds[best] >= MARGIN * seconds[name]:
            best = name
    failed = any("not usable" in word for word in words)
    level = logging.WARNING if failed else logging.INFO
    _log.log(level, "%s: %s; taking %s", described, ", ".join(words), best)
    return best


def _timed(
    ways: Mapping[str, Callable[[Tensor], Tensor]], logits: Tensor
) -> tuple[dict[str, float], list[str]]:
    """Seconds of the ways that give the first one's numbers, and what to say of each."""
    seconds: dict[str, float] = {}
    words: list[str] = []
    expected: tuple[Tensor, Tensor] | None = None
    devices = [logits.device.index] if logits.is_cuda else []
    place = torch.cuda.device(logits.device) if logits.is_cuda else contextlib.nullcontext()
    with place, torch.random.fork_rng(devices):
        for name, run in ways.items():
            try:
                found = _step(run, logits)
                if expected is None:
                    expected = found
                _compare(found, expected)
                seconds[name] = _seconds(run, logits)
                words.append(f"{name} {1e3 * seconds[name]:.2f} ms")
            except Exception as error:  # a compiler, a driver, memory: anything may go wrong
                words.append(f"{name} not usable ({_first_line(error)})")
                if expected is None:
                    break
    return seconds, words


def _step(run: Callable[[Tensor], Tensor], logits: Tensor) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    leaf = logits.detach().requires_grad_()
    value = run(leaf)
    (gradient,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), gradient


def _compare(found: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor]) -> None:
    """Raise if a value or a gradient differs by more than rounding, as a share of the greatest."""
    for what, one, other in zip(("value", "gradient"), found, expected, strict=True):
        difference = float((one.double() - other.double()).abs().max())
        most = max(1e-5, 2 * torch.finfo(other.dtype).eps) * float(other.abs().max())
        if not difference <= most:
            raise ArithmeticError(f"its {what} is off by {difference:.1g}, {most:.1g} is rounding")


def _seconds(run: Callable[[Tensor], Tensor], logits: Tensor) -> float:
    """The least seconds of a forward and backward pass."""
    taken = []
    for _ in range(_ROUNDS):
        _wait(logits)
        start = time.perf_counter()
        _step(run, logits)
        _wait(logits)
        taken.append(time.perf_counter() - start)
    return min(taken)


def _wait(logits: Tensor) -> None:
    if logits.is_cuda:
        torch.cuda.synchronize(logits.device)


def kept(described: str, measure: Callable[[], str]) -> str:
    """Return the choice that is kept on this machine; the first time measure and keep it.

    Returns:
        The choice; "auto" where none can be kept.
    """
    root = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "segnoise"
    file = root / f"{hashlib.sha256(described.encode()).hexdigest()[:32]}.json"
    try:
        root.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            with tempfile.TemporaryDirectory(dir=root) as folder:  # that it can be written, too
                path = measure()
                if path not in PATHS:
                    return "auto"
                written = Path(folder) / file.name
                written.write_text(json.dumps({"path": path, "of": described}) + "\n")
                # Unlike a renaming, a link does not replace what another process was first with.
                with contextlib.suppress(FileExistsError):
                    os.link(written, file)
        path = json.loads(file.read_text())["path"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        _log.warning("%s: no choice of kernels can be kept: %s", file, _first_line(error))
        return "auto"
    return path if path in PATHS else "auto"


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
