"""AdamW with a cosine schedule, 200 iterations: about a minute on two CPU cores with phantoms."""

from mmengine.optim import CosineAnnealingLR
from torch.optim import AdamW

optim_wrapper = dict(
    optimizer=dict(type=AdamW, lr=2e-3, weight_decay=1e-4, fused=True), clip_grad=dict(max_norm=5.0)
)
param_scheduler = [dict(type=CosineAnnealingLR, eta_min=1e-6)]
train_cfg = dict(max_iters=200, val_interval=50)
