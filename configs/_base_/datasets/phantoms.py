"""Generated phantoms with exact labels, 5 classes, 128 x 128: made on first use."""

from segnoise.datasets import Phantoms
from segnoise.datasets.augmentations import Augment

data_root = "data/phantoms"
train_data = dict(type=Phantoms, split="train")
val_data = dict(type=Phantoms, split="val")
test_data = dict(type=Phantoms, split="test")
train_transform = dict(
    type=Augment,
    transforms=[
        dict(type="HorizontalFlip", p=0.5),
        dict(type="Affine", scale=(0.85, 1.15), rotate=(-15, 15), p=0.8),
        dict(type="RandomBrightnessContrast", p=0.5),
    ],
)
batch_size = 8
eval_batch_size = 8
num_workers = 0  # files this small are read faster than workers hand them over
num_pictures = 3
