"""The official layouts through the tools: train, stop, resume, test."""

import json

import numpy as np
import pytest
import tiny_training
from PIL import Image

from segnoise import cli

pytestmark = pytest.mark.slow


def leaf(folder, data, splits, classes, **changes):
    config = tiny_training.config(folder, **changes)
    config["data_root"] = None
    for key, split in zip(("train_data", "val_data", "test_data"), splits, strict=True):
        config[key] = {**data, "split": split}
    config["model"] = {
        "network": {"type": "torch.nn.Conv2d", "in_channels": 3, "out_channels": classes,
                    "kernel_size": 3, "padding": 1}
    }  # fmt: skip
    config["train_transform"] = {"type": "RandomScaleCrop", "crop_size": (48, 64)}
    config["optim_wrapper"] = {"optimizer": {"type": "Adam", "lr": 0.05}}
    config["losses"] = [{"type": "ANL-CE", "class_weights": "inverse_sqrt"}]
    config["eval_batch_size"] = 1
    return tiny_training.write(folder / "leaf.py", config)


ITERATIONS = 100
TRAINING = {
    "train_cfg": {"max_iters": ITERATIONS, "val_interval": 50},
    "log_interval": 50,
    "num_pictures": 0,
}


def check(path, run, out, capfd):
    half = ["--cfg-options", f"train_cfg.max_iters={ITERATIONS // 2}"]
    assert cli.main(["train", str(path), *half]) == 0
    assert cli.main(["train", str(path)]) == 2
    assert "--resume" in capfd.readouterr().err
    assert cli.main(["train", str(path), "--extend"]) == 0
    assert f"resumed at iteration {ITERATIONS // 2}" in "".join(capfd.readouterr())
    history = json.loads((run / "scores.json").read_text())
    assert [entry["iter"] for entry in history] == [ITERATIONS // 2, ITERATIONS]
    files = [str(run / "config.py"), str(run / "best.pth")]
    assert cli.main(["test", *files, "--out", str(out)]) == 0
    assert "mIoU" in capfd.readouterr().out
    return json.loads((run / "test_best.json").read_text())


def test_pascal_voc_and_sbd(voc_root, sbd_root, tmp_path, capfd):
    assert cli.main(["convert_sbd", str(sbd_root), str(voc_root)]) == 0
    noise = {"type": "AsymmetricFlip", "transition_matrix": {"confusions": "voc", "rate": 0.4}}
    data = {"type": "PascalVOC", "root": str(voc_root)}
    path = leaf(tmp_path, data, ("trainaug", "val", "val"), 21, noise=noise, **TRAINING)
    scores = check(path, tmp_path / "run", tmp_path / "out", capfd)
    assert scores["samples"] == 4
    assert scores["classes"]["background"]["IoU"] > 40, "it learns"
    for picture in (tmp_path / "out").glob("*.png"):
        mask = Image.open(voc_root / "SegmentationClass" / picture.name)
        prediction = Image.open(picture)
        assert prediction.mode == "P"
        assert prediction.size == mask.size
        assert np.asarray(prediction).max() < 21
        assert prediction.getpalette()[3:6] == [128, 0, 0], "VOC's red aeroplanes"


def test_cityscapes(cityscapes_root, tmp_path, capfd):
    noise = {"type": "BoundaryErosion", "width": 2, "fill": "void"}
    data = {"type": "Cityscapes", "root": str(cityscapes_root)}
    inference = {"mode": "slide", "crop_size": (32, 48), "flip": True}
    path = leaf(
        tmp_path, data, ("train", "val", "val"), 19, noise=noise, inference=inference, **TRAINING
    )
    scores = check(path, tmp_path / "run", tmp_path / "out", capfd)
    assert scores["samples"] == 4
    assert len(list((tmp_path / "out").rglob("*.png"))) == 4
    report = json.loads((tmp_path / "run" / "noise.json").read_text())
    assert sum(report["to_void"]) > 0
