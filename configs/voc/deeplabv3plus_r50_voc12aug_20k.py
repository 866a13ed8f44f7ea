"""DeepLabV3+ ResNet-50, VOC 2012."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.voc12aug import *
    from .._base_.losses.ce import *
    from .._base_.models.deeplabv3plus_r50 import *
    from .._base_.schedules.sgd_poly_20k import *
