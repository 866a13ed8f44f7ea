"""Noisy copies from the command line: write, kill, go on, verify, try out."""

import errno
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tiny_training
from PIL import Image
from tool_runs import environment, tool
from trees import tree

from segnoise import cli as command
from segnoise.engine.cli import options, run_tool
from segnoise.engine.config import load_config

FLIP = {"type": "SymmetricFlip", "rate": 0.3}


def leaf(root, data, noise=FLIP, name="leaf.py"):
    """A config over a data set; its network and the like play no part."""
    # A batch of one: the images have sizes of their own.
    config = tiny_training.config(
        root, noise=noise, train_transform=None, batch_size=1, eval_batch_size=1
    )
    config.pop("test_data")
    config |= {"data_root": None, "train_data": {**data, "split": "train"},
               "val_data": {**data, "split": "val"}}  # fmt: skip
    return tiny_training.write(root / name, config)


@pytest.fixture
def voc_leaf(voc_root, tmp_path):
    return leaf(tmp_path, {"type": "PascalVOC", "root": str(voc_root)})


def run(*arguments):
    return command.main(["corrupt", *map(str, arguments), "--workers", "1"])


def fails(capsys, *arguments):
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    errors = [line for line in captured.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, captured.err
    return captured.out + errors[0]


def test_write_verify_and_write_again(voc_leaf, tmp_path, capsys):
    out = tmp_path / "copy"
    assert run(voc_leaf, "--out", out) == 0
    printed = capsys.readouterr().out
    assert "| aeroplane " in printed
    assert "written      6 of 6 masks" in printed
    assert f"manifest     {out / 'manifest.json'}" in printed
    assert f'noise = dict(type="NoisyCopy", folder="{out}")' in printed
    option = printed.split('--cfg-options "')[1].split('"')[0]
    assert load_config(voc_leaf, options([option]))["noise"] == {
        "type": "NoisyCopy", "folder": str(out)
    }  # fmt: skip
    before = tree(out)
    for arguments in ((voc_leaf, "--out", out, "--verify"), ("--out", out, "--verify")):
        assert run(*arguments) == 0
        assert "all files are as its manifest.json says" in capsys.readouterr().out
    assert run(voc_leaf, "--out", out) == 0
    assert "written      nothing: the copy was finished" in capsys.readouterr().out
    change = ("--cfg-options", "noise.rate=0.5")
    assert "--overwrite" in fails(capsys, voc_leaf, "--out", out, *change)
    assert tree(out) == before
    assert run(voc_leaf, "--out", out, "--overwrite", *change) == 0
    assert json.loads((out / "manifest.json").read_text())["noise"]["rate"] == 0.5
    for number in (1, 2):
        (out / "SegmentationClass" / f"2007_00000{number}.png").write_bytes(b"mine")
    printed = fails(capsys, voc_leaf, "--out", out, "--verify", *change)
    assert "2007_000001.png: noisy mask has changed since it was written" in printed
    assert "2 problem(s)" in printed


@pytest.mark.parametrize("number", [errno.EEXIST, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG])
def test_errors_of_the_operating_system(number, capsys):
    def work():
        raise OSError(number, "words", "a/file")

    assert run_tool(work, go_on="go on") == 2
    assert "error: a/file: words; make room or choose another folder; go on" in (
        capsys.readouterr().err
    )


def test_dry_run_of_another_split_writes_nothing(voc_leaf, tmp_path, capsys):
    before = set(tmp_path.rglob("*"))
    assert run(voc_leaf, "--dry-run", "--split", "val", "--sample", 3) == 0
    printed = capsys.readouterr().out
    assert "from 3 of 4 masks; nothing is written" in printed
    rate = float(printed.split("Changed: ")[1].split(" %")[0])
    assert 28 < rate < 32
    assert set(tmp_path.rglob("*")) == before


def test_a_check_of_the_copy(voc_leaf, voc_root, tmp_path, capsys):
    assert run(voc_leaf, "--out", tmp_path / "copy") == 0
    table = capsys.readouterr().out.split("realised noise\n")[1].split("\n\nwritten")[0]
    noise = {"type": "NoisyCopy", "folder": str(tmp_path / "copy")}
    data = {"type": "PascalVOC", "root": str(voc_root)}
    copied = leaf(tmp_path, data, noise, "copied.py")
    arguments = [str(copied), "--splits", "train", "--out", str(tmp_path / "sheets")]
    assert command.main(["check_dataset", *arguments]) == 0
    assert table in capsys.readouterr().out
    error = fails(capsys, copied, "--out", tmp_path / "again", "--cfg-options", "noise=None")
    assert "noise=None is no noise model" in error
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--out", "x"],
        ["--out", "x", "--verify", "--noise", "SymmetricFlip(rate=0.2)"],
        ["config.py", "--out", ""],
        ["config.py", "--out", "x", "--verify", "--dry-run"],
        ["config.py", "--dry-run", "--ray"],
        ["config.py", "--out", "x", "--sample", "3"],
        ["config.py", "--out", "x", "--ray-address", "auto"],
        ["config.py", "--out", "x", "--split", "trainval"],
    ],
)
def test_flags_without_meaning(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        command.main(["corrupt", *arguments])
    assert stop.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_without_ray(voc_leaf, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    error = fails(capsys, voc_leaf, "--out", tmp_path / "copy", "--ray")
    assert "pip install 'segnoise[ray]'" in error


def test_a_cluster_that_does_not_answer(voc_leaf, tmp_path, capsys):
    pytest.importorskip("ray")
    arguments = (voc_leaf, "--out", tmp_path / "copy", "--ray", "--ray-address", "127.0.0.1:9")
    assert "no Ray cluster at 127.0.0.1:9" in fails(capsys, *arguments)


@pytest.fixture
def many(tmp_path):
    """A folder of masks that takes a process some seconds."""
    root, names = tmp_path / "data", [f"{number:03d}" for number in range(60)]
    mask = np.kron(np.random.default_rng(0).integers(0, 3, (12, 15)), np.ones((40, 40)))
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
        for number, name in enumerate(names):
            picture = Image.fromarray(np.roll(mask, number, 1).astype(np.uint8))
            picture.save(root / folder / f"{name}.png")
    (root / "classes.txt").write_text("a\nb\nc\n")
    for split in ("train", "val"):
        (root / f"{split}.txt").write_text("\n".join(names))
    return leaf(tmp_path, {"type": "FolderDataset", "root": str(root)})


def journaled(out):
    path = out / ".unfinished.jsonl"
    return path.read_text().count('"record"') if path.is_file() else 0


def children(process):
    path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(pid) for pid in path.read_text().split()] if path.exists() else []


def alive(pid):
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.slow
def test_killed_and_gone_on_with(many, tmp_path, capsys):
    out = tmp_path / "copy"
    process = tool("corrupt", many, "--out", out, "--workers", "2",
                   start=subprocess.Popen, stderr=subprocess.DEVNULL)  # fmt: skip
    deadline = time.monotonic() + 120
    while journaled(out) < 8:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    workers = children(process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    while any(alive(pid) for pid in workers):
        assert time.monotonic() < deadline, "a worker outlives its parent"
        time.sleep(0.05)
    done = journaled(out)
    assert 0 < done < 60
    assert "not finished" in fails(capsys, "--out", out, "--verify")
    assert command.main(["corrupt", str(many), "--out", str(out), "--workers", "2"]) == 0
    assert f"written      {60 - done} of 60 masks" in capsys.readouterr().out
    assert run(many, "--out", tmp_path / "whole") == 0
    assert tree(out) == tree(tmp_path / "whole")
    assert run(many, "--out", out, "--verify") == 0


ON_RAY = """
import pathlib, sys
from segnoise import cli

config, victim, *out = sys.argv[1:]
content = pathlib.Path(victim).read_bytes()
for folder, part in zip(out, (content[:100], content)):
    pathlib.Path(victim).write_bytes(part)
    print(cli.main(["corrupt", config, "--out", folder, "--ray", "--workers", "2"]))
"""


@pytest.mark.slow
def test_ray_names_a_bad_mask_and_writes_the_same_files(many, tmp_path):
    """In a process of its own, which has not imported Ray before."""
    pytest.importorskip("ray")
    victim = tmp_path / "data" / "masks" / "007.png"
    places = [many, victim, tmp_path / "bad", tmp_path / "ray"]
    done = subprocess.run(
        [sys.executable, "-c", ON_RAY, *map(str, places)],
        env=environment(), capture_output=True, text=True, timeout=250, check=True,
    )  # fmt: skip
    codes = [line for line in done.stdout.splitlines() if line.isdecimal()]
    assert codes == ["2", "0"], done.stderr
    assert str(victim) in done.stderr
    assert "Traceback" not in done.stderr
    assert run(many, "--out", tmp_path / "here") == 0
    assert tree(tmp_path / "ray") == tree(tmp_path / "here")
