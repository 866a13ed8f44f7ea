"""Buildings in one band of a scene, outlines as labels; the upper 70 % train, the rest tests."""

from segnoise.datasets import RasterDataset
from segnoise.datasets.augmentations import ResizeFlip

_scene = dict(
    type=RasterDataset, split="train", classes=["ground", "building"], window=256, bands=[1],
    dtype="float32",
)  # fmt: skip

data_root = "data/buildings"
train_data = dict(_scene, windows="random", count=60, balanced=True, area=(0, 0, 0.7, 1))
val_data = dict(_scene, area=(0.7, 0, 1, 1))
test_data = dict(_scene, area=(0.7, 0, 1, 1))
train_transform = dict(type=ResizeFlip, vertical_flip=0.5)
batch_size = 8
eval_batch_size = 4
num_workers = 1
