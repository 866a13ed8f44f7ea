"""Every tool is killed at each of its renames, and goes on to what it would have come to."""

import json
import shutil

import pytest
import tiny_training
from kills import forked
from trees import tree

from segnoise import cli
from segnoise.benchmark import run, worker
from segnoise.benchmark.grid import build_grid
from segnoise.datasets import NoisyLabels, Phantoms, write_noisy_copy
from segnoise.engine.config import dump_config
from segnoise.engine.schema import complete
from segnoise.engine.train import train

pytestmark = [pytest.mark.slow, pytest.mark.forks]

NOISE = {"type": "SymmetricFlip", "rate": 0.3}
_TIMES = ("time", "data_time")


def content(folder):
    """Return the files of a folder, without times and what is named after one."""
    found = {
        name: text
        for name, text in tree(folder).items()
        if "tensorboard/" not in name and not name.endswith(("train.log", "output.log"))
    }
    for name in found:
        if name.endswith("scalars.json"):
            entries = [json.loads(line) for line in found[name].splitlines()]
            found[name] = [{k: v for k, v in e.items() if k not in _TIMES} for e in entries]
    return found


def sweep(folder, log, work, go_on=None, start=lambda: None):
    """Kill some work at each rename, go on, and compare with what it makes alone.

    Args:
        folder: all that it writes.
        log: a file for what it prints.
        work: what to kill: before every rename, and after the last.
        go_on: what to do then; default the work once more.
        start: puts something into the folder before the work.
    """
    for make in (work, lambda: None):  # what the work imports, the processes below share
        shutil.rmtree(folder, ignore_errors=True)
        start()
        make()
    count = forked(work, log)
    whole = content(folder)
    assert count > 1
    for number, before in [*((n, True) for n in range(1, count + 1)), (count, False)]:
        shutil.rmtree(folder)
        start()
        assert forked(work, log, number, before) is None
        forked(go_on or work, log)
        assert content(folder) == whole, f"killed at rename {number} of {count}"


@pytest.fixture
def training(tmp_path):
    """A short training, its data there already."""
    changes = {
        "noise": NOISE, "num_pictures": 1, "log_interval": 3, "checkpoint_interval": 3,
        "train_cfg": {"max_iters": 3, "val_interval": 2}, "seed": 3,
    }  # fmt: skip
    for split in ("train", "val", "test"):
        Phantoms(tmp_path / "data", split, num_images=6, size=32)
    return complete(tiny_training.config(tmp_path, **changes))


def test_a_training_and_its_resume(training, tmp_path):
    folder, log, half = tmp_path / "run", tmp_path / "log", tmp_path / "half"

    def resumed():
        train(training, resume=True)

    sweep(folder, log, lambda: train(training), resumed)
    whole = content(folder)
    shutil.rmtree(folder)
    assert forked(lambda: train(training), log, 10, before=True) is None
    assert (folder / "last.pth").exists()
    assert not (folder / "best.pth").exists()
    folder.rename(half)
    sweep(folder, log, resumed, start=lambda: shutil.copytree(half, folder))
    assert content(folder) == whole


def test_a_training_that_replaces_another(training, tmp_path):
    folder, log, other = tmp_path / "run", tmp_path / "log", tmp_path / "other"
    train(training)
    folder.rename(other)
    (other / "notes.txt").write_text("mine")
    short = {**training, "train_cfg": {"max_iters": 1, "val_interval": 1}, "num_pictures": 0}
    sweep(
        folder,
        log,
        lambda: train(short, overwrite=True),
        start=lambda: shutil.copytree(other, folder),
    )
    assert (folder / "notes.txt").read_text() == "mine"
    assert not (folder / "pictures").exists()


def test_a_noisy_copy(training, tmp_path):
    copy, log, other = tmp_path / "copy", tmp_path / "log", tmp_path / "other"
    data = Phantoms(tmp_path / "data", "train", num_images=6, size=32)
    noisy = NoisyLabels(data, NOISE, seed=1)
    sweep(copy, log, lambda: write_noisy_copy(noisy, copy))
    whole = content(copy)
    write_noisy_copy(NoisyLabels(data, NOISE, seed=2), other)
    sweep(
        copy,
        log,
        lambda: write_noisy_copy(noisy, copy, overwrite=True),
        start=lambda: shutil.copytree(other, copy),
    )
    assert content(copy) == whole


def test_a_benchmark(training, tmp_path, monkeypatch):
    def here(jobs, _):
        for number, job in enumerate(jobs):
            worker.main(*job[:5])
            yield number

    monkeypatch.setattr(run, "run_here", here)
    monkeypatch.setattr(worker, "training_seconds", lambda *_: 1.0)
    base = tmp_path / "base.py"
    changes = {"train_cfg": {"max_iters": 1, "val_interval": 1}, "num_pictures": 0}
    base.write_text(dump_config({**training, **changes}))
    grid = build_grid(
        {
            "datasets": {"a": str(base)}, "losses": {"CE": {"type": "CE"}}, "evaluate": "test",
            "noises": {"dose": {"noise": NOISE, "dose": 0.2, "sample": 2}}, "select": "best",
            "num_examples": 1, "checkpoints": "delete",
        }
    )  # fmt: skip
    folder = tmp_path / "bench"
    sweep(folder, tmp_path / "log", lambda: run.run_benchmark(grid, folder))


@pytest.fixture
def leaf(training, tmp_path):
    """The training's config as a file."""
    path = tmp_path / "leaf.py"
    path.write_text(dump_config(training))
    return path


@pytest.mark.parametrize("tool", ["test", "browse_noise", "check_dataset"])
def test_a_tool_that_is_run_again(training, leaf, tmp_path, tool):
    out = tmp_path / "out"
    arguments = {
        "browse_noise": ["--noise", "SymmetricFlip(rate=0.2)", "--images", "1", "--sample", "2"],
        "check_dataset": ["--splits", "train", "val"],
    }.get(tool, [])
    if tool == "test":
        checkpoint = train(training).folder / "last.pth"
        arguments = [str(checkpoint), "--json", str(tmp_path / "scores.json")]

    def work():
        assert cli.main([tool, str(leaf), *arguments, "--out", str(out)]) == 0

    def again():
        assert cli.main([tool, str(leaf), *arguments, "--out", str(out), "--overwrite"]) == 0

    def start():
        (tmp_path / "scores.json").unlink(missing_ok=True)

    sweep(out, tmp_path / "log", work, work if tool == "check_dataset" else again, start)
