"""What a network may return, and what its own errors mean; see docs/contract.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from segnoise.errors import ConfigError

# What lies between an activation and the end of a network without changing what it means.
_PASSING = (
    "Upsample",
    "Alias",
    "Slice",
    "View",
    "ToCopy",
    "Clone",
    "Contiguous",
    "Select",
    "Squeeze",
)


def check_outputs(outputs: Any, image: Tensor, classes: int, extra: int = 0) -> Tensor:
    """Return a network's outputs if they are scores of the classes at every pixel."""
    if not isinstance(outputs, Tensor):
        kind, remedy = type(outputs).__name__, "returns its logits alone"
        if isinstance(outputs, Mapping):
            keys = list(map(str, outputs))
            kind = f"dict ({', '.join(keys)})"
            remedy += f", such as a module that calls it and returns [{keys[0]!r}]" if keys else ""
        elif isinstance(outputs, (tuple, list)):
            kind = f"{kind} of {len(outputs)}"
            remedy += "; SMP's networks do without aux_params"
        raise ConfigError(
            f"the network returns a {kind} and no tensor; give model.network one that {remedy}"
        )
    count, (samples, _, height, width) = classes + extra, image.shape
    if outputs.dim() != 4 or len(outputs) != samples or not outputs.is_floating_point():
        raise ConfigError(
            f"the network returns {outputs.dtype} of the shape {tuple(outputs.shape)} for images "
            f"{tuple(image.shape)}; give model.network one that returns logits ({samples}, "
            f"{count}, {height}, {width})"
        )
    if outputs.shape[1] != count:
        methods = f" and the methods' {extra} need {count}" if extra else ""
        binary = " (mode='binary' has one for both)" if classes == 1 else ""
        raise ConfigError(
            f"the network has {outputs.shape[1]} outputs, but {classes} "
            f"class{'es' if classes > 1 else ''}{methods}{binary}: give model.network as many"
        )
    if outputs.shape[2:] != image.shape[2:]:
        raise ConfigError(
            f"the network returns scores of {outputs.shape[3]}x{outputs.shape[2]} for images of "
            f"{width}x{height}; let it bring them to the images' size as its last step "
            "(nn.functional.interpolate)"
        )
    return outputs


def check_logits(outputs: Tensor) -> None:
    """Raise if outputs that have a graph end in a sigmoid or a softmax."""
    node: Any = outputs.grad_fn
    while node is not None:
        name = node.name()
        if name.startswith(("Sigmoid", "Softmax")):
            what = name.partition("Backward")[0].lower()
            raise ConfigError(
                f"the network ends in a {what}, which losses and predictions would apply once "
                "more; leave it out (SMP: activation=None), so that it returns logits"
            )
        if not name.startswith(_PASSING):
            return
        node = node.next_functions[0][0]


def explained(error: BaseException, image: Tensor) -> ConfigError | None:
    """Return what an error that a network raised about an image means; None for any other."""
    text, (samples, bands, height, width) = " ".join(str(error).split()), image.shape
    batch = f"a batch of {samples} image(s) {width}x{height}"
    if "Expected more than 1 value per channel" in text:
        return ConfigError(
            f"the network has a batch norm that sees one value a channel, of {batch}, and cannot "
            "train on it; take batch_size=2 or more"
        )
    found = re.search(r"expected input\[.*\] to have (\d+) channels, but got (\d+)", text)
    if found and int(found[2]) == bands:
        return ConfigError(
            f"the network takes images of {found[1]} channels, and these have {bands}; give it as "
            f"many (model.options=dict(in_channels={bands}))"
        )
    found = re.search(r"Input (?:height|width) \(\d+\) doesn't match model \((\d+)\)", text)
    if found:
        size = int(found[1])
        return ConfigError(
            f"the network takes images of {size} pixels a side, and these are {width}x{height}; "
            f"crop or resize to {size} in train_transform, and evaluate with "
            f"inference=dict(size=({size}, {size}))"
        )
    found = re.search(r"divisible by (?:factor )?\D*(\d+)", text)
    if found:
        return ConfigError(
            f"the network takes sides that are multiples of {found[1]}, and these images are "
            f"{width}x{height}; set model.preprocessor=dict(size_divisor={found[1]})"
        )
    if "Output size is too small" in text or "Kernel size can't be greater" in text:
        return ConfigError(f"{batch} is too small for the network; take larger crops")
    return None
