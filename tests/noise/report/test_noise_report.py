import dataclasses
import json
import math

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, jaccard_score

from segnoise.noise import (
    AsymmetricFlip,
    BoundaryErosion,
    NoiseReport,
    SymmetricFlip,
    generator,
    realised_noise,
)
from segnoise.noise.models.boundary import boundary_band


def counted_pixel_by_pixel(clean, noisy, num_classes, void=255, distance=3):
    confusion = np.zeros((num_classes, num_classes), int)
    to_void = np.zeros(num_classes, int)
    near = 0
    for y in range(clean.shape[0]):
        for x in range(clean.shape[1]):
            a, b = int(clean[y, x]), int(noisy[y, x])
            if a == void:
                continue
            if b == void:
                to_void[a] += 1
            else:
                confusion[a, b] += 1
            window = clean[max(y - distance, 0) : y + distance + 1]
            window = window[:, max(x - distance, 0) : x + distance + 1]
            near += a != b and len(np.unique(window)) > 1
    return confusion, to_void, near


@pytest.fixture
def pair(patches):
    def make(seed, dtype=np.uint8):
        clean = patches(seed, (31, 37), num_classes=5)
        noisy = SymmetricFlip(0.3, 5)(clean, generator(seed))
        noisy[generator(seed, "void").random(clean.shape) < 0.1] = 255
        return clean.astype(dtype), noisy.astype(dtype)

    return make


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64])
def test_counts_equal_a_loop_over_pixels(pair, dtype):
    clean, noisy = pair(0, dtype)
    report = realised_noise(clean, noisy, 5)
    confusion, to_void, near = counted_pixel_by_pixel(clean, noisy, 5)
    np.testing.assert_array_equal(report.confusion, confusion)
    np.testing.assert_array_equal(report.to_void, to_void)
    assert report.near_changed[:3].sum() == near
    assert 0 < near < report.changed
    assert report.near_valid.sum() == report.valid
    assert report.near_changed.sum() == report.changed
    assert report.num_masks == 1
    assert report == realised_noise(*pair(0), 5)
    assert all(
        getattr(report, name).dtype == np.int64
        for name in NoiseReport.SHAPES
        if name != "num_masks"
    )


def test_rates_equal_scikit_learn(pair):
    clean, noisy = pair(1)
    report = realised_noise(clean, noisy, 6)  # class 5 occurs nowhere
    valid = clean != 255
    both = valid & (noisy != 255)
    np.testing.assert_array_equal(
        report.confusion, confusion_matrix(clean[both], noisy[both], labels=range(6))
    )
    expected = jaccard_score(clean[valid], noisy[valid], labels=range(5), average=None)
    np.testing.assert_allclose(report.iou[:5], expected)
    assert math.isnan(report.iou[5])
    assert report.mean_iou == pytest.approx(expected.mean())
    assert report.valid == valid.sum()
    assert report.changed == (clean != noisy)[valid].sum()
    assert report.pixel_rate == pytest.approx((clean != noisy)[valid].mean())
    np.testing.assert_array_equal(
        report.class_changed, [((clean == c) & (noisy != c)).sum() for c in range(6)]
    )


def test_transition_matrix_rows_sum_to_one_and_feed_a_flip(pair):
    report = realised_noise(*pair(1), 6)
    matrix = report.transition_matrix
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    assert matrix[5].tolist() == [0, 0, 0, 0, 0, 1]  # absent: the identity's row
    np.testing.assert_allclose(matrix[0], report.confusion[0] / report.confusion[0].sum())
    assert len(AsymmetricFlip(matrix).transition_matrix) == 6


def test_void_in_the_clean_mask_counts_nowhere():
    clean = np.array([[255, 255, 0]], np.uint8)
    noisy = np.array([[0, 1, 0]], np.uint8)
    report = realised_noise(clean, noisy, 2)
    assert report.valid == 1
    assert report.changed == 0
    assert report.pixel_rate == 0
    assert math.isnan(report.boundary_share())
    assert report.boundary_rate() == 0
    assert math.isnan(report.correlation_length)


def test_boundary_rates(pair):
    clean, noisy = pair(2)
    report = realised_noise(clean, noisy, 5)
    wrong = (clean != noisy) & (clean != 255)
    for distance in (1, 2, 3, 16):
        band = boundary_band(clean, distance)
        share = (wrong & band).sum() / wrong.sum()
        rate = wrong[band & (clean != 255)].mean()
        assert report.boundary_share(distance) == pytest.approx(share)
        assert report.boundary_rate(distance) == pytest.approx(rate)
    assert report.boundary_share() == report.boundary_share(3)
    assert report.boundary_rate() == report.boundary_rate(3)
    for method in (report.boundary_share, report.boundary_rate):
        with pytest.raises(ValueError, match="distance must be at least 1 and at most 16, not 0"):
            method(0)
        with pytest.raises(ValueError, match="distance must be at least 1 and at most 16, not 17"):
            method(17)


def test_an_erosion_is_all_at_the_boundary_and_a_flip_is_everywhere(patches):
    clean = patches(7, (300, 300), void=False)
    eroded = realised_noise(clean, BoundaryErosion(2)(clean, generator(0)), 4)
    assert eroded.boundary_share(1) < 1
    assert eroded.boundary_share(2) == 1
    assert eroded.correlation_length > 1
    flipped = realised_noise(clean, SymmetricFlip(0.2, 4)(clean, generator(0)), 4)
    assert flipped.boundary_share() < 0.2
    assert flipped.boundary_rate() == pytest.approx(0.2, abs=0.02)
    assert flipped.correlation_length == pytest.approx(1 - 1 / math.e, abs=0.02)


def test_objects():
    clean = np.zeros((20, 20), np.uint8)
    clean[2:6, 2:6] = clean[2:6, 10:14] = clean[12:16, 2:6] = 1
    noisy = clean.copy()
    noisy[2:6, 10:14] = 0  # lost
    noisy[12:16, 6] = 1  # changed
    noisy[16:18, 16:18] = 1  # added
    report = realised_noise(clean, noisy, 2)
    assert report.clean_objects.tolist() == [1, 3]
    assert report.noisy_objects.tolist() == [1, 3]
    assert report.matched_objects.tolist() == [1, 2]
    assert report.changed_objects.tolist() == [1, 1]
    assert report.lost_objects.tolist() == [0, 1]
    assert report.gone_pixels.tolist() == [0, 16]
    noisy[2, 10] = 1  # a pixel of the lost one is there
    assert realised_noise(clean, noisy, 2).gone_pixels.tolist() == [0, 0]
    assert report.added_objects.tolist() == [0, 1]


def test_sum_of_reports_is_the_report_of_all(pair):
    pairs = [pair(seed) for seed in range(4)]
    reports = [realised_noise(clean, noisy, 5) for clean, noisy in pairs]
    total = sum(reports)
    clean, noisy = (np.concatenate(masks) for masks in zip(*pairs, strict=True))
    stacked = realised_noise(clean, noisy, 5)
    np.testing.assert_array_equal(total.confusion, stacked.confusion)
    np.testing.assert_array_equal(total.to_void, stacked.to_void)
    assert total.num_masks == 4
    assert total.pixel_rate == stacked.pixel_rate
    assert sum(reversed(reports), NoiseReport.empty(5)) == total
    with pytest.raises(ValueError, match="cannot add reports on 5 and 6 classes"):
        total + NoiseReport.empty(6)


def test_masks_between_void_add_up_to_the_masks_apart(pair):
    """Void keeps masks apart in one large mask, so that all counts must agree, bar boundaries."""
    pairs = [pair(seed) for seed in range(3)]
    gap = np.full((70, 37), 255, np.uint8)
    clean, noisy = (
        np.concatenate([m for mask in masks for m in (mask, gap)])
        for masks in zip(*pairs, strict=True)
    )
    apart = sum(realised_noise(*masks, 5) for masks in pairs).to_counts()
    together = realised_noise(clean, noisy, 5).to_counts()
    for name in set(apart) - {"num_masks", "near_valid", "near_changed"}:
        assert apart[name] == together[name], name


@pytest.mark.parametrize("num_classes", [5, 7])
def test_json_round_trip(pair, num_classes):
    report = realised_noise(*pair(0), num_classes) + NoiseReport.empty(num_classes)
    text = json.dumps(report.to_dict(), allow_nan=False)
    data = json.loads(text)
    assert NoiseReport.from_dict(data) == report
    assert data["pixel_rate"] == report.pixel_rate
    assert data["boundary_rate"] == report.boundary_rate(data["boundary_distance"])
    assert data["boundary_share"] == report.boundary_share(data["boundary_distance"])
    assert data["correlation_length"] == report.correlation_length
    assert data["autocorrelation"] == [None if math.isnan(r) else r for r in report.autocorrelation]
    assert len(data["lags"]) == len(data["lag_pairs"])
    assert data["iou"][5:] == [None] * (num_classes - 5)


def test_equality_takes_every_count():
    one = NoiseReport.empty(2)
    for name in NoiseReport.SHAPES:
        other = dataclasses.replace(one, **{name: getattr(one, name) + 1})
        assert other != one, name
        assert hash(other) != hash(one), name
    assert dataclasses.replace(one) == one != 3
    with pytest.raises(TypeError):
        one + 1


def test_arrays_are_copied_and_read_only():
    pixels = np.array([1, 2], np.int32)
    one = dataclasses.replace(NoiseReport.empty(2), to_void=pixels)
    pixels[0] = 7
    assert (one.to_void.tolist(), one.to_void.dtype) == ([1, 2], np.int64)
    with pytest.raises(ValueError, match="read-only"):
        one.to_void[0] = 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"to_void": [1, 2, 3]}, r"to_void must be integers of shape \(K\)"),
        ({"confusion": [1, 2]}, r"confusion must be integers of shape \(K, K\)"),
        ({"lag_pairs": [1, 2]}, r"of shape \(12\) .* not int64 of shape \(2,\)"),
        ({"to_void": [1.0, 2]}, "to_void must be integers"),
        ({"to_void": [1, -2]}, "to_void must be counts, not -2"),
        ({"num_masks": -1}, "num_masks must be at least 0"),
        ({"num_masks": 1.5}, "num_masks must be an integer"),
    ],
)
def test_counts_that_do_not_fit(change, message):
    with pytest.raises(ValueError, match=message):
        NoiseReport.from_dict({**NoiseReport.empty(2).to_counts(), **change})


def test_a_report_of_another_version_says_so():
    data = {"confusion": [[1]], "to_void": [0], "num_masks": 1, "near_boundary": 4}
    with pytest.raises(ValueError, match=r"lacks near_valid, .*another version .*measure .*again"):
        NoiseReport.from_dict(data)


def test_errors_without_end_are_null_in_json():
    clean = np.zeros((200, 400), np.uint8)
    noisy = clean.copy()
    noisy[:, :200] = 1
    report = realised_noise(clean, noisy, 2)
    assert report.correlation_length == math.inf
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["correlation_length"] is None
    assert "Errors correlate beyond the greatest lag" in report.table()


def test_no_masks_and_no_pixels():
    empty = np.zeros((0, 5), np.uint8)
    report = realised_noise(empty, empty, 3) + NoiseReport.empty(3)
    assert report.num_masks == 1
    assert math.isnan(report.pixel_rate)
    assert math.isnan(report.mean_iou)
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["mean_iou"] is None
    assert report.table().startswith("Changed: none of 0 valid pixels in 1 mask.")
    assert len(report.near_valid) == 17
    assert NoiseReport.from_dict(report.to_dict()) == report


ZEROS = np.zeros((2, 2), np.uint8)
WRONG = [
    (ZEROS, ZEROS[:1], ValueError, r"clean mask has shape \(2, 2\), noisy mask \(1, 2\)"),
    (ZEROS + 37, ZEROS, ValueError, r"clean .* class id 37 \(4 pixels\), but there are 21 classes"),
    (ZEROS, ZEROS.astype(np.int32) - 1, ValueError, "noisy mask holds class id -1"),
    (np.zeros((2, 2)), ZEROS, TypeError, "clean mask has dtype float64"),
    (ZEROS, ZEROS[..., None], ValueError, "noisy mask has shape"),
]


@pytest.mark.parametrize(("clean", "noisy", "error", "message"), WRONG)
def test_wrong_masks(clean, noisy, error, message):
    with pytest.raises(error, match=message):
        realised_noise(clean, noisy, 21)


def test_wrong_number_of_classes():
    mask = np.zeros((2, 2), np.uint8)
    with pytest.raises(ValueError, match="num_classes must be at least 1, not 0"):
        realised_noise(mask, mask, 0)
    with pytest.raises(ValueError, match="ignore_index=0 is one of the 2 classes"):
        realised_noise(mask, mask, 2, ignore_index=0)
