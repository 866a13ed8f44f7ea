"""Pascal VOC 2012 with SBD's labels (trainaug, 10,582 images), 21 classes, crops of 512 x 512."""

from segnoise.datasets import PascalVOC
from segnoise.datasets.augmentations import RandomScaleCrop

data_root = "data/VOCdevkit/VOC2012"
train_data = dict(type=PascalVOC, split="trainaug")
val_data = dict(type=PascalVOC, split="val")
test_data = dict(type=PascalVOC, split="val")
train_transform = dict(type=RandomScaleCrop, crop_size=(512, 512), scale=(0.5, 2.0))
batch_size = 16
