"""A training that takes a second: a network of a few hundred weights on 32 x 32 phantoms."""

from pathlib import Path

from mmengine.hooks import Hook
from torch import nn

from segnoise.engine.config import dump_config
from segnoise.engine.schema import complete
from segnoise.engine.train import train


def network(classes=5):
    """Convolution, batch norm and dropout: state and randomness that a resume must get right."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Conv2d(8, classes, 1),
    )


def config(root: Path, **changes):
    """A config over 6 phantoms; changes replace keys."""
    data = {"type": "Phantoms", "size": 32, "num_images": 6}
    return {
        "data_root": str(root / "data"),
        "train_data": {**data, "split": "train"},
        "val_data": {**data, "split": "val"},
        "test_data": {**data, "split": "test"},
        "train_transform": {
            "type": "Augment",
            "transforms": [{"type": "HorizontalFlip", "p": 0.5}, {"type": "Affine", "p": 1.0}],
        },
        "model": {"network": {"type": network}},
        "losses": [{"type": "ANL-CE", "class_weights": "inverse_sqrt"}],
        "train_cfg": {"max_iters": 8, "val_interval": 4},
        "optim_wrapper": {"optimizer": {"type": "Adam", "lr": 0.01}},
        "param_scheduler": [{"type": "PolyLR", "power": 0.9}],
        "batch_size": 2,
        "eval_batch_size": 2,
        "num_workers": 0,
        "log_interval": 1,
        "num_pictures": 2,
        "work_dir": str(root / "run"),
        **changes,
    }


def run(root: Path, resume=False, overwrite=False, **changes):
    """Train as such a config says."""
    return train(complete(config(root, **changes)), resume=resume, overwrite=overwrite)


class Stop(Hook):
    """Die before an iteration, as a killed process does: no clean-up, no last words."""

    priority = "VERY_HIGH"

    def __init__(self, iteration):
        self.iteration = iteration

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if batch_idx == self.iteration:
            raise KeyboardInterrupt


def write(path: Path, config):
    """Write a config to a file, with all its keys; returns the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dump_config(complete(config)), encoding="utf-8")
    return path
