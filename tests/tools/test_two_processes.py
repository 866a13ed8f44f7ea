"""Two processes (gloo) train and score as one process with twice the batch does."""

import json

import pytest
import tiny_training
import torch
from tool_runs import in_two_processes

from segnoise import cli
from segnoise.engine import checkpoint

pytestmark = pytest.mark.slow


def leaf(root, batch_size):
    """Without batch norm and dropout, which see a process's own share of the batch."""
    config = tiny_training.config(
        root,
        batch_size=batch_size,
        eval_batch_size=1,
        model={"network": {"type": "torch.nn.Conv2d", "in_channels": 3, "out_channels": 5,
                           "kernel_size": 5, "padding": 2}},
        losses=[{"type": "ANL-CE", "class_weights": None},
                {"type": "ER", "weight": 0.5},
                {"type": "L1", "weight": 1e-3}],
        noise={"type": "BoundaryErosion", "width": 2},
        train_cfg={"max_iters": 6, "val_interval": 3},
        # SGD, since Adam would not notice gradients that are too large by a factor.
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.05}},
    )  # fmt: skip
    config["val_data"]["num_images"] = 5  # an uneven last shard
    return tiny_training.write(root / "leaf.py", config)


def scalars(folder, key):
    lines = (folder / "scalars.json").read_text().splitlines()
    return [json.loads(line)[key] for line in lines if key in json.loads(line)]


def commands(root, processes):
    """Two trainings and a test, as one process does them or each of two."""
    place = root / str(processes)
    # Two whole batches an epoch: a sample that comes twice in one iteration would be updated
    # twice by one process, and once by two.
    memory = ["--cfg-options", "losses=[{'type': 'ELR', 'stride': 2}]", "train_data.num_images=8"]
    checkpoint_of_one = root / "1" / "plain" / "run" / "last.pth"
    return [
        ["train", leaf(place / "plain", 4 // processes)],
        ["train", leaf(place / "memory", 4 // processes), *memory],
        ["test", checkpoint_of_one, "--split", "val", "--json", place / "test.json"],
    ]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """All runs: those of one process, of two, one with batch norm, one in a folder of a user."""
    root = tmp_path_factory.mktemp("processes")
    for command in commands(root, 1):
        assert cli.main([*map(str, command)]) == 0
    normalized = root / "normalized.py"
    config = tiny_training.config(root / "normal", train_cfg={"max_iters": 6, "val_interval": 3})
    tiny_training.write(normalized, config)
    (root / "taken" / "run").mkdir(parents=True)
    (root / "taken" / "run" / "last.pth").touch()
    refused = ["train", leaf(root / "taken", batch_size=2)]
    done = in_two_processes([*commands(root, 2), ["train", normalized], refused])
    (root / "errors.txt").write_text(done.stderr)
    assert done.returncode != 0
    return root


@pytest.fixture
def runs(root):
    return {processes: root / str(processes) / "plain" / "run" for processes in (1, 2)}


def test_the_entropy_regulariser_sees_both_processes(runs):
    one, two = (scalars(runs[n], "loss_er") for n in (1, 2))
    assert len(one) == 6
    assert two == pytest.approx(one, rel=1e-4)


def test_the_weights_agree(runs):
    one, two = (checkpoint.load(runs[n] / "last.pth")["state_dict"] for n in (1, 2))
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=1e-4, msg=name)


def test_noise_and_class_counts_do_not_depend_on_the_processes(runs):
    one, two = (json.loads((runs[n] / "data.json").read_text()) for n in (1, 2))
    assert one.pop("fingerprint") != two.pop("fingerprint"), "it knows the folder"
    assert one == two


def test_memorisation_is_counted_over_all_processes(runs):
    one, two = (json.loads((runs[n] / "memorisation.json").read_text()) for n in (1, 2))
    assert len(one) == 4
    for ours, theirs in zip(one, two, strict=True):
        for key in ("iter", "epoch", "wrong_pixels"):
            assert ours[key] == theirs[key]
        for key in ("given", "true", "other", "right_accuracy"):
            assert ours[key] == pytest.approx(theirs[key], abs=1.0)


def test_metrics_of_one_checkpoint_are_identical_with_an_uneven_shard(root):
    one, two = (json.loads((root / n / "test.json").read_text()) for n in "12")
    assert one == two
    assert one["samples"] == 5


def test_the_scores_of_a_run_are_those_of_its_checkpoint(root):
    """With batch norm, whose statistics each process gathers from its own samples."""
    run = root / "normal" / "run"
    command = ["test", str(run / "config.py"), str(run / "last.pth"), "--split", "val"]
    assert cli.main(command) == 0
    last = json.loads((run / "scores.json").read_text())[-1]
    scores = json.loads((run / "val_last.json").read_text())
    assert scores["mIoU"] == pytest.approx(last["mIoU"], abs=1e-9)
    assert scores["classes"] == last["classes"]


def test_an_error_of_the_main_process_is_told_once_and_by_all(root):
    text = (root / "errors.txt").read_text()
    errors = [line for line in text.splitlines() if "error: " in line]
    assert any("holds 'last.pth', which segnoise has not put" in line for line in errors), text
    assert "Connection closed by peer" not in text


def test_a_memory_of_pixels_is_the_same_in_all_processes(root):
    """ELR: a sample that came to one process first and to the other later is remembered."""
    one, two = (
        {name: value for name, value in state.items() if name.startswith("losses.elr.means.")}
        for state in (
            checkpoint.load(root / n / "memory" / "run" / "last.pth")["state_dict"] for n in "12"
        )
    )
    assert one.keys() == two.keys()
    assert len(one) == 8
    for name, mean in one.items():
        # A process's mean loss is over its own valid pixels, so the networks differ a little; what
        # one process does not learn of the other's samples is missing by a third and more.
        torch.testing.assert_close(two[name], mean, rtol=0, atol=0.02)
