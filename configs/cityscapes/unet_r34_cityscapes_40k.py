"""U-Net ResNet-34, Cityscapes."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.cityscapes import *
    from .._base_.losses.ce import *
    from .._base_.models.unet_r34 import *
    from .._base_.schedules.sgd_poly_40k import *
