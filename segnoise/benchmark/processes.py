"""Run cells, each in a process of its own: several at once here, or on a Ray cluster."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import NamedTuple

from segnoise.benchmark.plan import FAILURE, OUTPUT, RESULT
from segnoise.files import write_json
from segnoise.ray_cluster import run_on_ray

_GRACE = 20  # seconds for an interrupted cell to end by itself
_POLL = 0.1


class Job(NamedTuple):
    """What a cell's process is told: its folder, and what the grid says."""

    folder: Path
    select: str
    evaluate: str
    num_examples: int
    checkpoints: str
    threads: int  # of the CPU's, for this cell


def run_here(jobs: Sequence[Job], at_once: int) -> Generator[int, None, None]:
    """Run jobs in child processes and yield their numbers as they end.

    Where there are several GPUs each child gets one, in turn. If the generator is closed, by an
    interrupt say, the children are interrupted, and killed if that does not help.
    """
    waiting = list(enumerate(jobs))[::-1]
    devices = _devices()
    active: dict[subprocess.Popen[bytes], tuple[int, str | None]] = {}
    try:
        while waiting or active:
            while waiting and len(active) < at_once:
                number, job = waiting.pop()
                used = [device for _, device in active.values()]
                device = min(devices, key=used.count)
                active[_start(job, device)] = (number, device)
            time.sleep(_POLL)
            for process in [p for p in active if p.poll() is not None]:
                number, _ = active.pop(process)
                _end(process, jobs[number])
                yield number
    finally:
        _interrupt(list(active))


def run_with_ray(
    jobs: Sequence[Job], at_once: int, address: str | None
) -> Generator[int, None, None]:
    """Run jobs as Ray tasks and yield their numbers as they end.

    All nodes must see the benchmark's folder and the data at the same paths.
    """
    yield from run_on_ray(run_job, [(job,) for job in jobs], at_once, address)


def run_job(job: Job) -> None:
    """Run one job and wait for its end."""
    process = _start(job, None)
    try:
        process.wait()
    finally:
        _interrupt([process])
    _end(process, job)


def _start(job: Job, device: str | None) -> subprocess.Popen[bytes]:
    environment = {"OMP_NUM_THREADS": str(job.threads), **os.environ}
    if device is not None:
        environment["CUDA_VISIBLE_DEVICES"] = device
    (job.folder / FAILURE).unlink(missing_ok=True)
    module = "segnoise.benchmark.worker"
    command = [sys.executable, "-m", module, *map(str, job[:5])]
    with (job.folder / OUTPUT).open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # closes when this process is gone, which ends the child
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches this process only, which passes it on
        )


def _end(process: subprocess.Popen[bytes], job: Job) -> None:
    """Put down why a job has failed, if it has."""
    if process.stdin:
        process.stdin.close()
    if process.returncode == 0 and (job.folder / RESULT).is_file():
        return
    log = job.folder / OUTPUT
    error = last_line(log)
    if process.returncode < 0:
        error = f"killed by {signal.Signals(-process.returncode).name}"
    failure = {"error": error, "log": str(log), "code": process.returncode}
    write_json(job.folder / FAILURE, failure)


def last_line(log: Path) -> str:
    """The last words of a log."""
    text = log.read_text(encoding="utf-8", errors="replace")
    lines = [line.strip() for line in re.split(r"[\r\n]", text) if line.strip()]
    return lines[-1].removeprefix("error: ") if lines else "no output"


def _interrupt(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    # The first interrupt lets a training keep what it has, the second one stops it at once.
    for grace in (_GRACE, _GRACE / 4):
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + grace
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()


def _devices() -> list[str | None]:
    """The GPUs to share out; None stands for whatever the process would take by itself."""
    import torch

    count = torch.cuda.device_count()
    if count < 2:
        return [None]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return list(visible.split(",")) if visible else [str(number) for number in range(count)]
