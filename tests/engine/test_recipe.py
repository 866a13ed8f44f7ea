"""Recipes: what is picked for which labels, and that a training takes it."""

import json

import cv2
import numpy as np
import pytest
import tiny_training

from segnoise.datasets.augmentations import ResizeFlip
from segnoise.engine.config import load_config
from segnoise.engine.recipe import BY_KIND, RECIPES, UNKNOWN, with_recipe
from segnoise.engine.schema import complete
from segnoise.engine.train import train
from segnoise.errors import ConfigError
from segnoise.noise import KINDS, SymmetricFlip, generator, realised_noise

CLASSES = ("background", "cat", "dog")


def test_every_kind_of_noise_has_a_recipe():
    assert set(BY_KIND) == {*KINDS, UNKNOWN}
    assert {name for pair in BY_KIND.values() for name in pair} == set(RECIPES)


def test_the_realised_noise_decides_and_the_reason_says_so():
    clean = np.zeros((64, 64), np.uint8)
    noisy = SymmetricFlip(rate=0.2, num_classes=3)(clean, generator(0, "a"))
    report = realised_noise(clean, noisy, num_classes=3).to_dict()
    config = {"recipe": "auto", "losses": [], "methods": [], "seed": 3}
    check = {"histogram": [300, 0, 20], "noise": report}
    chosen, why = with_recipe(config, check, CLASSES)
    assert chosen["losses"] == list(RECIPES[BY_KIND["pixels"][1]].losses)
    assert (chosen["recipe"], chosen["seed"]) == (None, 3)
    assert "noise is of pixels" in why
    assert "15 times the pixels of the rarest" in why
    check = {"histogram": [], "noise": None}
    named, why = with_recipe({**config, "recipe": "robust"}, check, CLASSES)
    assert named["losses"] == list(RECIPES["robust"].losses)
    assert why.endswith("as the config says")


@pytest.mark.parametrize(
    ("classes", "background"),
    [
        (CLASSES, 0),
        (("Background", "cat", "dog"), 0),
        (("sky", "road", "car"), None),
        (("background", "cell"), 0),
        (("sky", "cloud"), None),
    ],
)
def test_the_teacher_of_objects_leaves_a_background_alone(classes, background):
    config = {"recipe": "robust", "losses": [], "methods": []}
    chosen, _ = with_recipe(config, {"histogram": [], "noise": None}, classes)
    (teacher,) = chosen["methods"]
    assert teacher.get("background") == background
    assert "background" not in RECIPES["robust"].methods[0]


@pytest.mark.parametrize(
    ("transform", "mirror"),
    [
        (None, False),
        ({"type": "ResizeFlip", "size": 8}, True),
        ({"type": ResizeFlip, "flip": 0.0}, False),
        ({"type": "segnoise.datasets.augmentations.RandomScaleCrop", "crop_size": 8}, True),
        ({"type": "Compose", "transforms": [{"type": "HorizontalFlip", "p": 0.5}]}, True),
        ({"type": "VerticalFlip", "p": 0.5}, False),
    ],
)
def test_the_teacher_sees_mirror_images_where_the_training_does(transform, mirror):
    """Else left and right may be classes."""
    config = {"recipe": "robust", "train_transform": transform}
    chosen, _ = with_recipe(config, {"histogram": [], "noise": None}, CLASSES)
    assert chosen["methods"][0]["mirror"] is mirror


def test_a_few_clean_masks_tell_which_noise_it_is(tmp_path, capsys):
    """Of a data set without known clean labels, objects of the masks in a folder are missing."""
    root, known = tmp_path / "set", tmp_path / "known"
    known.mkdir()
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for number in range(4):
        mask = np.zeros((32, 32), np.uint8)
        mask[4:12, 4:12] = mask[18:28, 16:30] = 1
        image = np.repeat(mask[..., None] * 200, 3, axis=2)
        cv2.imwrite(str(root / "images" / f"{number}.png"), image)
        if number < 2:
            cv2.imwrite(str(known / f"{number}.png"), mask)
        mask[4:12, 4:12] = 0
        cv2.imwrite(str(root / "masks" / f"{number}.png"), mask)
    config = tiny_training.config(tmp_path, recipe="auto", clean_masks=str(known))
    del config["losses"]
    config["train_data"] = {
        "type": "FolderDataset",
        "root": str(root),
        "image_dir": "images",
        "mask_dir": "masks",
        "classes": ["background", "cell", "c", "d", "e"],
    }
    config |= {"val_data": None, "noise": None}
    first = train(complete(config))
    said = capsys.readouterr().out
    assert "recipe robust (Dice + ObjectTeacher): the noise is of" in said
    assert "missing objects" in said
    assert "in 2 of the samples, whose clean masks are known" in said
    stored = load_config(first.folder / "config.py")
    assert (stored["recipe"], stored["clean_masks"]) == (None, None)
    assert train(complete(config), resume=True).last == first.last


def test_a_report_of_another_version_is_measured_again(tmp_path):
    config = tiny_training.config(
        tmp_path, recipe="auto", noise=dict(type="SymmetricFlip", rate=0.2)
    )
    del config["losses"]
    first = train(complete(config))
    path = first.folder / "data.json"
    stored = json.loads(path.read_text())
    before = dict(stored["noise"])
    del stored["noise"]["gone_pixels"]
    path.write_text(json.dumps(stored))
    assert train(complete(config), resume=True).last == first.last
    assert json.loads(path.read_text())["noise"] == before


def test_clean_masks_where_all_clean_labels_are_known(tmp_path):
    config = tiny_training.config(tmp_path, recipe="auto", clean_masks=str(tmp_path))
    del config["losses"]
    config["noise"] = {"type": "SymmetricFlip", "rate": 0.2}
    with pytest.raises(ConfigError, match="this set knows them all"):
        train(complete(config))


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
    config = load_config(path, {"recipe": "auto"})
    assert (config["losses"], config["methods"]) == ([], [])
    assert complete(config) == config, "it can be stored, and loaded again"
    assert load_config(path)["losses"] == [{"type": "MAE"}]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"recipe": "robst"}, "no recipe 'robst'; did you mean robust"),
        ({"recipe": "auto", "losses": [{"type": "CE"}]}, "leave out losses, or the recipe"),
        ({"clean_masks": "here"}, "clean_masks='here' is what recipe='auto' looks at"),
        ({"recipe": "robust", "clean_masks": "here"}, "leave clean_masks out"),
        ({"recipe": 3}, "recipe must be of type str"),
    ],
)
def test_what_does_not_fit_is_said(config, message):
    with pytest.raises(ConfigError, match=message):
        complete(config)
