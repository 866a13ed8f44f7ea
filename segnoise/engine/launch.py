"""Start of a process: which device, how many processes, how they talk."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist

from segnoise.errors import ConfigError, SegnoiseError
from segnoise.output_folder import OutputFolder, claim

LAUNCHERS = ("none", "pytorch", "slurm", "mpi")
T = TypeVar("T")


def on_main(work: Callable[[], T]) -> T:
    """Run on the main process; every process gets its result, or raises its error.

    Example:
        >>> on_main(lambda: 1 + 1)
        2
    """
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return work()
    outcome: list[Any] = [None, None]
    if dist.get_rank() == 0:
        try:
            outcome[0] = work()
        except (SegnoiseError, OSError) as error:
            outcome[1] = error
    dist.broadcast_object_list(outcome)
    if outcome[1] is not None:
        raise outcome[1]
    return cast("T", outcome[0])


@contextlib.contextmanager
def claim_on_main(folder: str | Path, kind: str, **options: Any) -> Iterator[OutputFolder | None]:
    """Claim a folder by the main process, for all; None in the others.

    Arguments and errors are those of :func:`segnoise.output_folder.claim`.
    """
    with contextlib.ExitStack() as stack:
        held: list[OutputFolder] = []
        on_main(lambda: held.append(stack.enter_context(claim(folder, kind, **options))))
        yield held[0] if held else None


def init_processes(launcher: str) -> None:
    """Join the group of processes that a launcher started; "none" is a single process.

    "pytorch" is torchrun, on GPUs (nccl) or CPUs (gloo); "slurm" and "mpi" are mmengine's, on
    GPUs.
    """
    if launcher not in LAUNCHERS:
        raise ConfigError(f"--launcher must be one of {', '.join(LAUNCHERS)}, got {launcher!r}")
    if launcher == "none" or dist.is_initialized():
        return
    if launcher == "pytorch":
        if "LOCAL_RANK" not in os.environ:
            raise ConfigError(
                "--launcher pytorch: LOCAL_RANK is not set; start with torchrun or "
                "tools/dist_train.sh"
            )
        if torch.cuda.is_available():
            device = int(os.environ["LOCAL_RANK"])
            if device >= torch.cuda.device_count():
                raise ConfigError(
                    f"process {device + 1} of this machine has no GPU: there are "
                    f"{torch.cuda.device_count()}; start as many processes as GPUs"
                )
            torch.cuda.set_device(device)
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        return
    if not torch.cuda.is_available():
        raise ConfigError(f"--launcher {launcher} needs GPUs; on CPUs use --launcher pytorch")
    from mmengine.dist import init_dist

    init_dist(launcher, backend="nccl")
