"""Run the tools as a user does: in a process of their own."""

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


def tool(name, *arguments, processes=1, start=subprocess.run, **options):
    """Run tools/<name>.py with arguments; several processes through torchrun."""
    command = _launch(processes) if processes > 1 else [sys.executable]
    command += [str(ROOT / "tools" / f"{name}.py"), *(str(a) for a in arguments)]
    if processes > 1:
        command += ["--launcher", "pytorch"]
    if start is subprocess.run:
        options = {"capture_output": True, "text": True, "timeout": 250, **options}
    return start(command, env=environment(), **options)


def several(paths, processes):
    """Train several configs one after the other, in as many processes."""
    command = [*_launch(processes), str(HELPERS / "train_several.py"), *(str(p) for p in paths)]
    return subprocess.run(
        command, env=environment(), capture_output=True, text=True, timeout=250, check=False
    )


def _launch(processes):
    """The start of a command in several processes."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return [*command, f"--nproc_per_node={processes}"]


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
