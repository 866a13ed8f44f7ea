"""Study: CamVid, 11 classes, trained at 96 x 128 and scored at the masks' 360 x 480."""

from mmengine.config import read_base

with read_base():
    from ..._base_.datasets.camvid_small import *
    from ..._base_.models.unet_mobile import *
    from .schedule import *

train_transform.update(size=(96, 128), color_jitter=False)
inference.update(size=(96, 128))
