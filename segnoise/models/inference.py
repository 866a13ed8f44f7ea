"""From an image of any size to class probabilities of the same size, and to class ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from segnoise.checks import check_choice, check_flag, check_number, check_sides
from segnoise.errors import ConfigError
from segnoise.methods.training_step import pad_to_multiple, resized
from segnoise.metrics.scores import greatest_class


@dataclass(frozen=True)
class Inference:
    """How a trained network reads an image: whole or in windows, with test-time augmentation.

    The scores of all scales and flips are averaged as probabilities, at the image's own size.

    Args:
        mode: "whole", or "slide" for overlapping windows.
        size: (height, width) that the image is resized to first; None keeps its size. This is
            where a network that was trained on smaller images gets them, while scores and
            metrics stay at the original size.
        crop_size: (height, width) of a window, for "slide".
        stride: (vertical, horizontal) step between windows; None is two thirds of a window.
        scales: sizes of the image, relative to ``size``.
        flip: also read the image mirrored left to right.

    Raises:
        ConfigError: for an unknown mode, sizes and scales that are not positive or huge.
        ValueError: for a stride that would leave gaps, or "slide" without a window.

    Example:
        >>> Inference(mode="slide", crop_size=(512, 1024)).windows(1024, 2048)[0]
        (0, 0)
    """

    mode: str = "whole"
    size: tuple[int, int] | None = None
    crop_size: tuple[int, int] | None = None
    stride: tuple[int, int] | None = None
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False

    def __post_init__(self) -> None:
        for name in ("size", "crop_size", "stride"):
            value = getattr(self, name)
            if value is None:
                continue
            object.__setattr__(self, name, check_sides(name, value))
        check_choice("mode", self.mode, ("whole", "slide"))
        check_flag("flip", self.flip)
        if isinstance(self.scales, str) or not isinstance(self.scales, Sequence) or not self.scales:
            raise ConfigError(f"scales must be a list of numbers, not {self.scales!r}")
        scales = tuple(check_number("scales", s, above=0, most=16) for s in self.scales)
        object.__setattr__(self, "scales", scales)
        if self.mode == "slide":
            if self.crop_size is None:
                raise ValueError("mode='slide' needs crop_size=(height, width)")
            if self.stride is None:
                object.__setattr__(
                    self, "stride", tuple(max(1, c * 2 // 3) for c in self.crop_size)
                )
            if any(s > c for s, c in zip(self.stride or (), self.crop_size, strict=True)):
                raise ValueError(f"stride {self.stride} leaves gaps between crops {self.crop_size}")

    def windows(self, height: int, width: int) -> list[tuple[int, int]]:
        """Top-left corners of the windows that cover an image; the last ones touch its end."""
        assert self.crop_size is not None
        assert self.stride is not None

        def starts(length: int, crop: int, step: int) -> list[int]:
            last = max(length - crop, 0)
            return [*range(0, last, step), last]

        return [
            (top, left)
            for top in starts(height, self.crop_size[0], self.stride[0])
            for left in starts(width, self.crop_size[1], self.stride[1])
        ]

    def probabilities(
        self, network: Callable[[Tensor], Tensor], image: Tensor, binary: bool, size_divisor: int
    ) -> Tensor:
        """Average class probabilities of all views.

        Args:
            network: (N, C, h, w) -> logits (N, K, h, w).
            image: (N, C, H, W), normalised.
            binary: one logit a pixel, read by a sigmoid; else a softmax over K.
            size_divisor: windows and images are padded to a multiple of it.

        Returns:
            (N, K, H, W) float32.
        """
        total: Tensor | None = None
        views = 0
        for view, mirrored in self._views(image):
            logits = self._logits(network, view, size_divisor)
            if mirrored:
                logits = logits.flip(-1)
            logits = resized(logits.float(), image.shape[-2:])
            scores = logits.sigmoid() if binary else logits.softmax(1)
            total = scores if total is None else total.add_(scores)
            views += 1
        assert total is not None
        return total.div_(views) if views > 1 else total

    def _views(self, image: Tensor) -> Iterator[tuple[Tensor, bool]]:
        height, width = self.size or image.shape[-2:]
        for scale in self.scales:
            view = resized(image, (max(1, round(height * scale)), max(1, round(width * scale))))
            yield view, False
            if self.flip:
                yield view.flip(-1), True

    def _logits(
        self, network: Callable[[Tensor], Tensor], image: Tensor, size_divisor: int
    ) -> Tensor:
        height, width = image.shape[-2:]
        if self.mode == "whole":
            return network(pad_to_multiple(image, size_divisor, 0))[..., :height, :width]
        assert self.crop_size is not None
        crop_height, crop_width = (
            min(self.crop_size[0], height),
            min(self.crop_size[1], width),
        )
        total: Tensor | None = None
        count = image.new_zeros(1, 1, height, width)
        for top, left in self.windows(height, width):
            rows, columns = slice(top, top + crop_height), slice(left, left + crop_width)
            window = pad_to_multiple(image[..., rows, columns], size_divisor, 0)
            logits = network(window)[..., :crop_height, :crop_width].float()
            if total is None:
                total = logits.new_zeros(*logits.shape[:2], height, width)
            total[..., rows, columns] += logits
            count[..., rows, columns] += 1
        assert total is not None
        return total.div_(count)


class Prediction(Mapping[str, Any]):
    """What a network says of an image: "probabilities", "prediction" and "sample_id".

    The prediction, (H, W) class ids in int64, the first of equally probable ones, is computed when
    it is looked at: a metric counts from the probabilities.

    Args:
        probabilities: (K, H, W); one channel is of the second of two classes.
        sample_id: the image's name, or None.

    Example:
        >>> import torch
        >>> found = Prediction(torch.tensor([[[0.2, 0.5]], [[0.8, 0.5]]]), "a")
        >>> found["prediction"], found["sample_id"]
        (tensor([[1, 0]]), 'a')
    """

    def __init__(self, probabilities: Tensor, sample_id: str | None) -> None:
        self._known: dict[str, Any] = {"probabilities": probabilities, "sample_id": sample_id}

    def __getitem__(self, key: str) -> Any:
        if key == "prediction" and key not in self._known:
            p = self._known["probabilities"]
            self._known[key] = (p[0] > 0.5).long() if len(p) == 1 else greatest_class(p[None])[0]
        return self._known[key]

    def __iter__(self) -> Iterator[str]:
        return iter(("prediction", "probabilities", "sample_id"))

    def __len__(self) -> int:
        return 3
