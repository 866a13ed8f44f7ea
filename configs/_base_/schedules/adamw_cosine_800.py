"""AdamW with a cosine schedule, 800 iterations, scored ten times: memorisation shows in between."""

from mmengine.config import read_base

with read_base():
    from .adamw_cosine_200 import *

optim_wrapper["optimizer"].update(lr=5e-3)
train_cfg.update(max_iters=800, val_interval=80)
