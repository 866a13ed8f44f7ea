import dataclasses
import html
import re

import numpy as np
import pytest

from segnoise.noise import NoiseReport, realised_noise
from segnoise.noise.report.table import report_table

REPORT = dataclasses.replace(
    NoiseReport.empty(3),
    confusion=np.array([[900_000, 90_000, 10_000], [0, 50, 50], [0, 0, 0]]),
    to_void=np.array([0, 100, 0]),
    near_valid=np.array([100_000, 50_000, 10_000] + 14 * [0]),
    near_changed=np.array([20_000, 10_060, 10_000] + 14 * [0]),
    clean_objects=np.array([1, 2000, 0]),
    noisy_objects=np.array([1, 1900, 5]),
    matched_objects=np.array([1, 1500, 0]),
    changed_objects=np.array([1, 500, 0]),
    lag_pairs=np.full(12, 1000),
    lag_changed=np.array([900, 800, 700, 600, 500, 400, 300, 200, 150, 110, 100, 100]),
    num_masks=3,
)


def cells(lines):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_table_says_what_happened():
    lines = REPORT.table(["road", "pole", "train"]).splitlines()
    assert lines[:4] == [
        "Changed: 10.01 % of 1,000,200 valid pixels in 3 masks.",
        "40.00 % of the changes lie within 3 px of a boundary, where 25.04 % of the pixels "
        "changed.",
        "Errors correlate over 7.4 px (autocorrelation along rows and columns down to 1/e).",
        "Of 2,001 objects 24.99 % are lost and 49.98 % unchanged; 405 are added.",
    ]
    head, _, road, pole, train, total = cells(lines[5:])
    assert head == [
        "class", "pixels", "share %", "changed %", "to void %", "IoU %", "objects", "lost %",
        "added", "often becomes",
    ]  # fmt: skip
    assert road == [
        "road", "1,000,000", "99.98", "10.00", "0.00", "90.00", "1", "0.00", "0", "pole (9.00 %)"
    ]  # fmt: skip
    assert pole[:6] == ["pole", "200", "0.02", "75.00", "50.00", "0.06"]
    assert pole[6:] == ["2,000", "25.00", "400", "train (25.00 %)"]
    assert train == ["train", "0", "0.00", "-", "-", "0.00", "0", "-", "5", "-"]
    assert total[:2] == ["all", "1,000,200"]
    assert total[6:] == ["2,001", "24.99", "405", ""]
    assert len({len(line) for line in lines[5:]}) == 1  # aligned


def test_a_column_for_void_only_where_there_is_any():
    report = dataclasses.replace(REPORT, to_void=np.zeros(3, int))
    assert "to void %" not in report.table()


def test_classes_are_ids_unless_named():
    assert re.search(r"^\| 2 +\|", REPORT.table(), re.MULTILINE)
    with pytest.raises(ValueError, match="2 class names for 3 classes"):
        REPORT.table(["road", "pole"])


def test_the_distance_is_the_callers():
    assert "within 1 px of a boundary" in report_table(REPORT, None, 1)


@pytest.mark.parametrize("label", [0, 255])
def test_nothing_to_tell(label):
    mask = np.full((1, 1), label, np.uint8)
    assert realised_noise(mask, mask, 1).table().startswith("Changed: none of ")


def test_a_single_pixel_has_no_correlation():
    report = realised_noise(np.zeros((1, 1), np.uint8), np.ones((1, 1), np.uint8), 2)
    assert "correlate" not in report.table()


def test_nineteen_classes_of_many_images_fit_120_columns():
    report = realised_noise(np.zeros((9, 9), np.uint8), np.ones((9, 9), np.uint8), 19)
    scale = {name: 10**5 if "objects" in name else 10**8 for name in NoiseReport.SHAPES}
    counts = {name: np.asarray(n) * scale[name] for name, n in report.to_counts().items()}
    total = NoiseReport.from_dict({**counts, "num_masks": 5000})
    lines = total.table([f"some class {i:02d}" for i in range(19)]).splitlines()
    assert max(map(len, lines)) <= 120


def test_notebooks_show_the_table_as_it_is():
    report = realised_noise(np.zeros((4, 4), np.uint8), np.ones((4, 4), np.uint8), 2)
    shown = report._repr_html_()
    assert shown == f"<pre>{html.escape(report.table())}</pre>"
    assert "Changed: 100.00 % of 16 valid pixels" in shown
