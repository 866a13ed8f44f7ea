"""Two processes (gloo) train with methods as one process with twice the batch does."""

import json

import pytest
import tiny_training
import torch
from tool_runs import in_two_processes

from segnoise import cli
from segnoise.engine import checkpoint

pytestmark = pytest.mark.slow

METHODS = [
    {"type": "WarmUp", "start": 0.2, "end": 0.6},
    {"type": "WarmUp", "name": "with_parameter", "loss": {"type": "TLoss"}, "end": 0.2},
    {"type": "MeanTeacher", "momentum": 0.9, "start": 0.3, "tau": 0.3, "consistency": 5.0},
    {"type": "ObjectTeacher", "momentum": 0.9, "tau": 0.3},
    {"type": "SmallLoss", "noise_rate": 0.3, "ramp_epochs": 1, "group": "image"},
    {"type": "ADELE", "interval": 1, "threshold": 0.0, "tau": 0.2},
    {"type": "CoTeaching", "noise_rate": 0.3, "ramp_epochs": 1},
]


def leaf(root, processes, **changes):
    config = tiny_training.config(
        root,
        batch_size=4 // processes,
        noise={"type": "SymmetricFlip", "rate": 0.3},
        train_transform=None,  # no void: every process has the same number of valid pixels
        train_cfg={"max_iters": 6, "val_interval": 6},
        # SGD, since Adam would not notice gradients that are too large by a factor.
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.05}},
        **changes,
    )
    return tiny_training.write(root / "leaf.py", config)


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """Runs of every method alone, in one process and in two, and of all in two."""
    root = tmp_path_factory.mktemp("methods")
    # Without batch norm and dropout, which see a process's own share of the batch.
    network = {"type": "torch.nn.Conv2d", "in_channels": 3, "out_channels": 5, "kernel_size": 3,
               "padding": 1}  # fmt: skip
    one, two = (
        [["train", leaf(root / str(processes) / str(number), processes, methods=[method],
                        model={"network": network}, losses=[{"type": "ANL-CE"}])]
         for number, method in enumerate(METHODS)]
        for processes in (1, 2)
    )  # fmt: skip
    for tool, path in one:
        assert cli.main([tool, str(path)]) == 0
    done = in_two_processes([*two, ["train", leaf(root / "norm", 2, methods=METHODS)]])
    assert done.returncode == 0, done.stderr[-2000:]
    return root


@pytest.mark.parametrize(
    "number", range(len(METHODS)), ids=[m.get("name", m["type"]) for m in METHODS]
)
def test_the_weights_agree(roots, number):
    first, second = (
        checkpoint.load(roots / str(processes) / str(number) / "run" / "last.pth")["state_dict"]
        for processes in (1, 2)
    )
    assert first.keys() == second.keys()
    for name, value in first.items():
        torch.testing.assert_close(
            second[name], value, rtol=1e-3, atol=1e-4, equal_nan=True, msg=name
        )


def test_a_run_with_batch_norm_is_scored_and_tested(roots):
    run = roots / "norm" / "run"
    command = ["test", str(run / "config.py"), str(run / "last.pth"), "--split", "val"]
    assert cli.main(command) == 0
    last = json.loads((run / "scores.json").read_text())[-1]
    scores = json.loads((run / "val_last.json").read_text())
    assert scores["mIoU"] == pytest.approx(last["mIoU"], abs=1e-9)
