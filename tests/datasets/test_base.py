"""Labels of two data sets mean the same, or their names are said to differ."""

import numpy as np
import pytest
from PIL import Image

from segnoise.datasets import FolderDataset
from segnoise.datasets.base import check_same_classes
from segnoise.errors import ConfigError

NAMES = ("train_data", "val_data")
TRAIN = {"classes": ("sky", "tree", "road"), "ignore_index": 255}


def complaint(**theirs):
    with pytest.raises(ConfigError) as caught:
        check_same_classes(TRAIN, {**TRAIN, **theirs}, NAMES)
    return str(caught.value)


def test_the_same_classes_pass():
    check_same_classes(TRAIN, {"classes": ["sky", "tree", "road"], "palette": ()}, NAMES)


def test_other_names_numbers_and_void():
    assert "val_data has other classes than train_data: its id 1 is 'bush', there 'tree'" in (
        complaint(classes=("sky", "bush", "road"))
    )
    assert "it has 2 classes, there are 3" in complaint(classes=("sky", "tree"))
    assert "it has 4 classes, there are 3" in complaint(classes=(*TRAIN["classes"], "sea"))
    assert "val_data has ignore_index=254, train_data 255" in complaint(ignore_index=254)


def test_the_value_map_that_another_order_is_given_works(tmp_path):
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
        Image.fromarray(np.array([[0, 1, 2, 255]], np.uint8)).save(tmp_path / folder / "a.png")
    classes = ["road", "sky", "tree"]
    val = FolderDataset(tmp_path, classes=classes)
    text = complaint(**val.metainfo)
    assert "another order: its id 0 is 'road', there 'sky'" in text
    table = {0: 2, 1: 0, 2: 1, 255: 255}
    assert text.endswith(f"value_map={table}")
    mended = FolderDataset(tmp_path, classes=TRAIN["classes"], value_map=table)
    check_same_classes(TRAIN, mended.metainfo, NAMES)
    names = [TRAIN["classes"][label] for label in mended[0]["mask"][0, :3]]
    assert names == [classes[label] for label in val[0]["mask"][0, :3]]
    assert mended[0]["mask"][0, 3] == 255
