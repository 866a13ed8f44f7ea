"""Keys of mmengine's configs: those that are taken over, and what to write for the others."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mmengine.registry import VISBACKENDS
from mmengine.visualization import LocalVisBackend, TensorboardVisBackend, Visualizer

from segnoise.errors import ConfigError
from segnoise.output_folder import announce, refuse_link
from segnoise.registry import Registry, import_module

# Keys of configs of mmengine, and of mmcv before it, that have no meaning here: what to write.
INSTEAD = {
    "visualizer": "name what else shall follow a run by trackers=[dict(type='WandbVisBackend')]",
    "default_hooks": "set log_interval, checkpoint_interval and num_pictures; add to custom_hooks",
    "env_cfg": "leave it out; processes are started as --launcher says",
    "log_level": "leave it out; a run's train.log holds all",
    "launcher": "give --launcher on the command line",
    "resume": "give --resume on the command line",
    "randomness": "write seed=0, deterministic=False",
    "train_dataloader": "write train_data, train_transform, batch_size and num_workers",
    "val_dataloader": "write val_data, eval_batch_size and num_workers",
    "test_dataloader": "write test_data, eval_batch_size and num_workers",
    "val_cfg": "write train_cfg=dict(val_interval=...) and inference=dict(...)",
    "test_cfg": "write inference=dict(...)",
    "val_evaluator": "leave it out; IoU, Dice and accuracy are always measured",
    "test_evaluator": "leave it out; IoU, Dice and accuracy are always measured",
    "log_processor": "write log_interval",
    "default_scope": "leave it out; names are looked up here, and then among mmengine's",
    "model_wrapper_cfg": "write find_unused_parameters or sync_bn",
    "data_preprocessor": "write model=dict(preprocessor=dict(mean=..., std=...))",
    "train_pipeline": "write train_transform",
    "test_pipeline": "leave it out; images are read at their own size, or as inference says",
    "val_pipeline": "leave it out; images are read at their own size, or as inference says",
    "tta_model": "write inference=dict(scales=(0.75, 1.0, 1.25), flip=True)",
    "tta_pipeline": "write inference=dict(scales=(0.75, 1.0, 1.25), flip=True)",
    "auto_scale_lr": "leave it out; write optim_wrapper=dict(optimizer=dict(lr=...))",
    "optimizer": "write optim_wrapper=dict(optimizer=dict(...))",
    "optimizer_config": "write optim_wrapper=dict(clip_grad=...)",
    "lr_config": "write param_scheduler=[dict(type='PolyLR', power=0.9)]",
    "runner": "write train_cfg=dict(max_iters=...)",
    "total_epochs": "write train_cfg=dict(max_epochs=...)",
    "total_iters": "write train_cfg=dict(max_iters=...)",
    "checkpoint_config": "write checkpoint_interval",
    "evaluation": "write train_cfg=dict(val_interval=...)",
    "log_config": "write log_interval",
    "data": "write train_data, val_data, batch_size and num_workers",
    "workflow": "leave it out; a validation follows each train_cfg.val_interval",
    "dist_params": "leave it out; processes are started as --launcher says",
    "crop_size": "write train_transform=dict(type='RandomScaleCrop', crop_size=...)",
    "experiment_name": "leave it out; a run is called as its folder, --work-dir",
}
TAKEN_OVER = {"vis_backends": "trackers"}
TRACKERS = Registry("tracker", VISBACKENDS.module_dict)
# What a tracker of mmengine's needs, and the name under which it is installed.
_PACKAGES = {
    "AimVisBackend": "aim",
    "ClearMLVisBackend": "clearml",
    "DVCLiveVisBackend": "dvclive",
    "MLflowVisBackend": "mlflow",
    "NeptuneVisBackend": "neptune",
    "TensorboardVisBackend": "tensorboard",
    "WandbVisBackend": "wandb",
}


def taken_over(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config with the keys of mmengine's that are taken over under our names.

    Example:
        >>> taken_over({"vis_backends": [dict(type="WandbVisBackend")]})
        {'trackers': [{'type': 'WandbVisBackend'}]}
    """
    for theirs, ours in TAKEN_OVER.items():
        if theirs in given and ours in given:
            raise ConfigError(f"{theirs} is mmengine's name of {ours}: give one of them")
    return {TAKEN_OVER.get(key, key): value for key, value in given.items()}


def import_all(value: Any) -> list[str]:
    """Import what ``custom_imports`` names, and return the names.

    Args:
        value: a list of modules, one of them, or mmengine's ``dict(imports=[...])``.
    """
    if isinstance(value, dict):
        for key in value:
            if key not in ("imports", "allow_failed_imports"):
                raise ConfigError(f"unknown config key custom_imports.{key}; known: imports")
        if value.get("allow_failed_imports"):
            raise ConfigError(
                "custom_imports: a failed import would leave names unknown: drop "
                "allow_failed_imports"
            )
        value = value.get("imports", [])
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError(
            f"custom_imports must be a list of modules, such as ['my_noises'], not {value!r}"
        )
    for name in names:
        import_module(name, "custom_imports")
    return names


def check_installed(tracker: Any, where: str) -> None:
    """Raise if what a tracker writes to is not installed."""
    package = _PACKAGES.get(tracker.__name__)
    if package and importlib.util.find_spec(package) is None:
        raise ConfigError(f"{where}: {tracker.__name__} needs {package}: pip install {package}")


def visualizer(folder: Path, trackers: list[dict[str, Any]]) -> dict[str, Any]:
    """Arguments of mmengine's Visualizer, which hands scalars to files, TensorBoard and trackers.

    Args:
        folder: of the run.
        trackers: more of mmengine's backends, as a config has them; one of the two that are there
            anyhow takes that one's place.
    """
    own = {LocalVisBackend: folder, ListedEvents: folder / "tensorboard"}
    if importlib.util.find_spec("tensorboard") is None:
        print("TensorBoard is not installed (segnoise[tracking]): scalars go to scalars.json only")
        del own[ListedEvents]
    backends = []
    for tracker in trackers:
        kind = TRACKERS.find(tracker["type"], "trackers")
        kind = ListedEvents if kind is TensorboardVisBackend else kind
        place = own.pop(kind, folder / kind.__name__)
        backends.append({"save_dir": str(place), **tracker, "type": kind})
    backends += [{"type": kind, "save_dir": str(place)} for kind, place in own.items()]
    for place in (Path(backend["save_dir"]) for backend in backends):
        if place.is_relative_to(folder):
            refuse_link(folder, place.relative_to(folder).as_posix(), "--work-dir")
    undrawn = importlib.util.find_spec("matplotlib") is None
    return {"type": WithoutFigure if undrawn else Visualizer, "vis_backends": backends}


class WithoutFigure(Visualizer):
    """mmengine's where matplotlib is not installed: without a figure, which trainings leave empty.

    mmengine makes one beforehand.
    """

    def _initialize_fig(self, fig_cfg: Any) -> tuple[Any, ...]:
        return None, SimpleNamespace(get_dpi=lambda: 100), None


class ListedEvents(TensorboardVisBackend):
    """mmengine's, whose files are listed in the run's folder; it alone knows their names."""

    def _init_env(self) -> None:
        folder = Path(self._save_dir)
        before = set(folder.glob("*"))
        super()._init_env()
        new = [f"{folder.name}/{path.name}" for path in folder.glob("*") if path not in before]
        announce(folder.parent, *new, made=True)
