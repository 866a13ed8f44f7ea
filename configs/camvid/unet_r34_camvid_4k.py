"""U-Net ResNet-34, CamVid."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.camvid import *
    from .._base_.losses.ce import *
    from .._base_.models.unet_r34 import *
    from .._base_.schedules.adamw_cosine_4k import *
