"""A data set whose masks are corrupted as they are read, the clean ones beside them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import traceback
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from segnoise.checks import check_integer
from segnoise.datasets.base import LabelledImages
from segnoise.datasets.labels.relabelled import Relabelled
from segnoise.datasets.problems import one_problem
from segnoise.datasets.wrapped import file_paths, labelled
from segnoise.errors import ConfigError, DataError
from segnoise.files import replacing
from segnoise.noise import (
    NOISES,
    Noise,
    NoiseContractError,
    NoiseFunction,
    build_noise,
    expanded,
    noise_parameters,
)
from segnoise.noise.base import NO_VOLUMES
from segnoise.noise.samples import OtherWholes, corrupt_sample
from segnoise.noise.seeding import generator


class NoisyLabels(Relabelled):
    """A data set with corrupted masks: the same sample always has the same noise.

    The noise of a sample depends on (seed, sample id) and nothing else: not on the worker, the
    epoch, the order of reading or the other samples; except for noise that borrows from the other
    masks, which depends on which there are. The result follows the data sets' protocol; a sample
    holds the noisy mask as `mask` and the original as `clean_mask`. Wrap training data only:
    validation and test masks stay clean.

    Noise models get what they `need`: the image, the instance map, the clean masks of the whole
    data set, the sample's id. Other functions get the mask alone. Where samples are windows of
    larger label maps, as in a `RasterDataset`, the noise sees those whole, once, so that no object
    is cut: it depends on the seed and the scene's name, and is the same for windows of any size.
    Of a `VolumeDataset` it sees the label map of a case, (D, H, W), so that the errors of an object
    agree from slice to slice; models that cannot do so are refused.

    Args:
        dataset: A data set with `metainfo`, `sample_id`, `load_mask` and `paths`; for noise that
            looks at images or instance maps also with `load_image` or `load_instances`. Also a
            `Subset` or a `ConcatDataset` of such; other libraries' data sets see `Wrapped`.
        noise: A noise model, its config (`dict(type="SymmetricFlip", rate=0.4)`; a bare name or
            class is a config without parameters), or any other function of (mask, rng) that
            returns a new mask of the same shape and dtype; see `FunctionNoise`. Where a config does
            not give `num_classes` or `ignore_index`, the data set's are taken.
        seed: An integer.

    Raises:
        ConfigError: If the noise cannot be built, does not fit the data's classes or void, or
            needs what the data set does not have; if the seed is no integer; if the data set is a
            NoisyLabels already, or none that follows the protocol.
        DataError: On reading, if a mask cannot be corrupted; names the file.

    Example:
        >>> import numpy as np
        >>> class Stripes:
        ...     metainfo = dict(classes=("sky", "tree"), palette=((0, 0, 0), (0, 255, 0)),
        ...                     ignore_index=255)
        ...     def __len__(self): return 1
        ...     def sample_id(self, index): return f"stripes_{index}"
        ...     def paths(self, index): return "stripes.jpg", "stripes.png"
        ...     def load_mask(self, index): return np.array([[0, 0, 1, 1, 255, 255]], np.uint8)
        ...     def __getitem__(self, index):
        ...         return dict(image=np.zeros((1, 6, 3), np.uint8), mask=self.load_mask(index),
        ...                     sample_id=self.sample_id(index))
        >>> noisy = NoisyLabels(Stripes(), dict(type="SymmetricFlip", rate=1.0), seed=0)
        >>> noisy[0]["mask"].tolist(), noisy[0]["clean_mask"].tolist()
        ([[1, 1, 0, 0, 255, 255]], [[0, 0, 1, 1, 255, 255]])
    """

    def __init__(
        self,
        dataset: LabelledImages,
        noise: NoiseFunction | Mapping[str, Any] | str | type,
        seed: int = 0,
    ) -> None:
        if isinstance(dataset, NoisyLabels):
            raise ConfigError(
                f"{dataset!r} is noisy already: apply several noises with Compose, in one wrapper"
            )
        self.dataset = labelled(dataset)
        self.noise = built_noise(noise, self.metainfo)
        if self.dataset.slice_of is not None and not self.noise.takes_volumes:
            raise ConfigError(f"noise: {self.noise!r} {NO_VOLUMES}")
        _check_sources(self.noise, self.dataset)
        self.seed = check_integer("seed", seed)
        self._wholes = None if self.dataset.whole_of is None else Wholes()

    def __repr__(self) -> str:
        return f"NoisyLabels({self.dataset!r}, {self.noise!r}, seed={self.seed})"

    def _relabelled(
        self, clean: np.ndarray, index: int, image: np.ndarray | None = None
    ) -> np.ndarray:
        with self._named(index):
            if self._wholes is not None:
                return self._part(self._wholes, clean, index)
            return corrupt_sample(self.noise, self.dataset, index, self.seed, clean, image)

    @contextlib.contextmanager
    def _named(self, index: int) -> Iterator[None]:
        """What the noise of a sample raises names its mask file."""
        try:
            yield
        except DataError:
            raise  # about another file: an image, an instance map, a mask to borrow from
        except NoiseContractError as error:
            raise ConfigError(str(error)) from error
        except Exception as error:  # a noise may be anybody's code
            what = f"{self.noise!r} cannot corrupt it: {error}"
            remedy = "correct the mask, or give the noise the data's classes"
            if not isinstance(error, (TypeError, ValueError)):
                place = traceback.extract_tb(error.__traceback__)[-1]
                what = f"{self.noise!r} failed at it: {type(error).__name__}: {error}"
                remedy = f"mend {Path(place.filename).name}, line {place.lineno}"
            raise one_problem(file_paths(self.dataset, index)[1], what, remedy) from error

    def _part(self, wholes: Wholes, clean: np.ndarray, index: int) -> np.ndarray:
        """The part of a corrupted whole that a sample is; void where the sample is void."""
        name, place = self.dataset.whole_of(index)
        part = wholes.get(name, partial(self._corrupted, index))[place]
        return part_of(clean, part, self.metainfo["ignore_index"])

    def _corrupted(self, index: int) -> np.ndarray:
        """The corrupted whole that a sample is a part of."""
        name = self.dataset.whole_of(index)[0]
        sources: dict[str, Any] = {"sample_id": name}
        if "others" in self.noise.needs:
            sources["others"] = OtherWholes(self.dataset, name)
        whole, rng = self.dataset.load_whole(index), generator(self.seed, "noise", name)
        return self.noise(whole, rng, **sources)

    def load_wholes(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the clean and the noisy whole that a sample is a part of."""
        with self._named(index):
            return self.dataset.load_whole(index), self._corrupted(index)


def part_of(clean: np.ndarray, part: np.ndarray, void: int) -> np.ndarray:
    """Return a part of a larger label map at its sample's size; void where the sample is void."""
    noisy = np.full_like(clean, void)
    noisy[tuple(slice(0, side) for side in part.shape)] = part
    noisy[clean == void] = void
    return noisy


class Wholes:
    """Corrupted label maps that are larger than a sample, each made once, in files of this run.

    Worker processes share them; who needs one that is not there makes it.
    """

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="segnoise-")
        self._maps: dict[str, np.ndarray] = {}
        # At the end of the process that made it, and not of its workers.
        weakref.finalize(self, _remove, self.folder, os.getpid())

    def __reduce__(self) -> tuple[Any, ...]:
        return _shared, (self.folder,)

    def get(self, name: str, make: Callable[[], np.ndarray]) -> np.ndarray:
        """Return a map, made if it is not there."""
        if name not in self._maps:
            path = Path(self.folder, f"{hashlib.sha256(name.encode()).hexdigest()}.npy")
            if not path.exists():
                with replacing(path) as temporary:
                    np.save(temporary, make())
            self._maps[name] = np.load(path, mmap_mode="r")
        return self._maps[name]


def _shared(folder: str) -> Wholes:
    """The maps of another process."""
    wholes = Wholes.__new__(Wholes)
    wholes.folder, wholes._maps = folder, {}
    return wholes


def _remove(folder: str, process: int) -> None:
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


def built_noise(
    noise: NoiseFunction | Mapping[str, Any] | str | type, metainfo: Mapping[str, Any]
) -> Noise:
    """Build a noise, as `NoisyLabels` takes one, for data with some classes and void."""
    num_classes, ignore_index = len(metainfo["classes"]), int(metainfo["ignore_index"])
    known = {"num_classes": num_classes, "ignore_index": ignore_index}
    if not isinstance(noise, (str, Mapping)) and not callable(noise):
        raise ConfigError(f"noise must be a noise model, its config or a function, not {noise!r}")
    try:
        if not isinstance(noise, Noise):
            config = noise if isinstance(noise, Mapping) else {"type": noise}
            noise = build_noise(_completed(expanded(config), known))
        noise.check_fit(num_classes, ignore_index)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"noise: {error}") from error
    return noise


def built_model(
    config: NoiseFunction | Mapping[str, Any] | str | type, metainfo: Mapping[str, Any]
) -> Noise:
    """Build a noise model as `built_noise` does, for a calibration.

    The parameter that stands for the dose may be left out: it begins at its least value.
    """
    if isinstance(config, (str, type)):
        config = {"type": config}
    if isinstance(config, Mapping):
        with contextlib.suppress(KeyError, TypeError, ValueError):  # built_noise says what is wrong
            config = expanded(config)
            kind = NOISES.find(config["type"])
            own = getattr(kind, "DOSE", None)
            required = own is not None and noise_parameters(kind).get(own.parameter)
            if own is not None and required and own.parameter not in config:
                least = round(own.low) if own.integer else own.low
                config = {**config, own.parameter: least}
    noise = built_noise(config, metainfo)
    try:
        _ = noise.dose
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return noise


def _check_sources(noise: Noise, dataset: LabelledImages) -> None:
    """Raise if a noise model needs what a data set can never give."""
    known = {"sample_id"} if dataset.slice_of is None else {"sample_id", "others"}
    if dataset.whole_of is not None and (more := sorted(noise.needs - known)):
        raise ConfigError(
            f"{noise!r} needs {', '.join(more)}, and here it sees whole scenes or volumes, of "
            "which there are only labels in memory: take a noise that looks at labels alone"
        )
    for source in ("image", "instances"):
        if source in noise.needs and getattr(dataset, f"load_{source}") is None:
            raise ConfigError(
                f"{noise!r} needs {source}, but {dataset!r} has no load_{source}(index)"
            )
    if "instances" in noise.needs and dataset.has_instances is not None:
        without = [i for i in range(len(dataset)) if not dataset.has_instances(i)]
        if without:
            raise ConfigError(
                f"{noise!r} needs instance maps, but {len(without)} of the {len(dataset)} samples "
                f"of {dataset!r} have none, such as {dataset.sample_id(without[0])!r}: unpack "
                "them, give FolderDataset its instance_dir, or use connected regions instead"
            )


def _completed(config: Any, known: Mapping[str, Any]) -> Any:
    """Fill in what a noise config leaves out and the data set knows, at any depth of nesting."""
    if isinstance(config, Mapping):
        completed = {name: _completed(value, known) for name, value in config.items()}
        if "type" in config:
            parameters = noise_parameters(NOISES.find(config["type"]))
            completed = {name: known[name] for name in known if name in parameters} | completed
        return completed
    if isinstance(config, Sequence) and not isinstance(config, str):
        return [_completed(item, known) for item in config]
    return config
