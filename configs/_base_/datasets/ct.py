"""CT with TotalSegmentator's label maps, of which three organs are learnt, slice by slice."""

from segnoise.datasets import VolumeDataset
from segnoise.datasets.augmentations import RandomScaleCrop

_organs = {1: 1, 5: 2, 6: 3}
_cases = dict(
    type=VolumeDataset, classes=["rest", "spleen", "liver", "stomach"], plane="axial", context=1,
    intensity="soft tissue", value_map={label: _organs.get(label, 0) for label in range(118)},
)  # fmt: skip

data_root = "data/ct"
train_data = dict(_cases, split="train")
val_data = dict(_cases, split="val")
test_data = dict(_cases, split="val")
train_transform = dict(
    type=RandomScaleCrop, crop_size=256, scale=(0.5, 1.0), flip=0.0, color_jitter=False
)
batch_size = 4
eval_batch_size = 1
num_workers = 1
