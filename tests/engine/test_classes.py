"""Labels mean the same wherever two things meet: data sets, checkpoints, folders of masks."""

import shutil

import pytest
import tiny_training
import torch
from torch import nn

from segnoise.benchmark.grid import build_grid
from segnoise.benchmark.plan import make_plan
from segnoise.datasets import FolderDataset, RaterMasks
from segnoise.engine import checkpoint
from segnoise.engine.config import dump_config
from segnoise.engine.data import noise_of_clean_masks
from segnoise.engine.evaluate import evaluate
from segnoise.engine.schema import complete
from segnoise.engine.train import train
from segnoise.errors import CheckpointError, ConfigError

CLASSES = ("background", "liver", "left kidney")
SWAPPED = ["background", "left kidney", "liver"]
FIRST = r"its id 1 is 'left kidney', there 'liver'"


def network(classes):
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, classes, 1))


def config(root, folder, classes=3, **changes):
    data = {"type": "FolderDataset", "root": str(folder)}
    mine = {
        "train_data": {**data, "split": "train"},
        "val_data": {**data, "split": "val"},
        "test_data": {**data, "split": "val"},
        "train_transform": None,
        "model": {"network": {"type": network, "classes": classes}},
        "train_cfg": {"max_iters": 2, "val_interval": 2},
        "num_pictures": 0,
    }
    return complete({**tiny_training.config(root), "data_root": None, **mine, **changes})


@pytest.fixture
def run(folder_root, tmp_path):
    """A run on three classes, and the config of another one whose classes are swapped."""
    first = train(config(tmp_path / "a", folder_root)).folder
    data = {"type": "FolderDataset", "root": str(folder_root), "classes": SWAPPED}
    swapped = config(
        tmp_path / "b",
        folder_root,
        train_data={**data, "split": "train"},
        val_data={**data, "split": "val"},
        test_data={**data, "split": "val"},
    )
    return first, swapped


def test_validation_labels_mean_what_the_trainings_do(folder_root, tmp_path):
    other = {"type": "FolderDataset", "root": str(folder_root), "split": "val"}
    for change, words in (
        ({"classes": SWAPPED}, "val_data has the classes of train_data in another order: " + FIRST),
        ({"classes": [*CLASSES, "x"]}, "it has 4 classes, there are 3"),
        ({"ignore_index": 200}, "val_data has ignore_index=200, train_data 255"),
    ):
        with pytest.raises(ConfigError, match=words):
            train(config(tmp_path, folder_root, val_data={**other, **change}))
    assert not (tmp_path / "run").exists()


def test_checkpoints_are_tested_and_gone_on_with_on_their_own_classes(run):
    first, swapped = run
    with pytest.raises(CheckpointError, match=rf"test_data has the classes of .*: {FIRST}"):
        evaluate(swapped, first / "last.pth")
    swapped["load_from"] = str(first / "last.pth")
    with pytest.raises(CheckpointError, match=rf"train_data has .*{FIRST}.*load_head=False") as e:
        train(swapped)
    assert str(first / "last.pth") in str(e.value)
    still = {"optimizer": {"type": "SGD", "lr": 0.0}}
    result = train({**swapped, "load_head": False, "optim_wrapper": still})
    before, after = (
        checkpoint.load(folder / "last.pth")["state_dict"] for folder in (first, result.folder)
    )
    assert torch.equal(before["network.0.weight"], after["network.0.weight"])
    assert not torch.equal(before["network.2.weight"], after["network.2.weight"])


def test_a_checkpoint_of_more_classes_starts_a_training_without_its_head(tmp_path, folder_root):
    five = tiny_training.config(
        tmp_path / "a", model={"network": {"type": network, "classes": 5}}, train_transform=None
    )
    source = train(complete({**five, "train_cfg": {"max_iters": 2}})).folder / "last.pth"
    target = config(tmp_path / "b", folder_root, load_from=str(source))
    with pytest.raises(CheckpointError, match="load_head=False"):
        train(target)
    assert train({**target, "load_head": False}).last["iter"] == 2
    with pytest.raises(ConfigError, match="load_head=False leaves out a part of load_from"):
        config(tmp_path, folder_root, load_head=False)


def test_plain_weights_can_be_tested_and_started_from(run, tmp_path, folder_root, capsys):
    first, _ = run
    stored = checkpoint.load(first / "last.pth")["state_dict"]
    plain = {k.removeprefix("network."): v for k, v in stored.items() if k.startswith("network.")}
    torch.save(plain, tmp_path / "plain.pth")
    mine = config(tmp_path / "c", folder_root)
    assert evaluate(mine, tmp_path / "plain.pth") == evaluate(mine, first / "last.pth")
    assert "plain.pth names no classes: taken to be those of test_data" in capsys.readouterr().out
    still = {"optimizer": {"type": "SGD", "lr": 0.0}}
    again = train({**mine, "load_from": str(tmp_path / "plain.pth"), "optim_wrapper": still})
    assert again.last["mIoU"] == pytest.approx(evaluate(mine, first / "last.pth")["mIoU"])


def test_a_benchmark_compares_its_splits_before_it_trains(folder_root, tmp_path):
    other = {"type": "FolderDataset", "root": str(folder_root), "split": "val", "classes": SWAPPED}
    for split, evaluated in (("val_data", "val"), ("test_data", "test")):
        path = tmp_path / f"{split}.py"
        path.write_text(dump_config(config(tmp_path, folder_root, **{split: other})))
        grid = build_grid(
            {
                "datasets": {"mine": str(path)},
                "noises": {"clean": None},
                "losses": {"CE": {"type": "CE"}},
                "evaluate": evaluated,
            }
        )
        words = rf"datasets\.mine\.{split} has the classes of datasets\.mine\.train_data in another"
        with pytest.raises(ConfigError, match=words):
            make_plan(grid, tmp_path / "bench")


def test_folders_of_masks_that_name_their_classes_name_the_same(folder_root):
    dataset = FolderDataset(folder_root)
    rater = folder_root / "rater"
    shutil.copytree(folder_root / "masks", rater)
    looks = (
        lambda: RaterMasks(dataset, [rater]),
        lambda: noise_of_clean_masks(dataset, {"clean_masks": rater}),
    )
    for look in looks:
        look()
        (rater / "classes.txt").write_text("\n".join(CLASSES))
        look()
        (rater / "classes.txt").write_text("\n".join(SWAPPED))
        with pytest.raises(ConfigError, match=rf"rater has the classes of the data set .*{FIRST}"):
            look()
        (rater / "classes.txt").unlink()
