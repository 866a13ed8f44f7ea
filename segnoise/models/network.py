"""Networks from segmentation-models-pytorch, with errors that say how to go on."""

from __future__ import annotations

import inspect
import os
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import segmentation_models_pytorch as smp
from mmengine.dist import is_main_process
from torch import nn

from segnoise.errors import CheckpointError, ConfigError
from segnoise.models.weight_files import (
    batch_counts,
    misfits,
    plain_state,
    prefix_of,
    read_weights,
)
from segnoise.naming import near

ARCHITECTURES: dict[str, Any] = {
    name: value
    for name, value in vars(smp).items()
    if inspect.isclass(value) and issubclass(value, smp.base.SegmentationModel)
}


_REFUSED = {
    "activation": "losses and predictions apply sigmoid or softmax to logits themselves",
    "aux_params": "it adds a second output, a class for the whole image, which nothing trains",
}


def build_network(
    architecture: str,
    encoder: str,
    encoder_weights: str | None,
    num_outputs: int,
    **options: Any,
) -> nn.Module:
    """Build any architecture of segmentation-models-pytorch around any of its encoders.

    Args:
        architecture: class name in segmentation_models_pytorch, such as "Unet".
        encoder: encoder name, such as "resnet34" or "tu-convnext_tiny" (timm).
        encoder_weights: None (random), a published name such as "imagenet", or the path of a
            local file with the encoder's state dict.
        num_outputs: channels of the logits.
        **options: further arguments of the architecture.

    Raises:
        ConfigError: if a name or an option is unknown (names near ones), an option changes what
            the network returns, or the published weights cannot be fetched.
        CheckpointError: if a local weight file does not fit the encoder.
    """
    for name, value in (("architecture", architecture), ("encoder", encoder)):
        if not isinstance(value, str):
            raise ConfigError(f"{name} must be a name, not {value!r}")
    if encoder_weights is not None and not isinstance(encoder_weights, str):
        raise ConfigError(
            f"encoder_weights must be None, a published name or a file, not {encoder_weights!r}"
        )
    if architecture not in ARCHITECTURES:
        raise ConfigError(
            f"unknown architecture {architecture!r}{near(architecture, ARCHITECTURES, 3)}"
        )
    cls = ARCHITECTURES[architecture]
    known = inspect.signature(cls.__init__).parameters
    for option in options:
        if option not in known:
            raise ConfigError(f"{architecture} has no option {option!r}{near(option, known, 3)}")
    for option, why in _REFUSED.items():
        if options.get(option) is not None:
            raise ConfigError(f"model.options.{option}={options[option]!r}: {why}; leave it out")
    encoders = smp.encoders.encoders
    if encoder not in encoders and not encoder.startswith(("tu-", "timm-", "mit_")):
        raise ConfigError(
            f"unknown encoder {encoder!r}{near(encoder, encoders, 3)}; any timm model works as "
            "'tu-<name>'"
        )
    local = encoder_weights if encoder_weights and _is_path(encoder_weights) else None
    if encoder_weights and not local:
        _check_published(encoder, encoder_weights)
    try:
        network = cls(
            encoder_name=encoder,
            encoder_weights=None if local else encoder_weights,
            classes=num_outputs,
            **options,
        )
    except (OSError, KeyError, ValueError, RuntimeError, TypeError) as error:
        if encoder_weights and not local and isinstance(error, OSError):
            raise _no_weights(encoder, encoder_weights, str(error)) from error
        message = str(error).strip('"')
        raise ConfigError(f"{architecture} with encoder {encoder!r}: {message[:300]}") from error
    if local:
        _load_local(network.encoder, Path(local))
    return network


def _is_path(text: str) -> bool:
    return os.sep in text or text.endswith((".pth", ".pt", ".bin", ".safetensors"))


def _check_published(encoder: str, weights: str) -> None:
    """Fail in a moment, instead of after the hub's five retries, where there is no internet."""
    if encoder.startswith("tu-"):
        _check_timm(encoder, weights)
        return
    settings = smp.encoders.encoders.get(encoder, {}).get("pretrained_settings") or {}
    if weights not in settings:
        raise ConfigError(
            f"encoder {encoder!r} has no published weights {weights!r}; known: "
            f"{', '.join(settings) or 'none'}, or None, or the path of a local file"
        )
    source = settings[weights]
    if not isinstance(source, dict) or "repo_id" not in source:
        return
    _check_reachable(encoder, weights, source["repo_id"], source.get("revision"))


def _check_timm(encoder: str, weights: str) -> None:
    """SMP passes any name on as "pretrained": only one means what it says."""
    import timm

    if weights != "imagenet":
        raise ConfigError(
            f"encoder {encoder!r} comes from timm, whose published weights are 'imagenet'; "
            f"got {weights!r}"
        )
    known = timm.models.get_pretrained_cfg(encoder.removeprefix("tu-"), allow_unregistered=False)
    if known is not None and known.hf_hub_id:
        _check_reachable(encoder, weights, known.hf_hub_id, None)


def _check_reachable(encoder: str, weights: str, repository: str, revision: str | None) -> None:
    import huggingface_hub
    from huggingface_hub import constants

    cached = huggingface_hub.try_to_load_from_cache(
        repository, "model.safetensors", revision=revision
    )
    proxied = any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"))
    if isinstance(cached, str) or proxied:
        return
    host = urlsplit(constants.ENDPOINT)
    try:
        if constants.HF_HUB_OFFLINE:
            raise OSError("HF_HUB_OFFLINE is set")
        socket.create_connection((host.hostname or "", host.port or 443), timeout=5).close()
    except OSError as error:
        raise _no_weights(encoder, weights, f"{host.hostname}: {error}") from error


def _no_weights(encoder: str, weights: str, why: str) -> ConfigError:
    return ConfigError(
        f"could not fetch the {weights!r} weights of encoder {encoder!r} ({why}); without "
        "internet, start from random weights with model.encoder_weights=None, or give a local "
        "file with model.encoder_weights=/path/to/encoder.pth"
    )


def _load_local(encoder: nn.Module, path: Path) -> None:
    """Load an encoder's weights out of a file that may hold a whole network's, or a classifier's.

    Batch norm's counters may be missing: files from before they existed lack them.
    """
    if not path.exists():
        raise ConfigError(f"model.encoder_weights: no file {path}")
    state, own = plain_state(read_weights(path)), encoder.state_dict()
    prefix = None if state is None else prefix_of(state, own)
    if state is None or prefix is None:
        raise CheckpointError(f"{path}: does not fit the encoder: none of its tensors is in it")
    given = {name: state[prefix + name] for name in own if prefix + name in state}
    counts = batch_counts(own)
    if misfit := misfits(own, given, may_lack=counts):
        raise CheckpointError(f"{path}: does not fit the encoder of {len(own)} tensors: {misfit}")
    encoder.load_state_dict(given, strict=False)  # what strict would say has been said
    unused = [name for name in state if name.removeprefix(prefix) not in own]
    notes = (
        [f"{len(unused)} tensors of it are not the encoder's ({unused[0]}, ...)"] if unused else []
    )
    if lacking := len(own) - len(given):
        notes.append(f"{lacking} counters of batch norm are missing, and start at 0")
    if notes and is_main_process():
        print(f"Note: {path}: {'; '.join(notes)}", flush=True)
