"""The rooms' name tables as mmengine registries, for configs that say ``type="Cityscapes"``."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Mapping
from typing import Any

from mmengine import registry as mm
from mmengine.registry import Registry

from segnoise.datasets import DATASETS as _DATASETS
from segnoise.datasets import TRANSFORMS as _TRANSFORMS
from segnoise.datasets.noisy_copy import NoisyCopy
from segnoise.datasets.rater_masks import RaterMasks
from segnoise.engine.hooks import HOOKS as _HOOKS
from segnoise.errors import ConfigError
from segnoise.losses import LOSSES as _LOSSES
from segnoise.methods import METHODS as _METHODS
from segnoise.metrics.segmentation import SegmentationMetric
from segnoise.models import MODELS as _MODELS
from segnoise.noise import NOISES as _NOISES
from segnoise.noise import PRESETS


def _registry(
    name: str, parent: Registry | None, table: Mapping[str, Callable[..., Any]]
) -> Registry:
    registry = Registry(name, parent=parent, scope="segnoise")
    for key, value in table.items():
        registry._module_dict[key] = value  # register_module wants classes; losses have builders
    return registry


DATASETS = _registry("dataset", mm.DATASETS, _DATASETS)
TRANSFORMS = _registry("transform", mm.TRANSFORMS, _TRANSFORMS)
# A copy that has been written before takes the place of a noise model.
NOISES = _registry("noise", None, {**_NOISES, "NoisyCopy": NoisyCopy, "RaterMasks": RaterMasks})
LOSSES = _registry("loss", None, _LOSSES)
METHODS = _registry("method", None, _METHODS)
MODELS = _registry("model", mm.MODELS, _MODELS)
METRICS = _registry("metric", mm.METRICS, {"SegmentationMetric": SegmentationMetric})
HOOKS = _registry("hook", mm.HOOKS, _HOOKS)


def resolve(kind: Any, registry: Registry, where: str) -> Callable[..., Any]:
    """Return what a config's ``type`` names: a class, a name of the registry, or a dotted path.

    Args:
        kind: the value of ``type``.
        registry: where plain names are looked up; its parent too.
        where: path in the config, for the error.

    Raises:
        ConfigError: if there is no such thing; names near ones.

    Example:
        >>> resolve("Segmentor", MODELS, "model").__name__
        'Segmentor'
        >>> resolve("torch.optim.SGD", HOOKS, "x").__name__
        'SGD'
    """
    if callable(kind):
        return kind
    if not isinstance(kind, str):
        raise ConfigError(f"{where}.type must be a class or a name, got {kind!r}")
    if "." in kind:
        module, _, name = kind.rpartition(".")
        try:
            return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise ConfigError(f"{where}.type: cannot import {kind!r} ({error})") from error
    known = dict(registry.module_dict)
    if registry.parent is not None:
        known = {**registry.parent.module_dict, **known}
    if kind not in known:
        names = [*known, *(PRESETS if registry is NOISES else ())]
        raise ConfigError(f"{where}.type: no {registry.name} called {kind!r}{near(kind, names)}")
    return known[kind]


def near(name: str, known: Any) -> str:
    """The end of an error message that suggests the nearest known name.

    Example:
        >>> near("Cityscape", ["Cityscapes", "PascalVOC"])
        '; did you mean Cityscapes?'
    """
    close = difflib.get_close_matches(name, [str(k) for k in known], n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""
