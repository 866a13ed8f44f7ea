"""Small U-Net, CamVid at 144 x 192: a training for a CPU."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.camvid_small import *
    from .._base_.losses.ce import *
    from .._base_.models.unet_r18 import *
    from .._base_.schedules.adamw_cosine_600 import *
