import dataclasses
import math

import numpy as np
import pytest

from segnoise.noise import (
    NOISES,
    AsymmetricFlip,
    BoundaryErosion,
    BoundaryJitter,
    Compose,
    Dose,
    Elastic,
    FeatureDependent,
    Noise,
    Omission,
    RegionSwap,
    Shift,
    Sometimes,
    SymmetricFlip,
    calibrate,
    generator,
    realised_noise,
    register,
)
from segnoise.noise.calibration import UnreachableDoseError
from segnoise.noise.samples import corrupt_sample


class Scenes:
    """Masks with discs of several sizes."""

    metainfo = {"classes": ("ground", "tree", "car"), "ignore_index": 255}  # noqa: RUF012

    def __init__(self, count=12):
        self.count = count
        self.loaded = []

    def __len__(self):
        return self.count

    def sample_id(self, index):
        return f"scene_{index}"

    def load_mask(self, index):
        self.loaded.append(index)
        rng = np.random.default_rng(index)
        rows, columns = np.mgrid[:72, :96]
        mask = np.zeros((72, 96), np.uint8)
        for label in (1, 2, 1, 2):
            y, x, radius = rng.uniform(0, 72), rng.uniform(0, 96), rng.uniform(6, 16)
            mask[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = label
        mask[:2] = 255
        return mask


def realised(noise, dataset, seed, measure):
    reports = []
    for index in range(len(dataset)):
        mask = dataset.load_mask(index)
        noisy = noise(mask, generator(seed, "noise", dataset.sample_id(index)))
        reports.append(realised_noise(mask, noisy, 3))
    total = sum(reports)
    value = {
        "pixel_rate": lambda r: r.pixel_rate,
        "miou": lambda r: r.mean_iou,
        "boundary_rate": lambda r: r.boundary_rate(),
    }[measure]
    return value(total), np.std([value(report) for report in reports], ddof=1)


@pytest.mark.parametrize(
    ("noise", "measure", "target", "allowed"),
    [
        (SymmetricFlip(0.9, 3), "pixel_rate", 0.15, 0.01),
        (SymmetricFlip(0.01, 3), "miou", 0.6, 0.01),
        (AsymmetricFlip.pair(3, 0.1), "pixel_rate", 0.15, 0.01),
        (BoundaryErosion(1), "boundary_rate", 0.3, 0.1),
        (BoundaryErosion(4), "miou", 0.7, 0.1),  # 12 masks take one width or the next: steps
        (Compose([BoundaryErosion(1), SymmetricFlip(0.05, 3)]), "pixel_rate", 0.1, 0.1),
        (Sometimes(BoundaryErosion(4), 0.2), "pixel_rate", 0.06, 0.25),
    ],
)
def test_the_target_is_realised(noise, measure, target, allowed):
    found = calibrate(noise, Scenes(), target, measure, seed=3)
    value, spread = realised(found.noise, Scenes(), 3, measure)
    assert found.reached == pytest.approx(value, abs=1e-12)
    assert found.spread == pytest.approx(spread, abs=1e-12)
    assert value == pytest.approx(target, rel=allowed)
    assert type(found.noise) is type(noise)
    assert (found.target, found.measure, found.num_masks) == (target, measure, 12)
    assert found == calibrate(noise, Scenes(), target, measure, seed=3), "it is deterministic"


def test_only_the_dose_changes():
    found = calibrate(BoundaryErosion(1, fill=0, classes=(1,)), Scenes(), 0.03)
    assert found.noise == dataclasses.replace(
        BoundaryErosion(1, fill=0, classes=(1,)), width=found.noise.width
    )
    assert found.noise.width == found.noise.dose


def test_a_dose_in_steps_takes_the_nearest():
    @register
    @dataclasses.dataclass(frozen=True)
    class Columns(Noise):
        DOSE = Dose("number", high=96, integer=True)
        number: int = 1

        def _corrupt(self, mask, rng, sources):
            noisy = mask.copy()
            noisy[2:, : self.number] = (noisy[2:, : self.number] + 1) % 3
            return noisy

    try:
        for target in (0.05, 0.149, 0.5, 1.0):
            found = calibrate(Columns(7), Scenes(), target)
            assert found.noise.number == round(96 * target)
            assert found.evaluations < 20
    finally:
        del NOISES["Columns"]


def test_a_sample_is_drawn_by_the_seed_and_loaded_once():
    dataset = Scenes(40)
    found = calibrate(SymmetricFlip(0.3, 3), dataset, 0.2, seed=1, sample=5)
    assert found.num_masks == len(dataset.loaded) == len(set(dataset.loaded)) == 5
    other = Scenes(40)
    calibrate(SymmetricFlip(0.3, 3), other, 0.2, seed=2, sample=5)
    assert set(other.loaded) != set(dataset.loaded)


def test_a_plain_list_of_masks():
    masks = [Scenes().load_mask(index) for index in range(5)]
    found = calibrate(BoundaryErosion(1), masks, 0.05)
    noisy = [found.noise(mask, generator(0, "noise", str(i))) for i, mask in enumerate(masks)]
    reports = [realised_noise(*pair, 3) for pair in zip(masks, noisy, strict=True)]
    assert found.reached == pytest.approx(sum(reports).pixel_rate)
    single = calibrate(BoundaryErosion(1), masks[:1], 0.05)
    assert math.isnan(single.spread)


def test_what_it_says():
    found = calibrate(BoundaryErosion(1), Scenes(), 0.05)
    text = str(found)
    assert repr(found.noise) in text
    assert "pixel_rate 0.0" in text
    assert "(target 0.0500)" in text
    assert "over 12 masks" in text


FLIP, VOID = SymmetricFlip(0.1, 3), np.full((9, 9), 255, np.uint8)


@pytest.mark.parametrize(
    ("noise", "data", "more", "error", "message"),
    [
        ("x", Scenes(), {}, TypeError, "only a noise model"),
        (FLIP, Scenes(), {"target": 0}, ValueError, "target must be above"),
        (FLIP, Scenes(), {"target": 1.5}, ValueError, "at most 1"),
        (FLIP, Scenes(), {"measure": "rate"}, ValueError, "must be 'pixel_rate', 'miou' or"),
        (FLIP, [], {}, ValueError, "data set is empty"),
        (FLIP, Scenes(), {"sample": 0}, ValueError, "at least 1"),
        (SymmetricFlip(0.1, 4), Scenes(), {}, ValueError, "num_classes=4, but the data has 3"),
        (BoundaryErosion(1, classes=(2,)), Scenes(), {"target": 0.9}, UnreachableDoseError,
         r"reaches a pixel_rate of 0\.\d+ at the most \(dose"),
        (BoundaryErosion(1), [VOID], {}, ValueError, "the masks have no pixel_rate"),
        (AsymmetricFlip.pair(3, 0), Scenes(), {}, ValueError, "flips nothing"),
    ],
)  # fmt: skip
def test_bad_input(noise, data, more, error, message):
    with pytest.raises(error, match=message):
        calibrate(noise, data, **more)


def test_sources_come_from_the_data_set():
    class Spy(Noise):
        needs = frozenset({"image", "instances", "others", "sample_id"})

        def _corrupt(self, mask, rng, sources):
            assert sources.image.shape == (*mask.shape, 3)
            assert sources.instances.max() == 7
            assert len(sources.others) == 11  # all but the sample itself
            assert (sources.others[3] == Scenes().load_mask(3)).all()
            assert (sources.others[5] == Scenes().load_mask(6)).all()
            assert sources.sample_id == "scene_5"
            return mask + np.uint8(rng.integers(1, 2))

    class Rich(Scenes):
        def load_image(self, index):
            return np.zeros((72, 96, 3), np.uint8)

        def load_instances(self, index):
            return np.full((72, 96), 7, np.int32)

    mask = Scenes().load_mask(5)
    assert (corrupt_sample(Spy(), Rich(), 5, 0, mask) == mask + 1).all()


def squares(count=8):
    masks = [np.zeros((40, 40), np.uint8) for _ in range(count)]
    for size, mask in enumerate(masks, start=10):
        mask[10 : 10 + size, 10 : 10 + size] = 1
    return masks


@pytest.mark.parametrize(
    ("noise", "count", "target"),
    [(BoundaryErosion(1), 8, 0.0005), (RegionSwap(0.3, 2), 2, 0.1)],
)
def test_no_noise_at_all_is_never_the_answer(noise, count, target):
    with pytest.raises(UnreachableDoseError, match="moves in steps on"):
        calibrate(noise, squares(count), target)


@pytest.mark.parametrize(
    "noise", [SymmetricFlip(1e-9, 2), Shift(0.001), Elastic(0.01), BoundaryJitter(0.01, 4)]
)
def test_a_start_so_small_that_nothing_happens(noise):
    assert calibrate(noise, squares(), 0.04).hit


def test_a_start_beyond_the_greatest_damage():
    scenes = [Scenes().load_mask(index) for index in range(8)]
    found = calibrate(Omission(1.0), scenes, 0.2)
    assert 0.1 < found.reached < 0.3
    assert found.noise.rate < 1


def test_a_miss_is_told():
    masks = squares(2)
    both = sum(realised_noise(m, BoundaryErosion(2)(m, generator(0)), 2) for m in masks)
    found = calibrate(Sometimes(BoundaryErosion(2), 0.5), masks, 0.75 * both.pixel_rate)
    assert not found.hit
    assert "MISSED" in str(found)
    assert calibrate(BoundaryErosion(1), squares(), 0.05).hit


def test_it_does_not_bisect_for_ever():
    assert calibrate(Sometimes(BoundaryErosion(2), 0.5), squares(), 0.033).evaluations < 16


def test_lists_of_masks_with_other_classes_and_another_void():
    assert calibrate(SymmetricFlip(0.1, 5), squares(), 0.1).hit
    masks = [mask.astype(np.uint16) for mask in squares()]
    for mask in masks:
        mask[:3] = 65535
    assert calibrate(SymmetricFlip(0.1, 5, ignore_index=65535), masks, 0.1).hit
    assert calibrate(BoundaryErosion(1), iter(squares()), 0.04, num_classes=9).hit
    with pytest.raises(TypeError, match="mask 0 is a list"):
        calibrate(BoundaryErosion(1), [[[0, 1]]])
    with pytest.raises(ValueError, match="needs image, which a list of masks does not have"):
        calibrate(FeatureDependent(0.1), squares())
