"""Published noise settings by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segnoise.registry import path_of


def _level(width: int, share: float) -> dict[str, Any]:
    kinds = [{"type": name, "width": width} for name in ("BoundaryDilation", "BoundaryErosion")]
    return {
        "type": "Sometimes",
        "rate": share,
        "noise": {"type": "OneOf", "noises": kinds},
    }


def _polygon(each: float, tolerance: float, sigma: float, kernel: int, flip: float) -> Any:
    return {
        "type": "PolygonNoise",
        "morphology": each,
        "jitter": each,
        "simplify": each,
        "tolerance": tolerance,
        "sigma": sigma,
        "kernel": kernel,
        "class_flip": flip,
        "include_self": True,
        "vertex_tolerance": 0,
    }


def _walk(steps: int, boundary_flip: float, pixel_flip: float, expand: float) -> dict[str, Any]:
    return {
        "type": "MarkovBoundary",
        "steps": steps,
        "expand": expand,
        "boundary_flip": boundary_flip,
        "pixel_flip": pixel_flip,
    }


PRESETS: dict[str, dict[str, Any]] = {
    # Per-instance errors of COCO-N and Cityscapes-N (arXiv 2406.10891): its code moves all corners
    # of an outline, and draws class flips from all classes, the true one included.
    "coco-n-easy": _polygon(0.2, 5, 2, 3, 0.2),
    "coco-n-medium": _polygon(0.25, 10, 3, 5, 0.3),
    "coco-n-hard": _polygon(0.3, 15, 4, 7, 0.4),
    # Morphology levels of arXiv 2601.14039, named after the share of noisy pixels on CaDIS.
    "cadis-5": _level(2, 0.05),
    "cadis-10": _level(4, 0.10),
    "cadis-15": _level(4, 0.46),
    "cadis-20": _level(5, 0.67),
    "cadis-25": _level(6, 0.95),
    # T-Loss (Gonzalez-Jimenez et al., MICCAI 2023): alpha of the masks, beta of the area, in %.
    **{
        f"t-loss-{round(100 * alpha)}-{round(100 * beta)}": {
            "type": "AreaControlled",
            "alpha": alpha,
            "beta": beta,
        }
        for alpha in (0.3, 0.5, 0.7)
        for beta in (0.5, 0.7)
    },
    # Markov walks of Yao et al. (ICLR 2023), that grow (t1 = 0.8 or 0.7) or shrink (0.2 or 0.3).
    **{
        f"{data}-{direction}": _walk(*setting, t1)
        for data, setting, t1s in [
            ("jsrt", (180, 0.05, 0.2), (0.8, 0.2)),
            ("jsrt-clavicle", (100, 0.02, 0.2), (0.8, 0.2)),
            ("isic", (200, 0.05, 0.2), (0.8, 0.2)),
            ("brats", (80, 0.05, 0.0), (0.7, 0.3)),
        ]
        for direction, t1 in zip(("grow", "shrink"), t1s, strict=True)
    },
    # Buildings that maps lack (AIO2, Liu et al., arXiv 2403.01641): class 1 on background 0.
    "aio2-omission": {
        "type": "Omission",
        "rate": 0.6,
        "fill": 0,
        "classes": [1],
        "vary": True,
    },
    # Seven crowd workers and thirteen experts on single cells (class 1), fitted to the masks of
    # Gurari et al. (WACV 2015) as docs/noise_real.md tells.
    "crowd-cells": {
        "type": "Annotators",
        "number": 7,
        "bias": 0.008,
        "bias_spread": 0.009,
        "size": 0.018,
        "wobble": 0.029,
        "length": 0.16,
        "shift": 0.006,
        "tail": 0.38,
        "skill_spread": 0.03,
        "seed": 45,
        "classes": [1],
    },
    "expert-cells": {
        "type": "Annotators",
        "number": 13,
        "bias": 0.001,
        "bias_spread": 0.01,
        "size": 0.012,
        "wobble": 0.024,
        "length": 0.11,
        "shift": 0.01,
        "tail": 0.18,
        "skill_spread": 0.35,
        "seed": 70,
        "classes": [1],
    },
}
"""Configs of noise models by name; `build_noise`, configs and tools take the names as types."""


def expanded(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a noise config with the names of presets replaced by what they stand for.

    Former names of parameters, as in what was written before, become today's.

    Args:
        config: A config; where its "type" names a preset, its other entries replace the preset's.
            Configs within it are expanded too.

    Example:
        >>> expanded({"type": "t-loss-50-70", "beta": 0.6})
        {'type': 'AreaControlled', 'alpha': 0.5, 'beta': 0.6}
        >>> expanded({"type": "Omission", "rate": 0.5, "instances": True})
        {'type': 'Omission', 'rate': 0.5, 'regions': 'instances'}
    """
    kind = config.get("type")
    if isinstance(kind, str) and kind in PRESETS:
        config = {**PRESETS[kind], **{name: v for name, v in config.items() if name != "type"}}
    return {name: _expanded_value(value) for name, value in _in_todays_words(config).items()}


def _expanded_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return expanded(value)
    if isinstance(value, list):
        return [_expanded_value(item) for item in value]
    return value


_FORMER: dict[str, tuple[str, str, dict[Any, str]]] = {
    "Sometimes": ("probability", "rate", {}),
    **dict.fromkeys(
        ("Shift", "Rotate"),
        ("per", "regions", {"object": "components", "instance": "instances"}),
    ),
    **dict.fromkeys(
        ("Omission", "PolygonNoise", "Annotators", "CoarsePolygon", "BoxMask", "HullMask"),
        ("instances", "regions", {False: "components", True: "instances"}),
    ),
}
"""By model: a parameter's former name, today's, and today's words for the values that it had."""


def _in_todays_words(config: Mapping[str, Any]) -> Mapping[str, Any]:
    kind = config.get("type")
    module, _, model = (kind if isinstance(kind, str) else path_of(kind)).rpartition(".")
    former, today, words = _FORMER.get(model, ("", "", {}))
    own = not module or module.startswith("segnoise.")
    # Where both names are given, the former one stays, to be refused as unknown.
    if not own or former not in config or today in config:
        return config
    value = config[former]
    value = next((word for meant, word in words.items() if meant == value), value)
    return {today if name == former else name: config[name] for name in config} | {today: value}
