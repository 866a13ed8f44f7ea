"""Cityscapes, 19 classes, crops of 512 x 1024, evaluated in windows at 1024 x 2048.

The official test labels are withheld: scores are on the validation split.
"""

from segnoise.datasets import Cityscapes
from segnoise.datasets.augmentations import RandomScaleCrop

data_root = "data/cityscapes"
train_data = dict(type=Cityscapes, split="train")
val_data = dict(type=Cityscapes, split="val")
test_data = dict(type=Cityscapes, split="val")
train_transform = dict(type=RandomScaleCrop, crop_size=(512, 1024), scale=(0.5, 2.0))
inference = dict(mode="slide", crop_size=(512, 1024), stride=(384, 768))
batch_size = 8
