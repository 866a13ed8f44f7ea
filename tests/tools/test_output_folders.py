"""What belongs to a user stays as it is, whatever folder a tool is told to write."""

import json
import os
from pathlib import Path

import pytest
import tiny_training
from trees import tree

from segnoise import cli
from segnoise.engine.config import dump_config
from segnoise.engine.schema import complete
from segnoise.lock import locked
from segnoise.output_folder import MARK

NOISE = {"type": "SymmetricFlip", "rate": 0.3}


@pytest.fixture
def project(tmp_path, monkeypatch, folder_root):
    """A user's project, in which the tools are called: data whose images lie in dl/pictures."""
    home = tmp_path / "project"
    home.mkdir()
    folder_root.rename(home / "dl")
    (home / "dl" / "images").rename(home / "dl" / "pictures")
    for name in ("pictures", "tensorboard"):
        (home / name).mkdir()
        (home / name / "mine.png").write_text("mine")
    for name in ("notes.json", "scores.json", "config.py", "train.log"):
        (home / name).write_text("mine")
    data = {"type": "FolderDataset", "image_dir": "pictures"}
    training = {
        "data_root": "dl", "train_data": {**data, "split": "train"},
        "val_data": {**data, "split": "val"}, "test_data": {**data, "split": "val"},
        "train_cfg": {"max_iters": 1, "val_interval": 1}, "num_pictures": 1, "noise": NOISE,
        "model": {"network": {"type": "torch.nn.Conv2d", "in_channels": 3, "out_channels": 3,
                              "kernel_size": 1}},
    }  # fmt: skip
    config = complete(tiny_training.config(Path(), **{**training, "work_dir": None}))
    (home / "leaf.py").write_text(dump_config(config))
    (home / "grid.py").write_text(
        'datasets = {"a": "leaf.py"}\nnoises = {"clean": None}\nlosses = {"CE": {"type": "CE"}}\n'
    )
    monkeypatch.chdir(home)
    return home


def refused(capsys, words, *command):
    """Run a tool that must refuse in one line and change no byte."""
    home = Path.cwd()
    before = tree(home)
    assert cli.main([str(part) for part in command]) == 2
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert words in error.splitlines()[-1]
    assert tree(home) == before


def tools(place):
    """The command of each tool that writes a folder."""
    noises = ["--noise", "SymmetricFlip(rate=0.1)", "--images", "1", "--sample", "2"]
    return {
        "train": ["train", "leaf.py", "--work-dir", place],
        "overwrite": ["train", "leaf.py", "--work-dir", place, "--overwrite"],
        "resume": ["train", "leaf.py", "--work-dir", place, "--resume"],
        "corrupt": ["corrupt", "leaf.py", "--out", place, "--workers", "0"],
        "browse": ["browse_noise", "leaf.py", "--out", place, "--overwrite", *noises],
        "benchmark": ["benchmark", "grid.py", "--work-dir", place],
        "demo": ["demo", "--work-dir", place],
    }


@pytest.mark.parametrize("tool", tools(""))
def test_folders_of_a_user_are_refused(project, capsys, tool):
    (project / "link").symlink_to(project / "dl")
    for place in ("dl", ".", "..", "pictures", "link", "dl/pictures/../masks"):
        words = "which segnoise has not put there" if tool != "corrupt" else ""
        refused(capsys, words, *tools(place)[tool])
    refused(capsys, "is a file", *tools("notes.json")[tool])


@pytest.mark.parametrize("tool", ["train", "corrupt", "browse", "benchmark"])
def test_results_do_not_go_among_the_samples(project, capsys, tool):
    refused(capsys, "is among the data set's files in", *tools("dl/pictures/new")[tool])


def test_sheets_and_predictions_do_not_go_among_the_samples(project, capsys):
    check = ["check_dataset", "leaf.py", "--out"]
    refused(capsys, "is among the data set's files in", *check, "dl/masks")
    assert cli.main([*check, "sheets"]) == 0
    sheets = {"val.png", "train.png", MARK}
    assert set(os.listdir("sheets/leaf")) == sheets
    Path("sheets/leaf/mine.png").write_text("mine")
    Path("sheets/leaf/problems.json").write_text("mine")
    assert cli.main([*check, "sheets"]) == 0
    assert Path("sheets/leaf/mine.png").read_text() == "mine"

    assert cli.main(["train", "leaf.py", "--work-dir", "run"]) == 0
    test = ["test", "run/config.py", "run/last.pth", "--overwrite", "--json", "new.json", "--out"]
    for place in ("dl/masks", ".", "run"):
        refused(capsys, "--out", *test, place)
    refused(capsys, "is among the data set's files in", *test, "dl/masks/new")
    Path("link").symlink_to("dl/masks")
    refused(capsys, "holds the data set's files in", *test, "link")
    assert cli.main([*test, "run/predictions"]) == 0
    Path("run/predictions/mine.png").write_text("mine")
    assert cli.main([*test, "run/predictions"]) == 0
    assert Path("run/predictions/mine.png").read_text() == "mine"
    again = ["test", "run/config.py", "run/last.pth", "--json", "other.json", "--out"]
    refused(capsys, "holds predictions already", *again, "run/predictions")


def test_overwrite_replaces_what_is_ours_alone(project, capsys):
    train = ["train", "leaf.py", "--work-dir", "run"]
    assert cli.main(train) == 0
    assert cli.main(["test", "run/config.py", "run/last.pth"]) == 0
    assert Path("run/test_last.json").exists()
    mine = ["notes.txt", "val_mine.json", "pictures/mine.png", "tensorboard/mine"]
    for name in mine:
        Path("run", name).write_text("mine")
    refused(capsys, "holds a run already", *train)
    assert cli.main([*train, "--overwrite"]) == 0
    assert "left in run, since segnoise has not put it there: notes.txt" in capsys.readouterr().err
    assert all(Path("run", name).read_text() == "mine" for name in mine)
    assert not Path("run/test_last.json").exists(), "it is of the run before"
    assert len(list(Path("run/tensorboard").glob("events*"))) == 1
    assert cli.main([*train, "--resume"]) == 0


def test_event_files_do_not_go_through_a_link(project, capsys):
    train = ["train", "leaf.py", "--work-dir", "run"]
    assert cli.main(train) == 0
    Path("run/tensorboard").rename("elsewhere")
    Path("run/tensorboard").symlink_to("../elsewhere")
    for flag in ("--resume", "--overwrite"):
        refused(capsys, "run/tensorboard is a link to", *train, flag)


def test_a_copy_does_not_write_through_a_link(project, capsys):
    corrupt = ["corrupt", "leaf.py", "--out", "copy", "--workers", "0"]
    assert cli.main(corrupt) == 0
    for path in sorted(Path("copy/masks").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    Path("copy/masks").rmdir()
    Path("copy/masks").symlink_to("../dl/masks")
    refused(capsys, "copy/masks is a link to", *corrupt, "--overwrite")


def test_one_training_a_folder(project, capsys):
    Path("run").mkdir()
    with locked(Path("run")):
        for tool in ("train", "overwrite", "resume", "corrupt", "browse", "benchmark"):
            refused(capsys, f"by another process, {os.getpid()} on ", *tools("run")[tool])


def test_a_checkpoint_that_was_copied_into_a_project_makes_no_run_of_it(project, capsys):
    assert cli.main(["train", "leaf.py", "--work-dir", "run"]) == 0
    Path("last.pth").write_bytes(Path("run/last.pth").read_bytes())
    refused(capsys, "which segnoise has not put there", *tools(".")["resume"])


def test_single_files_are_not_replaced_unasked(project, capsys):
    compare = ["compare_masks", "dl/masks", "dl/masks", "--classes", "a", "b", "c", "--out"]
    refused(capsys, "notes.json exists: name another file by --out", *compare, "notes.json")
    refused(capsys, "something else than --out writes", *compare, "notes.json", "--overwrite")
    refused(capsys, "train.log: name a file that ends in .json", *compare, "train.log")
    refused(capsys, "is among the data set's files in", *compare, "dl/masks/a/new.json")
    assert cli.main([*compare, "new.json"]) == 0
    assert cli.main([*compare, "new.json", "--overwrite"]) == 0
    assert json.loads(Path("new.json").read_text())


def test_scores_do_not_go_among_the_samples_or_over_the_records_of_a_run(project, capsys):
    assert cli.main(["train", "leaf.py", "--work-dir", "run"]) == 0
    test = ["test", "run", "--json"]
    refused(capsys, "is among the data set's files in", *test, "dl/masks/new.json")
    for name in ("run/scores.json", "run/noise.json"):
        refused(capsys, f"a training writes its {name[4:]} there", *test, name, "--overwrite")
    refused(capsys, "something else than --json writes", *test, "notes.json", "--overwrite")
    assert cli.main([*test, "run/mine.json"]) == 0
    assert cli.main([*test, "run/mine.json", "--overwrite"]) == 0
    assert json.loads(Path("run/mine.json").read_text())["samples"] == 4
