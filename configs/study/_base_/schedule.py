"""Study: 800 iterations of four images."""

from mmengine.config import read_base

with read_base():
    from ..._base_.schedules.adamw_cosine_800 import *

batch_size = 4
num_workers = 0
num_pictures = 2
check_data = "masks"
