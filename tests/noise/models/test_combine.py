import numpy as np
import pytest

from segnoise.noise import (
    BoundaryErosion,
    Compose,
    OneOf,
    PerClass,
    Sometimes,
    SymmetricFlip,
    generator,
)


def test_names_are_models():
    assert Compose(["t-loss-50-70"]) == Compose([{"type": "t-loss-50-70"}])


def test_parts_agree_on_void():
    parts = [BoundaryErosion(1), SymmetricFlip(0.5, 3, ignore_index=9)]
    for build in (Compose, OneOf, lambda two: PerClass({0: two[0], 1: two[1]})):
        with pytest.raises(ValueError, match=r"different ignore_index \(9, 255\)"):
            build(parts)
    with pytest.raises(ValueError, match="PerClass names class 255, which is void"):
        PerClass({255: BoundaryErosion(1)})


def test_huge_weights():
    noise = OneOf([SymmetricFlip(0.0, 3), SymmetricFlip(1.0, 3)], [1e308, 1e308])
    mask = np.zeros((2, 2), np.uint8)
    assert {bool(noise(mask, generator(seed)).any()) for seed in range(20)} == {False, True}


def test_sometimes_is_as_often_as_asked():
    noise, mask = Sometimes(SymmetricFlip(1.0, 3), 0.2), np.zeros((2, 2), np.uint8)
    changed = sum(noise(mask, generator(seed)).any() for seed in range(500))
    assert abs(changed - 100) < 4 * np.sqrt(500 * 0.2 * 0.8)
