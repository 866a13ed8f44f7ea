"""Run the tools as a user does: in a process of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
HELPERS = Path(__file__).parent


def environment():
    """This process's environment, with the helpers importable and one thread a process."""
    path = os.pathsep.join([str(HELPERS), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def tool(name, *arguments, start=subprocess.run, **options):
    """Run tools/<name>.py with arguments."""
    command = [sys.executable, str(ROOT / "tools" / f"{name}.py"), *(str(a) for a in arguments)]
    if start is subprocess.run:
        options = {"capture_output": True, "text": True, "timeout": 250, **options}
    return start(command, env=environment(), **options)


def in_two_processes(commands):
    """Run several commands one after the other, each by the same two processes."""
    lines = json.dumps([[str(word) for word in command] for command in commands])
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    return subprocess.run(
        [*torchrun, str(HELPERS / "run_several.py"), lines],
        env=environment(), capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip


def kill_after_first_checkpoint(path, run):
    """Start a training, and kill -9 it once it has written a checkpoint."""
    process = tool("train", path, start=subprocess.Popen, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (run / "last.pth").exists():
        assert process.poll() is None, "the training ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
