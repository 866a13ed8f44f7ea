"""U-Net ResNet-34, ANL-CE, boundary erosion, CamVid."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.camvid import *
    from .._base_.losses.anl_ce import *
    from .._base_.models.unet_r34 import *
    from .._base_.noise.boundary import *
    from .._base_.schedules.adamw_cosine_4k import *
