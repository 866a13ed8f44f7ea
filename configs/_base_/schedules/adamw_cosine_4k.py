"""AdamW with a cosine schedule, 4,000 iterations: for data sets of some hundred images."""

from mmengine.optim import CosineAnnealingLR
from torch.optim import AdamW

optim_wrapper = dict(
    optimizer=dict(type=AdamW, lr=5e-4, weight_decay=1e-4, fused=True), clip_grad=dict(max_norm=5.0)
)
param_scheduler = [dict(type=CosineAnnealingLR, eta_min=1e-6)]
train_cfg = dict(max_iters=4000, val_interval=400)
