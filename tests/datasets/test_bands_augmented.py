"""Augmentation of other images than 8-bit RGB: numbers keep their range, or it is refused."""

import albumentations as A
import numpy as np
import pytest

from segnoise.datasets.augmentations import Augment, RandomScaleCrop, ResizeFlip
from segnoise.errors import DataError

RNG = np.random.default_rng(0)


def sample(dtype, bands=6):
    if np.dtype(dtype).kind == "f":
        image = RNG.normal(500, 300, (48, 40, bands)).astype(dtype)
    else:
        image = RNG.integers(*((0, 255) if dtype == "uint8" else (-300, 3000)), (48, 40, bands))
        image = image.clip(np.iinfo(dtype).min, None).astype(dtype)
    return {"image": image, "mask": RNG.integers(0, 3, (48, 40)).astype(np.uint8), "sample_id": "a"}


GEOMETRIC = [
    A.HorizontalFlip(p=1), A.VerticalFlip(p=1), A.Transpose(p=1), A.RandomRotate90(p=1),
    A.D4(p=1), A.Affine(p=1), A.ShiftScaleRotate(p=1), A.Rotate(p=1), A.SafeRotate(p=1),
    A.ElasticTransform(p=1), A.GridDistortion(p=1), A.OpticalDistortion(p=1),
    A.PiecewiseAffine(p=1), A.ThinPlateSpline(p=1), A.Perspective(p=1), A.RandomScale(p=1),
    A.Resize(30, 20, p=1), A.RandomCrop(20, 20, p=1), A.CenterCrop(20, 20, p=1),
    A.RandomResizedCrop((20, 20), p=1), A.PadIfNeeded(64, 64, p=1), A.CoarseDropout(p=1),
    A.GridDropout(p=1), A.RandomGridShuffle(p=1), A.Morphological(p=1),
    A.Blur(p=1), A.ChannelDropout(p=1), A.ChannelShuffle(p=1),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("step", GEOMETRIC, ids=lambda step: type(step).__name__)
def test_numbers_stay_in_their_range(step):
    for dtype in ("float32", "uint16", "int16", "uint8"):
        given = sample(dtype)
        before = given["image"].copy()
        found = Augment([step])(given, np.random.default_rng(1))["image"]
        assert found.dtype == dtype
        assert found.shape[2] == 6
        assert found.max() > before.max() / 2  # clipped to 0..1 it would be 1
        assert min(before.min(), 0) <= found.min()
        assert found.max() <= before.max()
        assert np.array_equal(given["image"], before)


COLOURS = [
    A.GaussNoise(p=1), A.RandomBrightnessContrast(p=1), A.GaussianBlur(p=1), A.MotionBlur(p=1),
    A.RandomGamma(p=1), A.Downscale(p=1), A.Sharpen(p=1), A.ToGray(p=1), A.Normalize(p=1),
]  # fmt: skip


@pytest.mark.parametrize("step", COLOURS, ids=lambda step: type(step).__name__)
def test_what_would_clip_them_is_refused_by_name(step):
    name = type(step).__name__
    for steps in ([step], [A.OneOf([step, A.NoOp()])], [A.Sequential([A.NoOp(), step])]):
        with pytest.raises(DataError, match=rf"'a': {name} would clip its float32 .*leave it out"):
            Augment(steps)(sample("float32"), np.random.default_rng(0))


def test_the_recipe_pads_with_the_images_own_means():
    crop = RandomScaleCrop(crop_size=96, scale=(1, 1), flip=0.0, color_jitter=False)
    for dtype in ("float32", "uint16", "int16", "uint8"):
        given = sample(dtype)
        found = crop(given, np.random.default_rng(0))
        assert found["image"].dtype == dtype
        inside = found["mask"] != 255
        assert inside.sum() == 48 * 40
        kept = found["image"][inside].reshape(48, 40, 6)
        if dtype == "float32":
            assert kept == pytest.approx(given["image"], rel=1e-5, abs=1e-3)
        else:
            assert np.array_equal(kept, given["image"])
        mean = given["image"].mean((0, 1))
        assert found["image"][~inside].mean(0) == pytest.approx(mean, abs=0.51)
    with pytest.raises(DataError, match=r"ColorJitter.*color_jitter=False"):
        RandomScaleCrop(crop_size=96)(sample("int16"), np.random.default_rng(0))
    assert ResizeFlip(size=24)(sample("int16"), np.random.default_rng(0))["image"].shape == (
        24,
        24,
        6,
    )


def test_bytes_of_three_bands_are_drawn_as_before():
    given = sample("uint8", 3)
    crop = RandomScaleCrop(crop_size=64)
    found = crop(given, np.random.default_rng(3))
    again = Augment.__call__(crop, given, np.random.default_rng(3))
    assert np.array_equal(found["image"], again["image"])
