"""What a machine lacks becomes one line that says what to set to what."""

import os
import re
import signal
import sys
import types

import numpy as np
import pytest
import tiny_training
import torch

from segnoise.engine import cli
from segnoise.engine.hooks import ValidationPictures
from segnoise.engine.machine import what_it_lacks
from segnoise.engine.schema import complete
from segnoise.engine.train import train


def raised(error):
    def work():
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "), "num_workers to"),
        (RuntimeError("DataLoader worker (pid(s) 7, 8) exited unexpectedly"), "num_workers to"),
        (
            RuntimeError(
                "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that "
                "dataloader's workers are out of shared memory."
            ),
            "--shm-size=8g",
        ),
        (RuntimeError("unable to write to file </torch_12_3_0>: No space left (28)"), "--shm-size"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "--amp"),
        (RuntimeError("CUDA error: out of memory"), "a smaller batch_size"),
        (MemoryError(), "memory is full: set a smaller batch_size"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
            "memory is full",
        ),
        (np._core._exceptions._ArrayMemoryError((9,) * 20, np.dtype("u1")), "memory is full"),
        (OSError(24, "Too many open files"), "ulimit -n 4096"),
        (RuntimeError("received 0 items of ancdata"), "ulimit -n 4096"),
        (BlockingIOError(11, "Resource temporarily unavailable"), "ulimit -u 4096"),
        (RuntimeError("can't start new thread"), "ulimit -u 4096"),
        (
            RuntimeError("Caught MemoryError in DataLoader worker process 0.\nOriginal Traceback"),
            "memory is full",
        ),
    ],
)
def test_one_line_that_says_what_to_set(error, words, capsys):
    assert cli.run_tool(raised(error)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert words in line


def test_a_cause_that_is_further_down():
    error = RuntimeError("while loading")
    error.__cause__ = MemoryError()
    assert "memory is full" in str(what_it_lacks(error))


def test_an_interrupt_while_torch_is_being_loaded(monkeypatch, capsys):
    """What is half loaded stays in sys.modules, and cannot be imported again."""
    monkeypatch.setitem(sys.modules, "torch", None)  # which makes an import fail
    monkeypatch.setitem(sys.modules, "torch.distributed", types.ModuleType("torch.distributed"))
    assert cli.run_tool(raised(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err.startswith("error: interrupted; the same command goes on")


def test_sys_exit_is_no_success(capsys):
    assert cli.run_tool(lambda: sys.exit(0)) == 2
    words = (
        r"error: .*test_machine\.py:\d+ calls sys.exit\(0\), which ends the tool before its work"
    )
    assert re.match(words, capsys.readouterr().err)


def test_faults_of_ours_keep_their_traceback():
    for error in (RuntimeError("shape mismatch"), KeyError("x"), ZeroDivisionError()):
        with pytest.raises(type(error)):
            cli.run_tool(raised(error))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(2, "No such file or directory", "/proc/x"), "/proc/x: No such file"),
        (OSError(28, "No space left on device"), "an output: No space left on device; make room"),
        (
            UnicodeEncodeError("utf-8", "r\udcff", 1, 2, "surrogates not allowed"),
            "is no text in UTF-8",
        ),
    ],
)
def test_places_that_take_no_file(error, words, capsys):
    assert cli.run_tool(raised(error)) == 2
    assert words in capsys.readouterr().err


def kill_itself(mask, rng):
    if torch.utils.data.get_worker_info() is not None:
        os.kill(os.getpid(), signal.SIGKILL)
    return mask.copy()


@pytest.mark.slow
def test_a_loader_process_that_is_killed(tmp_path, capsys):
    config = complete(tiny_training.config(tmp_path))
    from segnoise.datasets import NoisyLabels, collate
    from segnoise.engine import data

    noisy = NoisyLabels(data.build_dataset(config, "train_data"), kill_itself)
    loader = torch.utils.data.DataLoader(noisy, batch_size=2, num_workers=1, collate_fn=collate)
    assert cli.run_tool(lambda: list(loader)) == 2
    assert "a process that loads data was killed" in capsys.readouterr().err


def test_a_picture_ends_no_training(tmp_path, monkeypatch, caplog):
    """Whatever goes wrong in drawing is one line of the log; the scores are as without."""

    def fail(*_):
        raise MemoryError("no room\nfor a picture")

    changes = {"train_cfg": {"max_iters": 2, "val_interval": 1}}
    plain = train(complete(tiny_training.config(tmp_path, **changes, num_pictures=0)))
    monkeypatch.setattr(ValidationPictures, "_row", fail)
    config = tiny_training.config(tmp_path, **changes, work_dir=str(tmp_path / "again"))
    result = train(complete(config))
    assert result.last["mIoU"] == plain.last["mIoU"]
    lines = (result.folder / "train.log").read_text().splitlines()
    warned = [line for line in lines if "no picture of iteration" in line]
    assert len(warned) >= 1
    assert all("MemoryError: no room for a picture" in line for line in warned)
