"""Every cell of the study's grids is a config that the engine takes."""

import pytest
import torch
from mmengine.config import Config

from segnoise.engine.config import load_config
from segnoise.engine.config_files import shipped_configs
from segnoise.engine.recipe import with_recipe
from segnoise.engine.schema import complete
from segnoise.losses import build_loss

STUDY = shipped_configs() / "study"
NAMES = ("screen", "full", "anl", "camvid", "methods")
GRIDS = [Config.fromfile(STUDY / f"{name}.py").to_dict() for name in NAMES]


@pytest.mark.parametrize("grid", GRIDS, ids=NAMES)
def test_noises_and_losses_fit_every_data_set(grid):
    assert grid["baseline"] in grid["losses"]
    for method in grid["methods"].values():
        complete(method)
    for name, path in grid["datasets"].items():
        config = load_config(path)
        assert config["train_data"]
        assert config["train_cfg"]["max_iters"] <= 1000
        for noise in grid["noises"].values():
            chosen = noise and noise["per_dataset"].get(name)
            complete({**config, "noise": chosen, "losses": next(iter(grid["losses"].values()))})
    known = {name for noise in grid["noises"].values() if noise for name in noise["per_dataset"]}
    assert known >= set(grid["datasets"])


def test_losses_build_and_have_a_gradient():
    for losses in GRIDS[0]["losses"].values():
        for classes in [2, 5]:
            scores = torch.randn(2, classes, 8, 8, requires_grad=True)
            labels = torch.randint(0, classes, (2, 8, 8))
            total = torch.zeros(())
            for loss in losses:
                arguments = {k: v for k, v in loss.items() if k not in ("type", "weight")}
                if "class_weights" in arguments:
                    arguments["class_weights"] = torch.linspace(0.5, 2, classes)
                term = build_loss(loss["type"], mode="multiclass", ignore_index=255, **arguments)
                total = total + loss.get("weight", 1.0) * term(scores, labels)
            total.backward()
            assert torch.isfinite(scores.grad).all(), losses
            assert scores.grad.abs().sum() > 0, losses


def test_the_teacher_is_that_of_the_recipe():
    grid = GRIDS[1]
    config = load_config(grid["datasets"]["phantoms"])
    check = {"histogram": [], "noise": None}
    chosen, _ = with_recipe({**config, "recipe": "robust"}, check, ("background", "liver"))
    assert chosen["methods"] == grid["methods"]["object teacher"]["methods"]
    assert chosen["losses"] == grid["losses"]["Dice"]


def test_every_dose_is_one_for_its_data_set():
    noises = Config.fromfile(STUDY / "_base_" / "noises.py").to_dict()["noises"]
    for noise in filter(None, noises.values()):
        for name, entry in noise["per_dataset"].items():
            config = load_config(STUDY / "_base_" / f"{name}.py")
            assert complete({**config, "noise": entry})["noise"] == entry
