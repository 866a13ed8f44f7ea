"""DeepLabV3+ ResNet-50, ANL-CE, clean labels, VOC 2012."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.voc12aug import *
    from .._base_.losses.anl_ce import *
    from .._base_.models.deeplabv3plus_r50 import *
    from .._base_.noise.clean import *
    from .._base_.schedules.sgd_poly_20k import *
