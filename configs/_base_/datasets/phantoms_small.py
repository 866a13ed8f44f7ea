"""Phantoms at 96 x 96, 5 classes, one of them rare and faint; 96 training images."""

from mmengine.config import read_base

from segnoise.datasets.augmentations import ResizeFlip

with read_base():
    from .phantoms import *

train_data.update(num_images=96, size=96)
val_data.update(num_images=60, size=96)
test_data.update(num_images=100, size=96)
train_transform = dict(type=ResizeFlip)
batch_size = 4
eval_batch_size = 20
