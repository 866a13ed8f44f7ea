import cv2
import numpy as np
import pytest
from scipy import ndimage

from segnoise.noise import generator
from segnoise.noise.geometry.components import connected_components
from segnoise.noise.geometry.redrawing import Hand, redrawn
from segnoise.noise.report.displacement import boundary_displacement

STILL = Hand(down=0, right=0, growth=0.0, wobble=0.0, length=10.0)


def disc(radius, size=120, centre=None):
    row, column = np.indices((size, size)) - np.array(centre or (size // 2,) * 2)[:, None, None]
    return (row**2 + column**2 <= radius**2).astype(np.uint8)


def drawn(mask, seed=0, **hand):
    objects = connected_components(mask, 255)
    number = int(np.flatnonzero(objects.label == 1)[0])
    shape = redrawn(objects, number, STILL._replace(**hand), generator(seed))
    canvas = np.zeros_like(mask)
    if shape is not None:
        shape.paint(canvas, 1)
    return canvas


def test_a_still_hand_changes_nothing():
    np.testing.assert_array_equal(drawn(disc(20)), disc(20))


@pytest.mark.parametrize("growth", [-6, -2, 3, 8])
def test_growth_is_the_offset_of_the_outline(growth):
    new = drawn(disc(30), growth=growth)
    moved = boundary_displacement(disc(30) > 0, new > 0)
    assert moved.mean == pytest.approx(growth, abs=0.3)
    assert moved.sd < 0.4
    distance = ndimage.distance_transform_edt(disc(30) != (1 if growth > 0 else 0))
    reached = distance < growth + 0.5 if growth > 0 else distance > 0.5 - growth
    assert np.count_nonzero(new != reached) < 0.04 * new.sum()


def test_wobble_is_the_sd_along_the_outline():
    moved = [
        boundary_displacement(
            disc(40, 160) > 0, drawn(disc(40, 160), seed, wobble=3, length=30) > 0
        )
        for seed in range(12)
    ]
    variance = np.mean([m.offset**2 for m in moved])
    assert np.sqrt(variance) == pytest.approx(3, rel=0.12)


def test_shift_and_border():
    new = drawn(disc(10), down=7, right=-4)
    np.testing.assert_array_equal(new, np.roll(disc(10), (7, -4), (0, 1)))
    # What meets the border goes on beyond it: no gap opens there.
    band = np.zeros((20, 30), np.uint8)
    band[:6] = 1
    assert drawn(band, down=3)[:9].all()
    assert not drawn(band, down=3)[9:].any()
    assert drawn(band, right=9, growth=-2.0)[:4].all()
    assert not drawn(disc(10), down=500).any()


def test_arms_are_followed():
    mask = disc(20)
    mask[58:63, 60:118] = 1
    new = drawn(mask, growth=-5)
    assert (new[60, 60:112]).all()
    assert new.sum() < mask.sum() - 500
    assert (drawn(mask, growth=-1000) <= mask).all()
    assert drawn(mask, growth=-1000).any()


def test_no_crumbs_and_no_new_holes():
    ring = disc(40) - disc(28)
    ring[:, 60:63] = 0
    ring[100:] = 0
    for seed in range(20):
        for mask in (disc(30), disc(40) - disc(20), ring):
            new = drawn(mask, seed, wobble=6, length=8)
            for connectivity, part, old in ((8, new, mask), (4, 1 - new, 1 - mask)):
                count, before = (
                    cv2.connectedComponents(np.pad(m, 1, constant_values=int(connectivity == 4)),
                                            connectivity=connectivity)[0]
                    for m in (part, old)
                )  # fmt: skip
                assert count <= max(before, 2)
