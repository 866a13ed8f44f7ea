"""Study: phantoms at 96 x 96, 5 classes, one of them rare and faint; 96 training images."""

from mmengine.config import read_base

with read_base():
    from ..._base_.datasets.phantoms_small import *
    from ..._base_.models.unet_mobile import *
    from .schedule import *
