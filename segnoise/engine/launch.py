"""Start of a process: which device, how many processes, how they talk."""

from __future__ import annotations

import os

import torch
import torch.distributed as dist

from segnoise.errors import ConfigError

LAUNCHERS = ("none", "pytorch", "slurm", "mpi")


def init_processes(launcher: str) -> None:
    """Join the group of processes that a launcher started; "none" is a single process.

    "pytorch" is torchrun, on GPUs (nccl) or CPUs (gloo); "slurm" and "mpi" are mmengine's, on
    GPUs.

    Raises:
        ConfigError: for an unknown launcher, or one whose environment is not there.
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
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        return
    if not torch.cuda.is_available():
        raise ConfigError(f"--launcher {launcher} needs GPUs; on CPUs use --launcher pytorch")
    from mmengine.dist import init_dist

    init_dist(launcher, backend="nccl")
