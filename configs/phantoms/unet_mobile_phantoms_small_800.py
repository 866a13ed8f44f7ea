"""Very small U-Net, small phantoms: the demo's, for a CPU."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.phantoms_small import *
    from .._base_.losses.ce import *
    from .._base_.models.unet_mobile import *
    from .._base_.schedules.adamw_cosine_800 import *
