"""DeepLabV3+ ResNet-50, Cityscapes."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.cityscapes import *
    from .._base_.losses.ce import *
    from .._base_.models.deeplabv3plus_r50 import *
    from .._base_.schedules.sgd_poly_40k import *
