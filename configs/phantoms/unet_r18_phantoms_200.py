"""U-Net ResNet-18, phantoms: a training of a minute."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.phantoms import *
    from .._base_.losses.ce import *
    from .._base_.models.unet_r18 import *
    from .._base_.schedules.adamw_cosine_200 import *
