"""Study: cells that a crowd outlined, 2 classes, at 96 x 96; scored against the experts' gold."""

from mmengine.config import read_base

from segnoise.datasets import FolderDataset
from segnoise.datasets.recipes import ResizeFlip

with read_base():
    from .schedule import *
    from .unet_mobile import *

data_root = "data/cells_multirater"
train_data = dict(
    type=FolderDataset, split="train", image_dir="JPEGImages", mask_dir="SegmentationClass"
)
val_data = dict(
    type=FolderDataset, split="val", image_dir="JPEGImages", mask_dir="SegmentationClass"
)
test_data = dict(
    type=FolderDataset, split="test", image_dir="JPEGImages", mask_dir="SegmentationClass"
)
train_transform = dict(type=ResizeFlip, size=(96, 96), vertical_flip=0.5)
inference = dict(size=(96, 96))
eval_batch_size = 1
