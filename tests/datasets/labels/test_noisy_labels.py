import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest
from torch.utils.data import ConcatDataset, DataLoader

from segnoise.datasets.base import SampleFiles, SegmentationDataset
from segnoise.datasets.files.masks import MaskReader
from segnoise.datasets.labels.noisy_labels import NoisyLabels
from segnoise.errors import ConfigError, DataError
from segnoise.noise import (
    AsymmetricFlip,
    BoundaryErosion,
    Compose,
    Noise,
    Omission,
    RegionSwap,
    Sometimes,
    SpuriousObjects,
    SymmetricFlip,
    generator,
)

CLASSES = ("sky", "tree", "car")
NOISE = Compose([BoundaryErosion(1), SymmetricFlip(0.3, 3)])


def write(folder, classes, instances=False):
    """Return five samples of 24 x 32 pixels, on disk, with void."""
    files = []
    for number in range(5):
        rng = np.random.default_rng(number)
        labels = rng.integers(0, len(classes), (6, 8), np.uint8)
        mask = cv2.resize(labels, (32, 24), interpolation=0)
        mask[:, :3] = 255
        image = rng.integers(0, 255, (24, 32, 3), np.uint8)
        objects = mask * 10 + np.uint8(1) + (np.arange(32, dtype=np.uint8) > 16)
        paths = [folder / f"{number}{end}" for end in (".jpg", ".png", "_objects.png")]
        for path, array in zip(paths, (image, mask, objects), strict=True):
            cv2.imwrite(str(path), array)
        files.append(SampleFiles(f"s{number}", *paths[: 3 if instances else 2]))
    palette = [(0, 0, 255), (0, 255, 0), (255, 0, 0), (9, 9, 9)][: len(classes)]
    return SegmentationDataset(
        files, classes=classes, palette=palette, read_mask=MaskReader(len(classes))
    )


@pytest.fixture
def dataset(tmp_path):
    """Return samples without instance maps."""
    return write(tmp_path, CLASSES)


@pytest.fixture
def full_dataset(tmp_path):
    """Return samples of four classes, with instance maps."""
    return write(tmp_path, (*CLASSES, "bus"), instances=True)


def test_sample_holds_the_noisy_and_the_clean_mask(dataset):
    noisy = NoisyLabels(dataset, NOISE, seed=3)
    for index in range(len(dataset)):
        clean_sample, sample = dataset[index], noisy[index]
        assert set(sample) == {"image", "mask", "clean_mask", "sample_id"}
        np.testing.assert_array_equal(sample["clean_mask"], clean_sample["mask"])
        np.testing.assert_array_equal(sample["image"], clean_sample["image"])
        expected = NOISE(clean_sample["mask"], generator(3, "noise", f"s{index}"))
        np.testing.assert_array_equal(sample["mask"], expected)
        assert (sample["mask"] != sample["clean_mask"]).any()
        assert sample["mask"].dtype == clean_sample["mask"].dtype


def test_protocol_passes_through(dataset):
    noisy = NoisyLabels(dataset, NOISE, seed=3)
    assert (len(noisy), noisy.metainfo) == (5, dataset.metainfo)
    assert (noisy.sample_id(2), noisy.paths(2)) == ("s2", dataset.paths(2))
    assert "BoundaryErosion(width=1" in repr(noisy)
    clean, corrupted = noisy.load_masks(2)
    np.testing.assert_array_equal(clean, dataset.load_mask(2))
    np.testing.assert_array_equal(corrupted, noisy[2]["mask"])
    np.testing.assert_array_equal(noisy.load_mask(2), noisy[2]["mask"])


def masks_by_id(dataset, **options):
    """Read all through a DataLoader, in the order that it is given."""
    return {
        sample["sample_id"]: sample["mask"].numpy().tobytes()
        for sample in DataLoader(dataset, batch_size=None, **options)
    }


def test_masks_depend_on_seed_and_sample_only(dataset):
    noisy = NoisyLabels(dataset, NOISE, seed=3)
    expected = masks_by_id(noisy)
    assert len(set(expected.values())) == 5
    backwards = {noisy.sample_id(i): noisy.load_mask(i).tobytes() for i in reversed(range(5))}
    assert backwards == expected
    assert masks_by_id(noisy) == expected  # a second epoch
    shuffled = masks_by_id(noisy, num_workers=2, multiprocessing_context="fork", shuffle=True)
    assert shuffled == expected
    other = masks_by_id(NoisyLabels(dataset, NOISE, seed=4))
    assert all(other[name] != expected[name] for name in expected)


def models():
    """Return the models, of four classes, that the tests of all noise use."""
    path = Path(__file__).parents[2] / "noise" / "test_properties.py"
    spec = importlib.util.spec_from_file_location("noise_properties", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.MODELS


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more workers than cores
@pytest.mark.parametrize(
    ("method", "workers", "steps"),
    [
        (None, 0, (1, -1)),
        ("fork", 2, (1, -1)),
        # Each spawned worker imports torch anew, so there is one.
        pytest.param("spawn", 1, (-1,), marks=pytest.mark.slow),
    ],
)
def test_all_noise_is_the_same_in_any_worker_and_order(full_dataset, method, workers, steps):
    noisy = [NoisyLabels(full_dataset, noise, seed=3) for noise in models().values()]
    samples = ConcatDataset(noisy)
    expected = [part.load_mask(index).tobytes() for part in noisy for index in range(len(part))]
    for order in (range(len(samples))[::step] for step in steps):
        loader = DataLoader(
            samples,
            batch_size=None,
            sampler=order,
            num_workers=workers,
            multiprocessing_context=method,
        )
        for index, sample in zip(order, loader, strict=True):
            assert sample["mask"].numpy().tobytes() == expected[index], noisy[index // 5].noise


class Seen(Noise):
    """Keeps what it is given."""

    def __init__(self, *needs):
        object.__setattr__(self, "names", frozenset(needs))
        object.__setattr__(self, "seen", {})

    @property
    def needs(self):
        return self.names

    def _corrupt(self, mask, rng, sources):
        self.seen.update(sources.with_names(self.names))
        return mask.copy()


def test_noise_gets_what_it_needs(full_dataset):
    noise = Seen("image", "instances", "others", "sample_id")
    noisy = NoisyLabels(full_dataset, noise)
    for load in (noisy.load_masks, noisy.__getitem__):
        noise.seen.clear()
        load(2)
        np.testing.assert_array_equal(noise.seen["image"], full_dataset[2]["image"])
        np.testing.assert_array_equal(noise.seen["instances"], full_dataset.load_instances(2))
        assert noise.seen["sample_id"] == "s2"
        others = noise.seen["others"]
        assert len(others) == 4  # all but its own
        np.testing.assert_array_equal(others[3], full_dataset.load_mask(4))


def test_nothing_is_loaded_that_is_not_needed(full_dataset):
    for files in full_dataset._files:
        files.image.unlink()
        files.instances.unlink()
    NoisyLabels(full_dataset, BoundaryErosion(1)).load_masks(0)
    NoisyLabels(full_dataset, SpuriousObjects(3)).load_masks(0)
    with pytest.raises(DataError, match=r"0\.jpg: file not found"):
        NoisyLabels(full_dataset, Seen("image")).load_masks(0)
    with pytest.raises(DataError, match=r"0_objects\.png: file not found"):
        NoisyLabels(full_dataset, Omission(0.5, regions="instances")).load_masks(0)


def test_a_mask_to_borrow_from_that_cannot_be_read_is_named(full_dataset):
    full_dataset.paths(3)[1].unlink()
    noisy = NoisyLabels(full_dataset, SpuriousObjects(50, donors=20))
    with pytest.raises(DataError, match=r"^\S*/3\.png: file not found"):
        noisy[0]


def test_an_instance_map_of_another_size(full_dataset):
    cv2.imwrite(str(full_dataset._files[1].instances), np.ones((5, 6), np.uint8))
    noisy = NoisyLabels(full_dataset, Omission(0.5, regions="instances"))
    with pytest.raises(DataError, match=r"1\.png: .*instances has shape \(5, 6\), but the mask"):
        noisy.load_mask(1)


def test_noise_that_needs_what_the_data_lack_is_refused_at_once(dataset, full_dataset):
    by_instance = Sometimes(RegionSwap(0.5, 3, "instances"), 0.5)
    with pytest.raises(ConfigError, match=r"5 of the 5 samples .* such as 's0'.* instance_dir"):
        NoisyLabels(dataset, by_instance)
    full_dataset._files[3] = full_dataset._files[3]._replace(instances=None)
    with pytest.raises(ConfigError, match=r"1 of the 5 samples .* such as 's3'"):
        NoisyLabels(full_dataset, Omission(0.5, regions="instances"))

    class Plain:
        metainfo = dataset.metainfo
        __len__ = __getitem__ = sample_id = load_mask = paths = None  # never called

    with pytest.raises(ConfigError, match=r"has no load_image\(index\)"):
        NoisyLabels(Plain(), RegionSwap(0.5, 3, "superpixels"))
    with pytest.raises(ConfigError, match=r"has no load_instances\(index\)"):
        NoisyLabels(Plain(), by_instance)


def test_configs_take_classes_and_void_from_the_data(dataset):
    assert NoisyLabels(dataset, dict(type="SymmetricFlip", rate=0.3)).noise == SymmetricFlip(0.3, 3)
    assert NoisyLabels(dataset, dict(type=SymmetricFlip, rate=0.3)).noise == SymmetricFlip(0.3, 3)
    nested = dict(
        type="Compose",
        noises=[
            dict(type="BoundaryErosion", width=1),
            dict(type="Compose", noises=(dict(type="SymmetricFlip", rate=0.3),)),
            dict(type="AsymmetricFlip", transition_matrix=dict(pair=3, rate=0.2)),
        ],
    )
    assert NoisyLabels(dataset, nested).noise == Compose(
        [BoundaryErosion(1), Compose([SymmetricFlip(0.3, 3)]), AsymmetricFlip.pair(3, 0.2)]
    )
    dataset.metainfo["ignore_index"] = 200
    built = NoisyLabels(dataset, dict(type="SymmetricFlip", rate=0.3)).noise
    assert built == SymmetricFlip(0.3, 3, ignore_index=200)


def test_any_function_is_a_noise(dataset):
    noisy = NoisyLabels(
        dataset, lambda mask, rng: np.where(mask == 255, mask, 0).astype(mask.dtype)
    )
    assert set(np.unique(noisy.load_mask(0))) == {0, 255}


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        (SymmetricFlip(0.3, 21), "SymmetricFlip has num_classes=21, but the data has 3"),
        (dict(type="SymmetricFlip", rate=0.3, num_classes=21), "num_classes=21"),
        (AsymmetricFlip.named("voc", 0.3), "num_classes=21, but the data has 3"),
        (BoundaryErosion(1, fill=3), "names class 3, but the data has 3 classes"),
        (Compose([BoundaryErosion(1, ignore_index=254)]), "ignore_index=254, but void is 255"),
        (dict(type="SymetricFlip", rate=0.3), "did you mean SymmetricFlip"),
        (dict(type="SymmetricFlip", rat=0.3), "did you mean rate"),
        (dict(type="SymmetricFlip", rate=3), "rate must be from 0 to 1, not 3"),
        (dict(rate=0.3), 'lacks "type"'),
        ("BoundaryErosion", "needs a value for 'width'"),
        (BoundaryErosion, "needs a value for 'width'"),
        (3, "must be a noise model, its config or a function, not 3"),
    ],
)
def test_a_noise_that_does_not_fit_is_refused_at_once(dataset, noise, message):
    with pytest.raises(ConfigError, match=message):
        NoisyLabels(dataset, noise)


@pytest.mark.parametrize("seed", [None, 1.5, "0", True])
def test_wrong_seed(dataset, seed):
    with pytest.raises(ConfigError, match="seed must be an integer"):
        NoisyLabels(dataset, NOISE, seed)


def test_noise_on_noise_is_refused(dataset):
    with pytest.raises(ConfigError, match="Compose"):
        NoisyLabels(NoisyLabels(dataset, NOISE), NOISE)


def test_a_mask_that_cannot_be_corrupted_is_named(dataset):
    dataset._read_mask = lambda path: np.full((24, 32), 37, np.uint8)
    noisy = NoisyLabels(dataset, NOISE)
    with pytest.raises(DataError, match=r"1\.png: .*class id 37 \(768 pixels\)"):
        noisy[1]


def test_a_function_that_changes_the_shape_is_refused(dataset):
    noisy = NoisyLabels(dataset, lambda mask, rng: mask[:-1])
    with pytest.raises(ConfigError, match=r"\(24, 32\), uint8 into \(23, 32\), uint8"):
        noisy.load_mask(0)
