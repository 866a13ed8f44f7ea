"""Study: cells that a crowd outlined, 2 classes, at 96 x 96; scored against the experts' gold."""

from mmengine.config import read_base

with read_base():
    from .nuclei import *

data_root = "data/cells_multirater"
train_transform.update(size=(96, 96))
inference.update(size=(96, 96))
