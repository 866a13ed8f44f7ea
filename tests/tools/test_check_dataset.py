"""check_dataset: what it compares, says and writes."""

import json
import os
import shutil

import numpy as np
import pytest
import tiny_training
from PIL import Image

from segnoise import cli as command


def run(capsys, *arguments):
    code = command.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def resize(root, split, shape):
    name = (root / f"{split}.txt").read_text().split()[0]
    for folder in ("images", "masks"):
        path = root / folder / f"{name}.png"
        Image.open(path).resize(shape, Image.Resampling.NEAREST).save(path)
    return name


@pytest.mark.parametrize("key", ["val_data", "test_data"])
def test_classes_in_another_order(leaf, folder_root, capsys, tmp_path, key):
    (tmp_path / "other.txt").write_text("background\nleft kidney\nliver\n")
    other = {"type": "FolderDataset", "root": str(folder_root), "split": "val",
             "classes": str(tmp_path / "other.txt")}  # fmt: skip
    code, out, err = run(
        capsys, "check_dataset", leaf(**{key: other}), "--splits", "train", "--out", tmp_path / "o"
    )
    assert (code, out) == (2, "")
    assert f"error: {key} has the classes of train_data in another order: its id 1 is" in err
    assert "value_map={0: 0, 1: 2, 2: 1, 255: 255}" in err


def test_void_with_another_id(leaf, capsys, tmp_path):
    path = leaf(val_data={"ignore_index": 254})
    code, _, err = run(capsys, "check_dataset", path, "--out", tmp_path / "o")
    assert code == 2
    assert "error: val_data has ignore_index=254, train_data 255: give both one number" in err


def test_a_set_that_is_not_checked_may_be_missing(leaf, capsys, tmp_path):
    test = {"type": "FolderDataset", "root": str(tmp_path / "nowhere")}
    code, out, _ = run(capsys, "check_dataset", leaf(test_data=test), "--out", tmp_path / "o")
    assert code == 0
    assert "cannot be opened, and its classes not compared: test_data" in out


def test_remarks_are_printed_and_written(leaf, folder_root, capsys, tmp_path):
    train, val = ((folder_root / f"{s}.txt").read_text().split()[0] for s in ("train", "val"))
    for folder in ("images", "masks"):
        shutil.copy(folder_root / folder / f"{train}.png", folder_root / folder / f"{val}.png")
    mask = Image.open(folder_root / f"masks/{train}.png")
    mask = np.where(np.array(mask) > 0, 255, 0).astype(np.uint8)
    Image.fromarray(mask).save(folder_root / f"masks/{train}.png")
    code, out, _ = run(capsys, "check_dataset", leaf(), "--out", tmp_path / "o")
    assert code == 0
    assert f"Note: {folder_root}/masks/{train}.png: holds one class and void" in out
    assert f"Note: {folder_root}/images/{val}.png: holds the same bytes as" in out
    path = tmp_path / "o/leaf/remarks.json"
    assert f"2 remark(s), noted above, all in {path}" in out
    assert out.endswith("no problems: training may start\n")
    written = [remark["path"] for remark in json.loads(path.read_text())]
    assert written == [
        f"{folder_root}/masks/{train}.png", f"{folder_root}/images/{val}.png"
    ]  # fmt: skip


@pytest.mark.parametrize("tool", ["check_dataset", "train"])
def test_sizes_that_differ_in_a_batch_are_said_before_training(
    leaf, folder_root, capsys, tmp_path, tool
):
    name = resize(folder_root, "val", (32, 16))
    extra = ["--out", tmp_path / "o"] if tool == "check_dataset" else []
    code, _, err = run(capsys, tool, leaf(), *extra)
    assert code == 2
    assert f"images of one batch of 2 differ in size: {folder_root}/images/{name}.png is" in err
    assert "32x16" in err
    assert err.rstrip().endswith("; set eval_batch_size=1")
    assert not (tmp_path / "run/last.pth").exists()
    code, _, err = run(capsys, "check_dataset", leaf(eval_batch_size=1), "--out", tmp_path / "o")
    assert code == 0, err


def test_sizes_of_training_images_without_a_transform(leaf, folder_root, capsys, tmp_path):
    resize(folder_root, "train", (32, 16))
    code, _, err = run(capsys, "train", leaf())
    assert code == 2
    assert "training set: images of one batch of 2 differ in size" in err
    assert "train_transform (RandomScaleCrop, ResizeFlip)" in err


@pytest.mark.slow
def test_a_training_names_its_remarks_at_the_start_and_at_the_end(
    leaf, folder_root, capsys, tmp_path
):
    name = (folder_root / "train.txt").read_text().split()[0]
    mask = np.where(np.array(Image.open(folder_root / f"masks/{name}.png")) > 0, 255, 0)
    Image.fromarray(mask.astype(np.uint8)).save(folder_root / f"masks/{name}.png")
    five = {"classes": list("abcde")}  # as many as the network knows
    path = leaf(train_data=five, val_data=five, losses=[{"type": "CE"}], num_pictures=0)
    code, out, err = run(capsys, "train", path)
    assert code == 0, err
    words = f"Note: {folder_root}/masks/{name}.png: holds one class and void"
    assert out.count(words) == 1
    assert f"data         1 remark(s) on its files, in {tmp_path / 'run/data.json'}" in out
    [remark] = json.loads((tmp_path / "run/data.json").read_text())["remarks"]
    assert remark["path"] == f"{folder_root}/masks/{name}.png"


ODD = os.fsdecode(b"na\xefve|<b>x\x1b[31m\n")


@pytest.mark.parametrize("tool", ["check_dataset", "compare_masks", "corrupt", "browse_noise"])
def test_names_that_are_no_text_or_steer_a_terminal(tmp_path, capfd, tool):
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    rng = np.random.default_rng(0)
    mask = np.zeros((40, 48), np.uint8)
    mask[5:20, 8:30], mask[25:30] = 1, 255  # void and two classes
    for name in (ODD, "plain"):
        image = rng.integers(0, 256, (40, 48, 3), np.uint8)
        Image.fromarray(image).save(tmp_path / "images" / f"{name}.png")
        Image.fromarray(np.where(mask == 1, 0, mask) if name == ODD else mask).save(
            tmp_path / "masks" / f"{name}.png"
        )
    (tmp_path / "classes.txt").write_text("back|ground\n<b>cell</b>\n")
    data = {"type": "FolderDataset", "root": str(tmp_path)}
    config = tiny_training.config(tmp_path, noise={"type": "SymmetricFlip", "rate": 0.2})
    config |= {"train_data": data, "val_data": None, "test_data": None}
    del config["data_root"]
    path, out = tmp_path / "leaf.py", tmp_path / "out"
    tiny_training.write(path, config)
    arguments = {
        "check_dataset": [path, "--out", out],
        "compare_masks": [tmp_path / "masks"] * 2
        + ["--classes", tmp_path / "classes.txt", "--out", out / "a.json", "--workers", 1],
        "corrupt": [path, "--out", out, "--workers", 1],
        "browse_noise": [path, "--out", out, "--noise", "SymmetricFlip", "--images", 2],
    }[tool]
    code = command.main([tool, *map(str, arguments)])
    printed = "".join(capfd.readouterr())
    assert code == 0, printed
    assert "\x1b" not in printed
    reports = [p for p in out.rglob("*") if p.suffix in (".json", ".html", ".md")]
    texts = [report.read_text(encoding="utf-8") for report in reports]
    assert reports
    assert not any("\x1b" in text for text in texts)
    escaped = {"check_dataset": r"na\udcefve|<b>x\x1b[31m\n.png: holds one class and void",
               "compare_masks": r"na\udcefve|<b>x\x1b[31m\n.png: holds one class and void",
               "corrupt": "written      2 of 2 masks", "browse_noise": "page "}  # fmt: skip
    assert escaped[tool] in printed
    if tool == "browse_noise":
        [page] = (text for text in texts if text.startswith("<!doctype html>"))
        assert "<b>x" not in page
        assert r"na\udcefve|&lt;b&gt;x\x1b[31m\n" in page
        assert "&lt;b&gt;cell&lt;/b&gt;" in page
