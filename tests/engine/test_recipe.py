"""Recipes: what is picked for which labels, and that a training takes it."""

import numpy as np
import pytest
import tiny_training

from segnoise.engine.config import load_config
from segnoise.engine.recipe import BY_KIND, RECIPES, UNKNOWN, with_recipe
from segnoise.engine.schema import complete
from segnoise.engine.train import train
from segnoise.errors import ConfigError
from segnoise.noise import KINDS, SymmetricFlip, generator, realised_noise


def test_every_kind_of_noise_has_a_recipe():
    assert set(BY_KIND) == {*KINDS, UNKNOWN}
    assert set(BY_KIND.values()) == set(RECIPES)


def test_the_realised_noise_decides_and_the_reason_says_so():
    clean = np.zeros((64, 64), np.uint8)
    noisy = SymmetricFlip(rate=0.2, num_classes=3)(clean, generator(0, "a"))
    report = realised_noise(clean, noisy, num_classes=3).to_dict()
    config = {"recipe": "auto", "losses": [], "methods": [], "seed": 3}
    chosen, why = with_recipe(config, {"histogram": [300, 0, 20], "noise": report})
    assert chosen["losses"] == list(RECIPES[BY_KIND["pixels"]].losses)
    assert (chosen["recipe"], chosen["seed"]) == (None, 3)
    assert "noise is of pixels" in why
    assert "15 times the pixels of the rarest" in why
    named, why = with_recipe({**config, "recipe": "robust"}, {"histogram": [], "noise": None})
    assert named["losses"] == list(RECIPES["robust"].losses)
    assert why.endswith("as the config says")


@pytest.mark.parametrize("name", RECIPES)
def test_a_training_takes_a_recipe_and_goes_on(tmp_path, name, capsys):
    config = tiny_training.config(tmp_path, recipe=name)
    del config["losses"]
    first = train(complete(config))
    assert f"recipe {name} (" in capsys.readouterr().out
    stored = load_config(first.folder / "config.py")
    assert stored["recipe"] is None
    assert [loss["type"] for loss in stored["losses"]] == [
        loss["type"] for loss in RECIPES[name].losses
    ]
    # Both the config as it was written and the one that the run has stored go on with it.
    assert train(complete(config), resume=True).last == first.last
    assert train(stored, resume=True).last == first.last


def test_auto_on_the_command_line_replaces_what_the_file_says(tmp_path):
    path = tmp_path / "leaf.py"
    path.write_text("losses = [dict(type='MAE')]\n")
    assert load_config(path, {"recipe": "auto"})["losses"] == complete({})["losses"]
    assert load_config(path)["losses"] == [{"type": "MAE"}]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"recipe": "robst"}, "no recipe 'robst'; did you mean robust"),
        ({"recipe": "auto", "losses": [{"type": "CE"}]}, "leave out losses, or the recipe"),
        ({"recipe": 3}, "recipe must be of type str"),
    ],
)
def test_what_does_not_fit_is_said(config, message):
    with pytest.raises(ConfigError, match=message):
        complete(config)
