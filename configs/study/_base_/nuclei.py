"""Study: nuclei of DSB 2018 in their fixed labels, 2 classes, images of all sizes at 112 x 112."""

from mmengine.config import read_base

from segnoise.datasets import FolderDataset
from segnoise.datasets.augmentations import ResizeFlip

with read_base():
    from ..._base_.models.unet_mobile import *
    from .schedule import *

data_root = "data/nuclei"
train_data = dict(
    type=FolderDataset, split="train", image_dir="JPEGImages", mask_dir="SegmentationClass"
)
val_data = dict(
    type=FolderDataset, split="val", image_dir="JPEGImages", mask_dir="SegmentationClass"
)
test_data = dict(
    type=FolderDataset, split="test", image_dir="JPEGImages", mask_dir="SegmentationClass"
)
train_transform = dict(type=ResizeFlip, size=(112, 112), vertical_flip=0.5)
inference = dict(size=(112, 112))
eval_batch_size = 1
