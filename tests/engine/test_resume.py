"""Going on with a training: what a checkpoint must hold."""

import copy
import json
import re

import numpy as np
import pytest
import tiny_training
import torch
from PIL import Image
from tiny_training import config

from segnoise import cli as command
from segnoise.engine import checkpoint
from segnoise.engine.resume import Start, check_same_run, comparable
from segnoise.engine.schema import complete
from segnoise.engine.train import train
from segnoise.errors import CheckpointError, ConfigError


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A run of four iterations, and its checkpoint."""
    root = tmp_path_factory.mktemp("run")
    folder = train(complete(short(root))).folder
    return root, checkpoint.load(folder / "last.pth")


def short(root, iters=4, **changes):
    return config(root, train_cfg={"max_iters": iters, "val_interval": 2}, **changes)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (["meta", "config"], 7, "meta.config is 7, not a text"),
        (["meta", "config"], "[", "no JSON"),
        (["meta", "config"], "[]", "its config: it is a list of 0"),
        (["meta", "config"], '{"train_cfg": {}}', "train_cfg has neither max_iters nor max_epochs"),
        (["meta", "config"], None, "meta.config is null"),
        (["meta", "iter"], -1, "meta.iter is -1, not a whole number from 0"),
        (["meta", "global_batch"], None, "meta.global_batch is null"),
        (["meta", "best"], {"iter": 2}, "meta.best.mIoU is missing"),
        (["meta", "history"], [{"iter": 1}], "meta.history.0.mIoU is missing"),
        (["meta", "memorisation"], 5, "meta.memorisation is 5"),
        (["optimizer"], [], "optimizer is a list of 0"),
        (["optimizer", "param_groups"], [], "of 0 parameters, the model has 6"),
        (["optimizer", "param_groups", 0, "lr"], "x", 'param_groups.0.lr is "x", not a number'),
        (
            ["optimizer", "param_groups", 0, "betas"],
            [1],
            "betas is a list of 1, not a list of 2",
        ),
        (["optimizer", "state", 0, "exp_avg"], torch.ones(2), "exp_avg has shape (2,), not the"),
        (["optimizer", "state", 0, "exp_avg"], 7, "exp_avg is a"),
        (["optimizer", "state", 0], {"step": torch.ones(())}, "exp_avg is a NoneType"),
        (["optimizer", "state", 0], [], "optimizer.state.0 is a list of 0"),
        (["param_schedulers"], [], "it has 0 schedules, the config 1"),
        (["param_schedulers", 0, "power"], "x", 'param_schedulers.0.power is "x"'),
        (["param_schedulers", 0], {}, "is missing"),
        (["state_dict", "network.0.bias"], "x", "1 no tensor (network.0.bias is a str)"),
        (["state_dict", "network.0.bias"], torch.full((8,), torch.nan), "1 with NaN or inf, as"),
        (["state_dict"], [], "state_dict is a list of 0"),
    ],
    ids=lambda value: None if isinstance(value, str) else repr(value)[:30],
)
def test_a_training_of_another_shape_is_named(done, path, value, words):
    root, stored = done
    damaged = copy.deepcopy(stored)
    *parents, last = path
    node = damaged
    for part in parents:
        node = node[part]
    node[last] = value
    torch.save(damaged, root / "run" / "damaged.pth")
    with pytest.raises(CheckpointError, match=re.escape(words)) as error:
        train(complete(short(root)), resume=str(root / "run" / "damaged.pth"))
    assert "damaged.pth" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_refused_checkpoint_leaves_the_run_as_it_was(done):
    root, stored = done
    torch.save({**stored, "optimizer": []}, root / "run" / "damaged.pth")
    with pytest.raises(CheckpointError):
        train(complete(short(root)), resume=str(root / "run" / "damaged.pth"))
    assert train(complete(short(root)), resume=True).last["iter"] == 4


def test_momentum_and_averages_of_another_shape_are_named(tmp_path):
    sgd = {"optimizer": {"type": "SGD", "lr": 0.01, "momentum": 0.9}}
    changes = {"optim_wrapper": sgd, "ema": {"momentum": 0.1}}
    mine = complete(short(tmp_path, **changes))
    path = train(mine).folder / "last.pth"
    stored = checkpoint.load(path)
    assert train(mine, resume=True).last["iter"] == 4
    for change in (
        lambda c: c["optimizer"]["state"][1].update(momentum_buffer=torch.ones(9)),
        lambda c: c.update(ema_state_dict=7),
        lambda c: c["ema_state_dict"].update({"module.network.0.bias": torch.ones(99)}),
        lambda c: c["ema_state_dict"].clear(),
    ):
        damaged = copy.deepcopy(stored)
        change(damaged)
        torch.save(damaged, path)
        with pytest.raises(CheckpointError, match=r"last\.pth: "):
            train(mine, resume=True)


def test_keys_that_json_has_not_are_recorded(folder_root):
    """A run with colours as keys goes on under its config.py, and is scored without it."""
    colors = np.array([[0, 0, 0], [255, 128, 0], [0, 0, 255]], np.uint8)
    for path in (folder_root / "masks").rglob("*.png"):
        Image.fromarray(colors[np.asarray(Image.open(path))]).save(path)
    table = {tuple(color): number for number, color in enumerate(colors.tolist())}
    data = {"type": "FolderDataset", "mask_format": "rgb", "color_table": table}
    parts = {f"{split}_data": {**data, "split": split} for split in ("train", "val")}
    net = {"type": "torch.nn.Conv2d", "in_channels": 3, "out_channels": 3, "kernel_size": 1}
    folder = train(
        complete(
            short(
                folder_root.parent, 1, **parts, data_root=str(folder_root), model={"network": net}
            )
        )
    ).folder
    assert command.main(["train", str(folder / "config.py"), "--resume"]) == 0
    assert command.main(["test", str(folder), "--split", "val"]) == 0
    last = json.loads((folder / "scores.json").read_text())[-1]
    assert json.loads((folder / "val_best.json").read_text())["mIoU"] == last["mIoU"]


def scalars(folder, name):
    entries = map(json.loads, (folder / "scalars.json").read_text().splitlines())
    return {entry["iter"]: entry[name] for entry in entries if name in entry}


def test_another_number_of_processes_is_named(done):
    root, stored = done
    meta, now = stored["meta"], complete(short(root))
    start = Start(root / "run" / "last.pth", meta, json.loads(meta["config"]))
    check_same_run(start, now, meta["global_batch"], ["batch_size"])
    words = re.escape(f"all processes (was {meta['global_batch']}, is {2 * meta['global_batch']})")
    with pytest.raises(ConfigError, match=words):
        check_same_run(start, now, 2 * meta["global_batch"], ["batch_size"])


CONSTANT = {"param_scheduler": []}
STEPS = {"param_scheduler": [{"type": "MultiStepLR", "milestones": [3, 6], "gamma": 0.1}]}
BOTH = {
    "param_scheduler": [
        {"type": "LinearLR", "start_factor": 0.1, "end": 3},
        {"type": "CosineAnnealingLR", "begin": 3, "eta_min": 1e-4},
    ]
}


@pytest.mark.parametrize(
    "changes", [CONSTANT, STEPS, BOTH, {}], ids=["none", "steps", "two", "poly"]
)
def test_an_extended_run_goes_on_as_one_of_the_new_length(tmp_path, changes):
    changes = {**changes, "ema": {"momentum": 0.1}}
    whole = train(complete(short(tmp_path / "whole", 8, **changes)))
    first = train(complete(short(tmp_path / "cut", 4, **changes)))
    before = {name: scalars(first.folder, name) for name in ("loss", "lr")}
    longer = train(complete(short(tmp_path / "cut", 8, **changes)), extend=True)
    assert longer.last["iter"] == 8
    rates, losses = scalars(longer.folder, "lr"), scalars(longer.folder, "loss")
    assert {n: v for n, v in rates.items() if n <= 4} == before["lr"]
    assert {n: v for n, v in losses.items() if n <= 4} == before["loss"]
    of_whole = scalars(whole.folder, "lr")
    assert {n: v for n, v in rates.items() if n > 4} == {n: of_whole[n] for n in range(5, 9)}
    if changes.get("param_scheduler") != []:
        return
    # Where nothing depends on the length, it is the very run.
    assert losses == scalars(whole.folder, "loss")
    assert longer.last == whole.last
    one, other = (checkpoint.load(r.folder / "last.pth") for r in (whole, longer))
    for part in ("state_dict", "ema_state_dict"):
        for name, value in one[part].items():
            assert torch.equal(value, other[part][name]), name
    # The schedule of a kill in between, and the command again.
    assert train(complete(short(tmp_path / "cut", 8, **changes)), extend=True).last == whole.last
    assert train(complete(short(tmp_path / "cut", 8, **changes)), resume=True).last == whole.last


def test_a_longer_schedule_is_refused_and_the_remedy_works(tmp_path, capsys):
    path = tiny_training.write(tmp_path / "leaf.py", short(tmp_path, 4))
    assert command.main(["train", str(path)]) == 0
    longer = ["--cfg-options", "train_cfg.max_iters=6"]
    assert command.main(["train", str(path), "--resume", *longer]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "make it longer by --extend" in error
    shorter = ["--cfg-options", "train_cfg.max_iters=2"]
    assert command.main(["train", str(path), "--resume", *shorter]) == 2
    assert "--extend" not in capsys.readouterr().err
    assert command.main(["train", str(path), "--extend", "--overwrite", *longer]) == 2
    assert "--extend goes on with a run and --overwrite" in capsys.readouterr().err
    assert command.main(["train", str(path), "--resume", "--extend", *longer]) == 0
    assert checkpoint.load(tmp_path / "run" / "last.pth")["meta"]["iter"] == 6
    for options, words in (
        (
            ["train_cfg.max_iters=5"],
            "--extend makes a run longer: it has 6 iterations, and train_cfg",
        ),
        (["train_cfg.max_iters=8", "seed=3"], "is of another run: seed (was 0, is 3)"),
        (["train_cfg.max_iters=8", "train_cfg.val_interval=3"], "train_cfg (was"),
    ):
        assert command.main(["train", str(path), "--extend", "--cfg-options", *options]) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert words in error
        assert "longer by --extend" not in error
    epochs = ["train_cfg={'max_epochs': 3, 'val_interval': 2}"]
    assert command.main(["train", str(path), "--extend", "--cfg-options", *epochs]) == 0
    assert checkpoint.load(tmp_path / "run" / "last.pth")["meta"]["iter"] == 9


def test_types_of_ours_are_compared_by_name():
    """Where a run of an earlier version has them lie elsewhere, it is the same run."""
    before = {"type": "segnoise.datasets.transforms.Augment", "transforms": [{"type": "Affine"}]}
    now = {"type": "segnoise.datasets.augmentations.Augment", "transforms": [{"type": "Affine"}]}
    assert comparable(before) == comparable(now)
    assert comparable({"type": "mine.Augment"}) != comparable({"type": "Augment"})


def test_noise_is_compared_by_todays_names():
    before = {"type": "Sometimes", "probability": 0.5, "noise": {"type": "Shift", "per": "object"}}
    now = {"type": "Sometimes", "rate": 0.5, "noise": {"type": "Shift", "regions": "components"}}
    assert comparable(before) == now
