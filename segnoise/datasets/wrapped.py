"""The protocol of a labelled data set, and how data sets of other libraries get it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import ConcatDataset, Subset

from segnoise.checks import check_choice, check_integer
from segnoise.datasets.base import (
    LabelledImages,
    Sample,
    check_same_classes,
    checked_classes,
    checked_palette,
    checked_range,
)
from segnoise.datasets.contract import unknown_label
from segnoise.datasets.files.bands import DTYPES, as_type
from segnoise.datasets.files.palettes import default_palette
from segnoise.datasets.problems import one_problem
from segnoise.errors import ConfigError

_PROTOCOL = ("__len__", "__getitem__", "metainfo", "sample_id", "load_mask", "paths")
_OF_SOME = (
    "load_image", "load_instances", "has_instances", "load_masks", "slice_of", "whole_of",
    "load_whole",
)  # fmt: skip
_KNOWN = ("noise", "fingerprint", "mask_reader")
_WRAP = """wrap it:

    from segnoise.datasets import Wrapped

    def my_data(root, split):  # in a config: train_data=dict(type=my_data, root=..., split=...)
        return Wrapped({name}(...), classes=["background", ...])"""


class Wrapped(LabelledImages):
    """A data set of another library, with the protocol that all of this package work with.

    Its samples may be tuples (image, mask, ...) as torchvision's, or dictionaries as torchgeo's
    and MONAI's; images and masks may be PIL images, arrays (H, W, C) or tensors (C, H, W). Leave
    out its random transforms: `Transformed` draws them anew in every epoch. Split it after it is
    wrapped, so that a sample keeps its name, on which the noise depends.

    Args:
        dataset: With `len(dataset)` and `dataset[index]`.
        classes: K class names; id i is class i.
        palette: K colours, (r, g, b) in 0..255; None takes one of well separated colours.
        ignore_index: The id of void.
        image: Where a sample holds the image: a place in a tuple or a key; None is 0 or "image".
        mask: The same for the mask; None is 1 or "mask".
        sample_id: Names a sample by its index; None numbers them: "000000", "000001", ...
        image_range: (low, high), the values that become 0 and 255, with those between in
            proportion; needed for images that are not uint8, such as (0, 1) for those of
            torchvision's `ToTensor`, unless they keep their numbers.
        dtype: "uint16", "int16" or "float32" keeps the numbers, which must fit the type.
        channels: Of an image; grey ones become RGB where it is 3.

    Raises:
        ConfigError: If the data set has no length, or class names, palette or range do not fit.
        DatasetError: On reading, if a sample has no such image and mask; they differ in size; an
            image is not uint8 and there is no range, or holds NaN or inf; the mask holds an id
            that is neither a class nor void.

    Example:
        >>> pairs = [(torch.zeros(3, 2, 4), torch.tensor([[0, 1, 1, 255]] * 2))]
        >>> data = Wrapped(pairs, classes=["sky", "tree"], image_range=(0, 1))
        >>> data[0]["image"].shape, data[0]["mask"].dtype, data[0]["sample_id"]
        ((2, 4, 3), dtype('uint8'), '000000')
    """

    def __init__(
        self,
        dataset: Any,
        classes: Sequence[str],
        *,
        palette: Sequence[Sequence[int]] | None = None,
        ignore_index: int = 255,
        image: int | str | None = None,
        mask: int | str | None = None,
        sample_id: Callable[[int], str] | None = None,
        image_range: tuple[float, float] | None = None,
        dtype: str = "uint8",
        channels: int = 3,
    ) -> None:
        for method in ("__len__", "__getitem__"):
            if not hasattr(type(dataset), method):
                raise ConfigError(f"{dataset!r} has no {method}: only data sets by index can train")
        names = checked_classes(classes)
        colors = default_palette(len(names)) if palette is None else palette
        self.metainfo: dict[str, Any] = {
            "classes": names,
            "palette": checked_palette(colors, len(names)),
            "ignore_index": ignore_index,
        }
        self.dataset = dataset
        self._keys = (image, mask)
        self._sample_id = sample_id
        self._image_range = checked_range(image_range)
        self._dtype = check_choice("dtype", dtype, DTYPES)
        self._channels = check_integer("channels", channels, 1)
        if dtype != "uint8" or channels != 3:
            self.metainfo["image"] = {"channels": channels, "dtype": dtype}

    def __len__(self) -> int:
        return len(self.dataset)

    def __repr__(self) -> str:
        return f"Wrapped({type(self.dataset).__name__}, {len(self)} images)"

    def sample_id(self, index: int) -> str:
        """Return the name of a sample; reads nothing."""
        if self._sample_id is not None:
            return str(self._sample_id(index))
        return f"{range(len(self))[index]:06d}"

    def paths(self, index: int) -> tuple[Path, Path]:
        """Return what messages call a sample, twice: which files it is from is not known."""
        # In a folder that is not there: tools keep away from the folders of a data set's files.
        name = Path(type(self.dataset).__name__, f"sample {index}")
        return name, name

    def load_image(self, index: int) -> np.ndarray:
        """Return a sample's image, (H, W, 3) uint8; see `__getitem__`."""
        image: np.ndarray = self[index]["image"]
        return image

    def load_mask(self, index: int) -> np.ndarray:
        """Return a sample's labels, (H, W) ids; see `__getitem__`."""
        mask: np.ndarray = self[index]["mask"]
        return mask

    def __getitem__(self, index: int) -> Sample:
        """Return one sample."""
        given = self.dataset[index]
        image, mask = (self._part(given, index, place) for place in (0, 1))
        image, mask = self._image(image, index), self._mask(mask, index)
        if image.shape[:2] != mask.shape:
            raise self._problem(
                index,
                f"image {image.shape[1]}x{image.shape[0]}, mask {mask.shape[1]}x{mask.shape[0]}",
                "give both one size",
            )
        return {"image": image, "mask": mask, "sample_id": self.sample_id(index)}

    def _part(self, sample: Any, index: int, place: int) -> np.ndarray:
        """The image (place 0) or the mask (1) of a foreign sample, as an array (H, W[, C])."""
        own, key = ("image", "mask")[place], self._keys[place]
        if key is None:
            key = own if isinstance(sample, Mapping) else place
        try:
            value = sample[key]
        except (KeyError, IndexError, TypeError):
            has = f"keys {', '.join(map(str, sample))}" if isinstance(sample, Mapping) else sample
            raise self._problem(
                index, f"has no {own} at {key!r}: {str(has)[:200]}", f"give Wrapped {own}=<key>"
            ) from None
        if isinstance(value, torch.Tensor):
            array = value.detach().cpu().numpy()
            return np.moveaxis(array, 0, -1) if array.ndim == 3 else array
        if place == 0 and getattr(value, "mode", None) in ("P", "1", "LA", "RGBA", "CMYK"):
            value = value.convert("RGB")
        return np.asarray(value)

    def _image(self, image: np.ndarray, index: int) -> np.ndarray:
        if image.ndim not in (2, 3):
            raise self._problem(
                index, f"image has the shape {image.shape}", "give (H, W, C), or a tensor (C, H, W)"
            )
        if image.dtype.kind == "f" and not np.isfinite(image).all():
            raise self._problem(index, "image holds NaN or inf", "replace them where it is read")
        numbers = image if image.ndim == 3 else image[:, :, None]
        if self._dtype != "uint8":
            return self._of_channels(as_type(numbers, self._dtype, self.paths(index)[0]), index)
        if image.dtype != np.uint8 and self._image_range is None:
            raise self._problem(
                index,
                f"image is {image.dtype}, {image.min():g} to {image.max():g}",
                "give uint8, or Wrapped the image_range=(low, high) that becomes 0..255, or a "
                "dtype",
            )
        if self._image_range is not None:
            low, high = self._image_range
            scaled = (image.astype(np.float32) - low) * (255 / (high - low))
            image = np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
        if self._channels == 3 and numbers.shape[2] == 1:
            image = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
        return self._of_channels(np.ascontiguousarray(np.atleast_3d(image)), index)

    def _of_channels(self, image: np.ndarray, index: int) -> np.ndarray:
        if image.shape[2] != self._channels:
            raise self._problem(
                index,
                f"image has {image.shape[2]} channels, wanted are {self._channels}",
                f"give Wrapped channels={image.shape[2]}, or leave some out where it is read",
            )
        return image

    def _mask(self, mask: np.ndarray, index: int) -> np.ndarray:
        if mask.ndim == 3 and mask.shape[2] == 1:
            mask = mask[..., 0]
        ids = mask.astype(np.int64) if mask.ndim == 2 and mask.dtype.kind in "buif" else None
        if ids is None or not np.array_equal(ids, mask):
            raise self._problem(
                index,
                f"mask is {mask.dtype} of the shape {mask.shape}",
                "give integer class ids, (H, W)",
            )
        classes, void = len(self.metainfo["classes"]), self.metainfo["ignore_index"]
        if what := unknown_label(ids, classes, void):
            raise self._problem(
                index,
                f"mask {what}",
                "give Wrapped all classes and the ignore_index, or change the ids where it is read",
            )
        return ids.astype(np.uint8 if max(classes - 1, void) < 256 else np.uint16)

    def _problem(self, index: int, what: str, remedy: str) -> Exception:
        return one_problem(self.paths(index)[0], what, remedy)


class _Joined(LabelledImages):
    """Samples of one or several labelled data sets as one: torch's Subset and ConcatDataset."""

    sample_id: Any
    load_mask: Any

    def __init__(self, source: Any, places: Sequence[tuple[Any, int]]) -> None:
        self._source, self._places = source, list(places)
        if not self._places:
            raise ConfigError(f"{type(source).__name__} without samples")
        parts = list({id(part): part for part, _ in self._places}.values())
        for part in parts[1:]:
            check_same_classes(parts[0].metainfo, part.metainfo, (repr(parts[0]), repr(part)))
        names: dict[str, tuple[int, int]] = {}
        for part, index in self._places:
            name, place = part.sample_id(index), (id(part), index)
            if names.setdefault(name, place) != place:
                raise ConfigError(
                    f"two samples of {source!r} are called {name!r}, and labels are drawn and "
                    "remembered by name: load the parts from a folder above them all, or give them "
                    "names of their own, as Wrapped does by its sample_id"
                )
        self.metainfo: dict[str, Any] = parts[0].metainfo
        self._parts = parts
        for name in ("sample_id", "load_mask", *_OF_SOME):
            if all(getattr(part, name) is not None for part in parts):
                setattr(self, name, partial(self._of, name=name))
        for name in ("noise", "mask_reader"):  # those of all parts; None where they differ
            first, *others = (getattr(part, name) for part in parts)
            setattr(self, name, first if all(value == first for value in others) else None)
        known = [part.fingerprint for part in parts]
        self.fingerprint = None if None in known else "+".join(known)

    def _of(self, index: int, name: str) -> Any:
        part, place = self._places[index]
        return getattr(part, name)(place)

    def __len__(self) -> int:
        return len(self._places)

    def __repr__(self) -> str:
        return f"{type(self._source).__name__}({', '.join(map(repr, self._parts))}; {len(self)})"

    def paths(self, index: int) -> tuple[Path, Path]:
        """Return the image file and the mask file of a sample."""
        part, place = self._places[index]
        return file_paths(part, place)

    def __getitem__(self, index: int) -> Sample:
        """Return a sample."""
        part, place = self._places[index]
        sample: Sample = part[place]
        return sample


class _Completed(LabelledImages):
    """A data set of somebody's own that follows the protocol, with None for what it lacks."""

    sample_id: Any = None
    load_mask: Any = None
    paths: Any = None

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        for name in (*_PROTOCOL[2:], *_OF_SOME, *_KNOWN):
            if hasattr(dataset, name):
                setattr(self, name, getattr(dataset, name))

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Sample:
        sample: Sample = self.dataset[index]
        return sample

    def __repr__(self) -> str:
        return repr(self.dataset)


def joined(dataset: Any) -> Any:
    """Return a Subset or ConcatDataset of labelled data sets as one; anything else as it is."""
    if _follows(dataset) or not isinstance(dataset, (Subset, ConcatDataset)):
        return dataset
    places: list[tuple[Any, int]] = []
    for part in [dataset.dataset] if isinstance(dataset, Subset) else dataset.datasets:
        inner = joined(part)
        if not _follows(inner):
            return dataset
        inner = inner if isinstance(inner, LabelledImages) else _Completed(inner)
        whole = (
            inner._places if isinstance(inner, _Joined) else [(inner, i) for i in range(len(inner))]
        )
        chosen = dataset.indices if isinstance(dataset, Subset) else range(len(whole))
        places += [whole[int(index)] for index in chosen]
    return _Joined(dataset, places)


def labelled(dataset: Any) -> LabelledImages:
    """Return a data set that follows the protocol: itself, or the parts it is joined from.

    Of others the error shows how to wrap them.
    """
    whole = joined(dataset)
    if not _follows(whole):
        lacks = [name for name in _PROTOCOL if not hasattr(whole, name)]
        raise _foreign(whole, f"lacks {', '.join(lacks)}")
    complete: LabelledImages = whole if isinstance(whole, LabelledImages) else _Completed(whole)
    return complete


def check_keys(sample: Any, dataset: Any) -> None:
    """Raise unless a sample is a dictionary with image, mask and sample_id."""
    if isinstance(sample, Mapping):
        lacks = [key for key in ("image", "mask", "sample_id") if key not in sample]
        if not lacks:
            return
        what = f"has no {', '.join(lacks)} but {', '.join(map(str, sample))}"
    else:
        what = f"is a {type(sample).__name__}"
    raise _foreign(dataset, f"gives no dict(image=, mask=, sample_id=): a sample {what}")


def file_paths(dataset: Any, index: int) -> tuple[Path, Path]:
    """Return the image file and the mask file of a sample, where `paths` gives strings too."""
    image, mask = dataset.paths(index)
    return Path(image), Path(mask)


def _follows(dataset: Any) -> bool:
    return all(hasattr(dataset, name) for name in _PROTOCOL)


def _foreign(dataset: Any, what: str) -> ConfigError:
    inner = dataset
    while isinstance(inner, Subset):  # split after it is wrapped
        inner = inner.dataset
    name = type(inner).__name__
    return ConfigError(f"{name} is no labelled data set, it {what}: {_WRAP.format(name=name)}")
