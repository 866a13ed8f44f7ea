"""CamVid, 11 classes, trained at 144 x 192 and scored at the masks' 360 x 480: for CPUs."""

from segnoise.datasets import CamVid
from segnoise.datasets.augmentations import ResizeFlip

data_root = "data/camvid"
train_data = dict(type=CamVid, split="train")
val_data = dict(type=CamVid, split="val")
test_data = dict(type=CamVid, split="test")
train_transform = dict(type=ResizeFlip, size=(144, 192), color_jitter=True)
inference = dict(size=(144, 192))
batch_size = 8
eval_batch_size = 8
num_workers = 1
