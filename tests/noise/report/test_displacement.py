import math

import cv2
import numpy as np
import pytest

from segnoise.noise.report.displacement import boundary_displacement

ROWS, COLUMNS = np.mgrid[:200, :220]


def disk(radius, row=100, column=110):
    """All pixels within a radius, which may depend on the direction."""
    return np.hypot(ROWS - row, COLUMNS - column) < radius


def nearest_outline(clean, noisy):
    """Offsets at the clean border's pixels, each by a look at all pixels."""
    border = clean & (cv2.erode(clean.astype(np.uint8), np.array(
        [[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8), borderValue=0) == 0)  # fmt: skip
    offsets = []
    for row, column in zip(*np.nonzero(border), strict=True):
        other = np.argwhere(noisy != noisy[row, column])
        distance = np.hypot(*(other - [row, column]).T).min() - 0.5
        offsets.append((distance if noisy[row, column] else -distance) - 0.5)
    return np.array(offsets)


def test_the_same_region_has_not_moved():
    found = boundary_displacement(disk(50), disk(50))
    assert not found.offset.any()
    assert found.mean == found.sd == 0
    assert math.isnan(found.correlation_length)
    assert found.diameter == pytest.approx(100, rel=0.01)
    assert found.perimeter == pytest.approx(100 * math.pi, rel=0.08)
    assert len(found.offset) == round(found.perimeter)


@pytest.mark.parametrize("change", [-6, -1, 2, 7])
def test_a_larger_disk_is_beyond_by_the_difference(change):
    found = boundary_displacement(disk(60), disk(60 + change))
    assert found.mean == pytest.approx(change, abs=0.3)
    assert found.sd < 0.5


def test_a_shift_has_a_cosine():
    found = boundary_displacement(disk(60), disk(60, 100, 115))
    assert found.mean == pytest.approx(0, abs=0.3)
    assert found.sd == pytest.approx(5 / math.sqrt(2), rel=0.05)
    expected = math.acos(1 / math.e) / (2 * math.pi)
    assert found.correlation_length / found.perimeter == pytest.approx(expected, rel=0.03)


def test_waves_around_the_outline():
    angle = np.arctan2(ROWS - 100, COLUMNS - 110)
    found = boundary_displacement(disk(60), disk(60 + 3 * np.sin(6 * angle)))
    assert found.sd == pytest.approx(3 / math.sqrt(2), rel=0.1)
    expected = math.acos(1 / math.e) / (2 * math.pi) / 6
    assert found.correlation_length / found.perimeter == pytest.approx(expected, rel=0.1)


def test_offsets_against_a_look_at_all_pixels():
    clean, noisy = disk(21)[60:140, 70:150], disk(20, 96, 113)[60:140, 70:150]
    found = boundary_displacement(clean, noisy)
    expected = nearest_outline(clean, noisy)
    assert found.mean == pytest.approx(expected.mean(), abs=0.1)
    assert found.sd == pytest.approx(expected.std(), abs=0.1)
    assert found.offset.min() == pytest.approx(expected.min(), abs=0.2)
    assert found.offset.max() == pytest.approx(expected.max(), abs=0.2)


def test_the_images_border_is_no_outline():
    clean, noisy = np.zeros((2, 40, 50), bool)
    clean[:, :20] = noisy[:, :23] = True
    found = boundary_displacement(clean, noisy)
    np.testing.assert_allclose(found.offset, 3)
    assert found.perimeter == 38


def test_the_longest_border_is_followed():
    clean, noisy = disk(30), disk(32)
    clean[5:9, 5:9] = True
    assert boundary_displacement(clean, noisy).mean == pytest.approx(2, abs=0.25)


def test_a_single_pixel():
    clean, noisy = np.zeros((2, 9, 9), bool)
    clean[4, 4] = True
    noisy[3:6, 3:6] = True
    assert boundary_displacement(clean, noisy).offset.tolist() == [1.0]


@pytest.mark.parametrize(
    ("clean", "noisy", "message"),
    [
        (np.zeros((4, 4), bool), np.eye(4, dtype=bool), "clean region is empty"),
        (np.eye(4, dtype=bool), np.zeros((4, 4), bool), "noisy region is empty"),
        (np.eye(4, dtype=bool), np.ones((4, 4), bool), "noisy region fills the image"),
        (np.eye(4, dtype=bool), np.eye(5, dtype=bool), r"shape \(4, 4\), noisy region \(5, 5\)"),
        (np.eye(2, dtype=bool), np.eye(2, dtype=bool), "along the image's border"),
    ],
)
def test_regions_without_outline(clean, noisy, message):
    with pytest.raises(ValueError, match=message):
        boundary_displacement(clean, noisy)
