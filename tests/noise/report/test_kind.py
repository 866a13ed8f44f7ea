"""The kinds of noise are told apart on masks of scattered objects."""

import numpy as np
import pytest

from segnoise.noise import (
    BoundaryDilation,
    BoundaryErosion,
    Compose,
    Omission,
    RegionSwap,
    Shift,
    Sometimes,
    SymmetricFlip,
    generator,
    kind_of_noise,
    realised_noise,
)


def masks(count=12, size=96):
    """Background with eight discs of three classes, apart from each other."""
    rows, columns = np.mgrid[:size, :size]
    for number in range(count):
        rng = np.random.default_rng(number)
        mask = np.zeros((size, size), np.uint8)
        for place in range(9):
            y, x = 16 + 32 * (place // 3), 16 + 32 * (place % 3)
            radius = rng.integers(6, 13)
            mask[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = rng.integers(1, 4)
        yield mask


def report(noise):
    total = None
    for number, clean in enumerate(masks()):
        noisy = clean if noise is None else noise(clean, generator(0, number))
        found = realised_noise(clean, noisy, num_classes=4)
        total = found if total is None else total + found
    return total


small = Omission(rate=0.05, fill=0, classes=(1, 2, 3))


@pytest.mark.parametrize(
    ("noise", "kind"),
    [
        (None, "none"),
        (SymmetricFlip(rate=0.002, num_classes=4), "none"),
        (SymmetricFlip(rate=0.05, num_classes=4), "pixels"),
        (SymmetricFlip(rate=0.5, num_classes=4), "pixels"),
        (RegionSwap(rate=0.2, num_classes=4, classes=(1, 2, 3)), "swapped objects"),
        (RegionSwap(rate=0.6, num_classes=4, classes=(1, 2, 3)), "swapped objects"),
        (Omission(rate=0.2, fill=0, classes=(1, 2, 3)), "missing objects"),
        (Omission(rate=0.6, fill=0, classes=(1, 2, 3)), "missing objects"),
        (BoundaryErosion(width=2, fill=0), "boundaries"),
        (BoundaryDilation(width=4), "boundaries"),
        (Shift(distance=4), "boundaries"),
        # In some of the images only, so that most objects are untouched.
        (Sometimes(BoundaryDilation(width=2), rate=0.4), "boundaries"),
        (Sometimes(BoundaryDilation(width=8), rate=0.4), "boundaries"),
        (Sometimes(BoundaryErosion(width=3, fill=0), rate=0.4), "boundaries"),
        (Compose([Sometimes(Shift(distance=4), rate=0.5), small]), "boundaries"),
        (Sometimes(Shift(distance=8), rate=0.4), "boundaries"),
    ],
    ids=repr,
)
def test_each_kind_is_recognised(noise, kind):
    assert kind_of_noise(report(noise)) == kind


@pytest.mark.parametrize("num_classes", [2, 3, 5])
@pytest.mark.parametrize("rate", [0.1, 0.2, 0.4])
def test_swapped_parts_of_a_scene_without_background(num_classes, rate):
    """They merge with their neighbours, which so are lost too."""
    total = None
    rows, columns = np.mgrid[:96, :96]
    noise = RegionSwap(rate=rate, num_classes=num_classes)
    for number in range(12):
        rng = np.random.default_rng(number)
        y, x = rng.integers(0, 96, (2, 25, 1, 1))
        nearest = ((rows - y) ** 2 + (columns - x) ** 2).argmin(0)
        clean = rng.integers(0, num_classes, 25).astype(np.uint8)[nearest]
        found = realised_noise(clean, noise(clean, generator(0, number)), num_classes)
        total = found if total is None else total + found
    assert kind_of_noise(total) in ("swapped objects", "missing objects")


def test_without_pixels_there_is_no_kind():
    void = np.full((4, 4), 255, np.uint8)
    with pytest.raises(ValueError, match="no valid pixel"):
        kind_of_noise(realised_noise(void, void, num_classes=2))
