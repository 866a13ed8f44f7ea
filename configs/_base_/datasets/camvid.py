"""CamVid in the SegNet split, 11 classes, 360 x 480."""

from segnoise.datasets import CamVid
from segnoise.datasets.augmentations import RandomScaleCrop

data_root = "data/camvid"
train_data = dict(type=CamVid, split="train")
val_data = dict(type=CamVid, split="val")
test_data = dict(type=CamVid, split="test")
train_transform = dict(type=RandomScaleCrop, crop_size=(352, 480), scale=(0.75, 1.5))
batch_size = 8
