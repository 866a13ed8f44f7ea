"""MR crops around the hippocampus (Medical Segmentation Decathlon, task 4), slice by slice."""

from segnoise.datasets import VolumeDataset
from segnoise.datasets.augmentations import RandomScaleCrop

_cases = dict(
    type=VolumeDataset, classes=["background", "anterior", "posterior"], plane="sagittal",
    context=1, intensity="z-score",
)  # fmt: skip

data_root = "data/hippocampus"
train_data = dict(_cases, split="train")
val_data = dict(_cases, split="val")
test_data = dict(_cases, split="test")
# Within most slices (24 to 47 x 40 to 59 pixels): training sees the borders that a test sees.
train_transform = dict(
    type=RandomScaleCrop, crop_size=(32, 48), scale=(0.8, 1.25), flip=0.0, color_jitter=False
)
batch_size = 16
eval_batch_size = 1
num_workers = 1
