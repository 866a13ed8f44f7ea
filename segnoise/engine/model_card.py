"""The README.md of a network in a hub folder: classes, images, training, how to load it, limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segnoise.engine import checkpoint as checkpoints
from segnoise.engine.predictor import Predictor
from segnoise.records import parse
from segnoise.tables import markdown

_HEAD = """\
---
library_name: segmentation-models-pytorch
pipeline_tag: image-segmentation
tags:
- semantic-segmentation
- segnoise
---

# {name}, {count} classes

{table}

Void, which nothing is said of, is {void} in labels. The network reads images of {channels}
channels{bands} as {dtype} numbers, as its training read them. `segnoise.json` says so for programs.

## Training

{training}

## How to load it

```python
import torch
import segmentation_models_pytorch as smp

network = smp.from_pretrained("FOLDER").eval()  # this folder, or owner/name on the hub


def probabilities(images):
    \"\"\"(N, {channels}, H, W) in the images' own numbers -> (N, {count}, H, W).\"\"\"
    height, width = images.shape[-2:]
    x = images.float()
{normalize}
    x = torch.nn.functional.pad(x, (0, -width % {divisor}, 0, -height % {divisor}))
    with torch.no_grad():
        scores = network(x)[:, :{outputs}, :height, :width]
{scores}
```

## Limits

It tells these classes apart and no others, in images like those of its training: of another sensor,
resolution or range of numbers its probabilities mean little. Measure it on labels of your own
before you rely on it.{score}
"""

_OWN = """\
    std, mean = torch.std_mean(x, (2, 3), correction=0, keepdim=True)
    x = (x - mean) / torch.where(std > 1e-6 * mean.abs(), std, 1.0)"""
_GIVEN = """\
    mean = torch.tensor({mean}).view(-1, 1, 1)
    std = torch.tensor({std}).view(-1, 1, 1)
    x = (x - mean) / std"""
_BINARY = """\
    return torch.cat((1 - scores.sigmoid(), scores.sigmoid()), 1)"""
_MULTICLASS = """\
    return scores.softmax(1)"""


def model_card(predictor: Predictor, known: Mapping[str, Any]) -> str:
    """A model card as the Hugging Face hub shows it.

    Args:
        predictor: the network.
        known: what :func:`segnoise.engine.export.about` says of it.
    """
    meta = checkpoints.load(predictor.path)["meta"]
    config, best = parse(meta["config"]), meta.get("best")
    rows = [
        [str(number), name, "#{:02x}{:02x}{:02x}".format(*color)]
        for number, (name, color) in enumerate(
            zip(predictor.classes, predictor.palette, strict=True)
        )
    ]
    encoder = config["model"].get("encoder")
    return _HEAD.format(
        name=type(predictor.model.network).__name__ + (f" with {encoder}" if encoder else ""),
        count=len(rows),
        table=markdown(["id", "class", "color"], rows, left=(1, 2)),
        void=known["ignore_index"],
        channels=known["channels"],
        bands="" if known["bands"] is None else f" (bands {known['bands']} of the files, from 1)",
        dtype=known["dtype"],
        training=_training(config, meta),
        normalize=_OWN if known["mean"] is None else _GIVEN.format(**known),
        divisor=known["size_divisor"],
        outputs=predictor.model.class_outputs,
        scores=_BINARY if predictor.binary else _MULTICLASS,
        score=""
        if best is None
        else f" On the validation set of its training its mean IoU is {best['mIoU']:.1f} %.",
    )


def _training(config: Mapping[str, Any], meta: Mapping[str, Any]) -> str:
    """What it was trained on and how; nothing that holds paths of the machine."""
    found = {
        "Data set": str(config.get("train_data", {}).get("type", "")).rpartition(".")[2],
        "Iterations": meta.get("iter"),
        "Losses": ", ".join(str(loss.get("type")) for loss in config.get("losses") or ()),
        "Methods": ", ".join(str(method.get("type")) for method in config.get("methods") or ()),
        "Noise put into the labels": (config.get("noise") or {}).get("type"),
    }
    return "\n".join(f"- {key}: {value}" for key, value in found.items() if value)
