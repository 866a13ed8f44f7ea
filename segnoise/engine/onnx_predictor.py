"""An exported network as onnxruntime runs it: it predicts as its checkpoint does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segnoise.datasets.files.bands import DTYPES, optional_import
from segnoise.engine.export import open_session
from segnoise.engine.predictor import Predictor
from segnoise.errors import CheckpointError, ConfigError, words_of
from segnoise.files import regular
from segnoise.models.inference import Inference
from segnoise.records import Maybe, OneOf, Within, find_fault, parse

_KNOWN = {
    "classes": [str],
    "palette": [[int]],
    "ignore_index": int,
    "channels": Within(1),
    "bands": Maybe([Within(1)]),
    "dtype": OneOf(DTYPES),
    "image_range": Maybe((float, float)),
    "volume": Maybe(dict),
    "mean": Maybe([float]),
    "input": OneOf(("uint8", "float32")),
    "size": Maybe((int, int)),
    "inference": dict,
}
_OF_IMAGES = ("channels", "bands", "dtype", "image_range", "volume")
_LEAST = 1e-38  # of float32: its logarithm is finite


class OnnxPredictor(Predictor):
    """A network that ``segnoise export`` has written as ONNX, run by onnxruntime.

    Args:
        path: the file.
        device: "cuda", "cuda:1" or "cpu"; None takes what onnxruntime has.
        views: ``scales`` and ``flip``, instead of those of the checkpoint's config.

    Raises:
        ConfigError: if onnxruntime is missing, or lacks the device; for scales, where the file
            takes bytes, which resized images are not.
        CheckpointError: if the file is damaged, or not of ``segnoise export``.

    Example:
        >>> predictor = OnnxPredictor("model.onnx")                     # doctest: +SKIP
        >>> scores = predictor.probabilities(cv2.imread("a.png")[..., ::-1])   # doctest: +SKIP
    """

    def __init__(
        self,
        path: str | Path,
        *,
        device: str | None = None,
        views: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = regular(path)
        self.device = torch.device("cpu")  # of the scores
        try:
            self._session = open_session(self.path, _providers(device))
        except ConfigError:
            raise
        except Exception as error:  # onnxruntime has errors of its own
            raise CheckpointError(
                f"{path}: onnxruntime cannot read it ({words_of(error)[:200]}); export it again"
            ) from None
        self._known = _read(self._session, self.path)
        image = {key: self._known[key] for key in _OF_IMAGES}
        self._keep({**self._known, "image": image})
        self.inference = Inference(**{**self._known["inference"], **(views or {})})
        if self._known["input"] == "uint8" and self.inference.scales != (1.0,):
            raise ConfigError(
                f"{path}: takes bytes, which resized images are not: leave --scales out, or "
                "predict with the checkpoint"
            )

    @property
    def binary(self) -> bool:
        """Never: there is a probability for each of two classes."""
        return False

    @torch.inference_mode()
    def scores(self, images: Tensor, inference: Inference) -> Tensor:
        """(N, C, H, W) in the images' own numbers -> (N, K, H, W) float32 on the CPU."""
        images = images.to("cpu", getattr(torch, self._known["input"]))
        if inference == Inference():
            return self._run(images)
        if self._known["mean"] is None and replace(inference, flip=False) != Inference():
            raise ConfigError(
                f"{self.path}: normalises each image by its own mean, which windows and resized "
                "images do not have: predict with the checkpoint"
            )
        # Logarithms of probabilities are logits, but for a number that all classes have in common.
        return inference.probabilities(
            lambda views: self._run(views).clamp_min(_LEAST).log(), images, False, size_divisor=1
        )

    def _run(self, images: Tensor) -> Tensor:
        """Probabilities of images at their own size."""
        size, shape = self._known["size"], list(images.shape[-2:])
        if size not in (None, shape):
            raise ConfigError(
                f"{self.path}: was exported for images of {size[0]}x{size[1]}, these are "
                f"{shape[0]}x{shape[1]}: predict in windows of that size (--window {size[0]}), or "
                "export it again by --size H W"
            )
        (found,) = self._session.run(None, {"images": images.contiguous().numpy()})
        return torch.from_numpy(found)


def _providers(device: str | None) -> list[Any]:
    """What onnxruntime computes on."""
    there = optional_import("onnxruntime", "export").get_available_providers()
    wanted = torch.device(device or ("cuda" if "CUDAExecutionProvider" in there else "cpu"))
    if wanted.type == "cpu":
        return ["CPUExecutionProvider"]
    if wanted.type != "cuda" or "CUDAExecutionProvider" not in there:
        raise ConfigError(
            f"--device {device}: onnxruntime computes on {', '.join(there)} here; for CUDA, "
            "pip install onnxruntime-gpu instead of onnxruntime"
        )
    return [("CUDAExecutionProvider", {"device_id": wanted.index or 0}), "CPUExecutionProvider"]


def _read(session: Any, path: Path) -> dict[str, Any]:
    """What the file says of itself."""
    stored = session.get_modelmeta().custom_metadata_map
    if "segnoise" not in stored:
        raise CheckpointError(f"{path}: is not of `segnoise export`, which writes its classes too")
    try:
        known = {key: parse(value) for key, value in stored.items()}
        fault = find_fault(known, _KNOWN)
    except ValueError as error:
        fault = str(error)
    if fault:
        raise CheckpointError(f"{path}: damaged: {fault}; export it again")
    return known
