"""A trained network with all it needs to predict: loaded from its checkpoint, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.device import get_device
from torch import Tensor

from segnoise.datasets.files.bands import as_type, read_bands
from segnoise.datasets.files.images import read_image, stretch
from segnoise.datasets.problems import DatasetError, one_problem
from segnoise.engine import checkpoint as checkpoints
from segnoise.engine.evaluate import checkpoint_in, stored_config
from segnoise.engine.model import build_model
from segnoise.errors import CheckpointError
from segnoise.metrics.scores import greatest_class
from segnoise.models.inference import Inference
from segnoise.models.windows import Windows, blended_rows


class Predictor:
    """A trained network that predicts images as its training data gave them.

    Args:
        checkpoint: ``best.pth``, ``last.pth`` or the folder of a run.
        device: such as "cuda" or "cpu"; None takes what is there.
        views: ``scales`` and ``flip`` of :class:`segnoise.models.inference.Inference`, instead of
            those of the checkpoint's config.
        bfloat16: compute the network in bfloat16.
        allow_imports: as of :func:`segnoise.engine.config.load_config`.

    Attributes:
        classes: names, in the order of the scores.
        palette: their colours.
        ignore_index: what void is called in labels.
        image: ``channels``, ``bands``, ``dtype`` and ``image_range`` of the images it reads;
            ``volume``, where they are slices, says of which plane and how they are made.
        inference: how it reads a whole image.

    Raises:
        CheckpointError: if the file is damaged, or says not what it needs.
        ConfigError: if it names what is not there.

    Example:
        >>> predictor = Predictor("work_dirs/run")                      # doctest: +SKIP
        >>> scores = predictor.probabilities(cv2.imread("a.png")[..., ::-1])   # doctest: +SKIP
    """

    def __init__(
        self,
        checkpoint: str | Path,
        *,
        device: str | None = None,
        views: Mapping[str, Any] | None = None,
        bfloat16: bool = False,
        allow_imports: Sequence[str] = (),
    ) -> None:
        self.path = checkpoint_in(checkpoint)
        stored = checkpoints.load(self.path)
        known = stored.get("meta", {}).get("dataset")
        if known is None or "palette" not in known:
            raise CheckpointError(
                f"{self.path}: does not say which classes it knows: take best.pth or last.pth of a "
                "run, not weights alone"
            )
        config = stored_config(self.path, {}, allow_imports)
        self._keep(known)
        self.model = build_model(config, known)
        checkpoints.load_weights(self.model, stored["state_dict"], self.path)
        self.device = torch.device(device or get_device())
        self.model.to(self.device).eval()
        self.inference = replace(self.model.inference, **(views or {}))
        self._bfloat16 = bfloat16

    def _keep(self, known: Mapping[str, Any]) -> None:
        """Take what is known of the training data."""
        self.classes = tuple(known["classes"])
        self.palette = tuple(tuple(color) for color in known["palette"])
        self.ignore_index = int(known.get("ignore_index", 255))
        plain = {"channels": 3, "bands": None, "dtype": "uint8", "image_range": None}
        plain["volume"] = None
        self.image: dict[str, Any] = {**plain, **known.get("image", {})}

    @property
    def binary(self) -> bool:
        """Whether one score a pixel tells two classes apart."""
        return self.model.mode == "binary"

    def read(self, path: str | Path) -> np.ndarray:
        """Read a picture as the training data were read: (H, W, C)."""
        bands, image_range = self.image["bands"], self.image["image_range"]
        if bands is None:
            return read_image(path, image_range)
        return read_bands(path, bands, self.image["dtype"], image_range)

    def as_read(self, values: np.ndarray, path: str | Path) -> np.ndarray:
        """Numbers (h, w, C) of a part of a file, as the training data were read.

        Raises:
            DataError: if they do not fit, or bytes would have to be guessed from a part.
        """
        if values.shape[2] == 1 and self.image["bands"] is None:
            values = np.repeat(values, 3, axis=2)
        if values.shape[2] != self.image["channels"]:
            raise one_problem(
                path,
                f"{values.shape[2]} bands, the network reads {self.image['channels']}",
                "name them by --bands",
            )
        if self.image["image_range"] is not None:
            return stretch(values.astype(np.float32), self.image["image_range"])
        try:
            return as_type(values, self.image["dtype"], path)
        except DatasetError as error:
            raise one_problem(
                path, error.problems[0].what,
                f"the network was trained on {self.image['dtype']} images: convert it "
                "(gdal_translate -ot -scale), or train on such numbers",
            ) from None  # fmt: skip

    @torch.inference_mode()
    def scores(self, images: Tensor, inference: Inference) -> Tensor:
        """(N, C, H, W) in the images' own numbers -> (N, K, H, W) float32 on the device."""
        batch = self.model.data_preprocessor({"image": images.to(self.device, non_blocking=True)})
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._bfloat16):
            return inference.probabilities(
                self.model.class_logits,
                batch["image"],
                self.binary,
                self.model.data_preprocessor.size_divisor,
            )

    def of_batch(self, images: Tensor) -> Tensor:
        """Scores of windows: at their own size, whatever the config's inference does to images."""
        return self.scores(images, replace(self.inference, mode="whole", size=None))

    def probabilities(self, image: np.ndarray, windows: Windows | None = None) -> Tensor:
        """Class probabilities of an image.

        Args:
            image: (H, W, C), as the training data gave them.
            windows: overlapping windows; None reads the image as the config's inference says.

        Returns:
            (K, H, W) float32 on the device; one channel in binary mode.
        """
        tensor = as_tensor(image)
        if windows is not None:
            rows = blended_rows(
                lambda r, c: tensor[:, r, c], image.shape[:2], self.of_batch, windows
            )
            return torch.cat([part for _, part in rows if part is not None], 1)
        return self.of_images(tensor[None])[0]

    def of_images(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, K, H, W) as ``of_batch``, as the config's inference says."""
        return self.scores(images, self.inference)


def as_tensor(image: np.ndarray) -> Tensor:
    """(H, W, C) of any type -> (C, H, W) of bytes or float32."""
    if image.dtype != np.uint8:
        image = image.astype(np.float32, copy=False)
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))


def labels_of(scores: Tensor) -> Tensor:
    """(K or 1, ...) probabilities -> (...) class ids, the first of equals."""
    return (scores[0] > 0.5).long() if len(scores) == 1 else greatest_class(scores[None])[0]


def all_classes(scores: Tensor) -> Tensor:
    """(K or 1, ...) -> (K, ...): one score of two classes becomes two."""
    return torch.cat((1 - scores, scores)) if len(scores) == 1 else scores


def confidence_of(scores: Tensor) -> Tensor:
    """(K or 1, ...) -> (...): the probability of the class that is predicted."""
    return all_classes(scores).amax(0)


def entropy_of(scores: Tensor) -> Tensor:
    r"""(K or 1, ...) -> (...): :math:`-\sum_k p_k \log p_k / \log K`, 0 to 1."""
    p = all_classes(scores)
    return -torch.special.xlogy(p, p).sum(0) / float(np.log(len(p)))


MAPS: dict[str, Callable[[Tensor], Tensor]] = {
    "confidence": confidence_of,
    "entropy": entropy_of,
}
"""What may be saved beside the labels, by name, as maps of 0..1."""
