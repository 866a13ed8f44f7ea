"""SGD with momentum, polynomial decay, 20,000 iterations."""

from mmengine.optim import PolyLR
from torch.optim import SGD

optim_wrapper = dict(
    optimizer=dict(type=SGD, lr=0.01, momentum=0.9, weight_decay=5e-4),
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = [dict(type=PolyLR, power=0.9, eta_min=1e-4)]
train_cfg = dict(max_iters=20000, val_interval=2000)
