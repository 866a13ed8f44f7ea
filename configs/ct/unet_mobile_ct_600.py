"""Small U-Net, organs in CT slices: a training for a CPU."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.ct import *
    from .._base_.losses.ce import *
    from .._base_.models.unet_mobile import *
    from .._base_.schedules.adamw_cosine_600 import *
