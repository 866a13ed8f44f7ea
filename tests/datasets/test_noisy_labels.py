import cv2
import numpy as np
import pytest
from torch.utils.data import DataLoader

from segnoise.datasets.base import SampleFiles, SegmentationDataset
from segnoise.datasets.mask_files import MaskReader
from segnoise.datasets.noisy_labels import NoisyLabels
from segnoise.errors import ConfigError, DataError
from segnoise.noise import (
    AsymmetricFlip,
    BoundaryErosion,
    Compose,
    SymmetricFlip,
    generator,
    realised_noise,
)

CLASSES = ("sky", "tree", "car")
NOISE = Compose([BoundaryErosion(1), SymmetricFlip(0.3, 3)])


@pytest.fixture
def dataset(tmp_path):
    """Return five samples of 24 x 32 pixels, on disk, with void."""
    files = []
    for number in range(5):
        rng = np.random.default_rng(number)
        mask = cv2.resize(rng.integers(0, 3, (6, 8), np.uint8), (32, 24), interpolation=0)
        mask[:, :3] = 255
        files.append(
            SampleFiles(f"s{number}", tmp_path / f"{number}.jpg", tmp_path / f"{number}.png")
        )
        cv2.imwrite(str(files[-1].image), rng.integers(0, 255, (24, 32, 3), np.uint8))
        cv2.imwrite(str(files[-1].mask), mask)
    palette = [(0, 0, 255), (0, 255, 0), (255, 0, 0)]
    return SegmentationDataset(
        files, classes=CLASSES, palette=palette, read_mask=MaskReader(len(CLASSES))
    )


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
    assert len(noisy) == 5
    assert noisy.metainfo == dataset.metainfo
    assert noisy.sample_id(2) == "s2"
    assert noisy.paths(2) == dataset.paths(2)
    assert "BoundaryErosion(width=1" in repr(noisy)
    clean, corrupted = noisy.load_masks(2)
    np.testing.assert_array_equal(clean, dataset.load_mask(2))
    np.testing.assert_array_equal(corrupted, noisy[2]["mask"])
    np.testing.assert_array_equal(noisy.load_mask(2), noisy[2]["mask"])


def test_load_masks_decodes_no_image(dataset):
    noisy = NoisyLabels(dataset, NOISE, seed=3)
    dataset.paths(0)[0].unlink()
    noisy.load_masks(0)


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
    assert masks_by_id(noisy, num_workers=2, multiprocessing_context="fork") == expected
    shuffled = masks_by_id(noisy, num_workers=2, multiprocessing_context="fork", shuffle=True)
    assert shuffled == expected
    other = masks_by_id(NoisyLabels(dataset, NOISE, seed=4))
    assert all(other[name] != expected[name] for name in expected)


@pytest.mark.slow  # each spawned worker imports torch anew
def test_spawned_workers_give_the_same_masks(dataset):
    noisy = NoisyLabels(dataset, NOISE, seed=3)
    spawned = masks_by_id(noisy, num_workers=2, multiprocessing_context="spawn")
    assert spawned == masks_by_id(noisy)


def test_realised_rate_is_the_requested_one(dataset):
    noisy = NoisyLabels(dataset, SymmetricFlip(0.3, 3), seed=0)
    report = sum(realised_noise(*noisy.load_masks(i), num_classes=3) for i in range(5))
    sigma = np.sqrt(0.3 * 0.7 / report.valid)
    assert abs(report.pixel_rate - 0.3) < 4 * sigma
    assert report.to_void.sum() == 0


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
        (AsymmetricFlip.named("voc", 0.3), "matrix of 21 classes, but the data has 3"),
        (BoundaryErosion(1, fill=3), "names class 3, but the data has 3 classes"),
        (Compose([BoundaryErosion(1, ignore_index=254)]), "ignore_index=254, but void is 255"),
        (dict(type="SymetricFlip", rate=0.3), "did you mean 'SymmetricFlip'"),
        (dict(type="SymmetricFlip", rat=0.3), "did you mean 'rate'"),
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
    with pytest.raises(ConfigError, match=r"\(24, 32\), uint8 into one of \(23, 32\), uint8"):
        noisy.load_mask(0)
