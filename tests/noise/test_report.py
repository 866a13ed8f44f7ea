import json
import math

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, jaccard_score

from segnoise.noise import AsymmetricFlip, NoiseReport, SymmetricFlip, generator, realised_noise


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
    assert report.near_boundary == near
    assert 0 < near < report.changed
    assert report.num_masks == 1
    assert report.confusion.dtype == np.int64


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
    assert math.isnan(report.boundary_rate)


def test_sum_of_reports_is_the_report_of_all(pair):
    pairs = [pair(seed) for seed in range(4)]
    total = sum(realised_noise(clean, noisy, 5) for clean, noisy in pairs)
    clean, noisy = (np.concatenate(masks) for masks in zip(*pairs, strict=True))
    stacked = realised_noise(clean, noisy, 5)
    np.testing.assert_array_equal(total.confusion, stacked.confusion)
    np.testing.assert_array_equal(total.to_void, stacked.to_void)
    assert total.num_masks == 4
    assert total.pixel_rate == stacked.pixel_rate
    assert sum([total], NoiseReport.empty(5)) == total
    with pytest.raises(ValueError, match="cannot add reports on 5 and 6 classes"):
        total + NoiseReport.empty(6)
    with pytest.raises(TypeError):
        total + 1


def test_equality():
    a = NoiseReport(np.array([[3, 1], [0, 2]]), np.array([0, 1]), 1, 1)
    same = NoiseReport(np.array([[3, 1], [0, 2]]), np.array([0, 1]), 1, 1)
    assert a == same
    assert hash(a) == hash(same)
    for other in (
        NoiseReport(np.array([[3, 1], [1, 2]]), np.array([0, 1]), 1, 1),
        NoiseReport(np.array([[3, 1], [0, 2]]), np.array([0, 2]), 1, 1),
        NoiseReport(np.array([[3, 1], [0, 2]]), np.array([0, 1]), 2, 1),
        NoiseReport(np.array([[3, 1], [0, 2]]), np.array([0, 1]), 1, 2),
        3,
    ):
        assert a != other


def test_counts_cannot_be_changed_from_outside(pair):
    report = realised_noise(*pair(0), 5)
    with pytest.raises(ValueError, match="read-only"):
        report.confusion[0, 0] = 7


@pytest.mark.parametrize("num_classes", [5, 7])
def test_json_round_trip(pair, num_classes):
    report = realised_noise(*pair(0), num_classes) + NoiseReport.empty(num_classes)
    text = json.dumps(report.to_dict(), allow_nan=False)
    data = json.loads(text)
    assert NoiseReport.from_dict(data) == report
    assert data["pixel_rate"] == report.pixel_rate
    assert data["iou"][5:] == [None] * (num_classes - 5)
    with pytest.raises(ValueError, match="lacks confusion, near_boundary"):
        NoiseReport.from_dict({"to_void": [0], "num_masks": 1})
    with pytest.raises(ValueError, match="not \\(K, K\\) and \\(K,\\)"):
        NoiseReport.from_dict({**data, "to_void": [0]})


def test_no_masks_and_no_pixels():
    empty = np.zeros((0, 5), np.uint8)
    report = realised_noise(empty, empty, 3) + NoiseReport.empty(3)
    assert report.num_masks == 1
    assert math.isnan(report.pixel_rate)
    assert math.isnan(report.mean_iou)
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["mean_iou"] is None
    assert report.table().startswith("Changed: none of 0 valid pixels in 1 mask.")
    assert NoiseReport.from_dict(report.to_dict()) == report


def test_table_says_what_happened():
    report = NoiseReport(
        np.array([[900_000, 90_000, 10_000], [0, 50, 50], [0, 0, 0]]),
        np.array([0, 100, 0]),
        40_060,
        3,
    )
    lines = report.table(["road", "pole", "train"]).splitlines()
    assert lines[0] == (
        "Changed: 10.01 % of 1,000,200 valid pixels in 3 masks; "
        "40.00 % of them within 3 px of a boundary."
    )
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert cells[0] == [
        "class", "pixels", "share %", "changed %", "to void %", "IoU %", "most often becomes"
    ]  # fmt: skip
    assert cells[2] == ["road", "1,000,000", "99.98", "10.00", "0.00", "90.00", "pole (9.00 %)"]
    assert cells[3][:6] == ["pole", "200", "0.02", "75.00", "50.00", "0.06"]
    assert cells[3][6] == "train (25.00 %)"
    assert cells[4] == ["train", "0", "0.00", "-", "-", "0.00", "-"]
    assert cells[5][:2] == ["all", "1,000,200"]
    assert len({len(line) for line in lines[2:]}) == 1  # aligned
    with pytest.raises(ValueError, match="2 class names for 3 classes"):
        report.table(["road", "pole"])


@pytest.mark.parametrize(
    ("clean", "noisy", "error", "message"),
    [
        (np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8), ValueError,
         r"clean mask has shape \(2, 3\), noisy mask \(3, 2\)"),
        (np.full((2, 2), 37, np.uint8), np.zeros((2, 2), np.uint8), ValueError,
         r"clean mask holds class id 37 \(4 pixels\), but there are 21 classes"),
        (np.zeros((2, 2), np.uint8), np.full((2, 2), -1, np.int32), ValueError,
         "noisy mask holds class id -1"),
        (np.zeros((2, 2)), np.zeros((2, 2), np.uint8), TypeError, "clean mask has dtype float64"),
        (np.zeros((2, 2), np.uint8), np.zeros((2, 2, 1), np.uint8), ValueError,
         "noisy mask has shape"),
    ],
)  # fmt: skip
def test_wrong_masks(clean, noisy, error, message):
    with pytest.raises(error, match=message):
        realised_noise(clean, noisy, 21)


def test_wrong_number_of_classes():
    mask = np.zeros((2, 2), np.uint8)
    with pytest.raises(ValueError, match="num_classes must be at least 1, not 0"):
        realised_noise(mask, mask, 0)
    with pytest.raises(ValueError, match="ignore_index=0 is one of the 2 classes"):
        realised_noise(mask, mask, 2, ignore_index=0)
