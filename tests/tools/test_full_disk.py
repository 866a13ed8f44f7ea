"""A disk that fills up in the middle of a training, as the operating system has it."""

import resource

import pytest
import tiny_training
from kills import forked
from tool_runs import kill_after_first_checkpoint

from segnoise import cli
from segnoise.engine import checkpoint
from segnoise.output_folder import MARK

pytestmark = [pytest.mark.slow, pytest.mark.forks]


def test_the_last_checkpoint_survives_and_the_run_goes_on(tmp_path):
    network = {"type": "torch.nn.Conv2d", "in_channels": 3, "out_channels": 5, "kernel_size": 65,
               "padding": 32}  # fmt: skip
    training = {"train_cfg": {"max_iters": 120, "val_interval": 30}, "log_interval": 30}
    config = tiny_training.config(tmp_path, model={"network": network}, batch_size=1, **training)
    path = tiny_training.write(tmp_path / "leaf.py", config)
    kill_after_first_checkpoint(path, tmp_path / "run")
    last = tmp_path / "run" / "last.pth"
    size, stopped_at = last.stat().st_size, checkpoint.load(last)["meta"]["iter"]

    def without_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2))
        assert cli.main(["train", str(path), "--resume"]) == 2

    log = tmp_path / "log"
    forked(without_room, log)
    words = log.read_text()
    assert words.splitlines()[-1].startswith("error: ")
    assert "cannot be written" in words
    assert "Traceback" not in words
    assert checkpoint.load(last)["meta"]["iter"] == stopped_at
    hidden = [path.name for path in (tmp_path / "run").glob(".*")]
    assert hidden == [MARK], "no half-written file is left"
    assert cli.main(["train", str(path), "--resume"]) == 0
    assert checkpoint.load(last)["meta"]["iter"] == 120
