"""Small U-Net, cross-entropy, clean labels, phantoms."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.phantoms import *
    from .._base_.losses.ce import *
    from .._base_.models.unet_r18 import *
    from .._base_.noise.clean import *
    from .._base_.schedules.adamw_cosine_200 import *
