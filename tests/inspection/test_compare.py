"""Two sets of masks against each other."""

import json
import math

import numpy as np
import pytest
from PIL import Image

from segnoise.datasets.files.masks import MaskReader
from segnoise.datasets.problems import DatasetError
from segnoise.inspection.compare import compare_masks, pair_masks
from segnoise.noise import NoiseReport, realised_noise

CLASSES = ("a", "b", "c")


def write(folder, masks):
    for name, mask in masks.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(path)


@pytest.fixture
def folders(tmp_path):
    """20 pairs, some in subfolders, with void in one of them and only void in another."""
    rng = np.random.default_rng(0)
    clean = {
        f"{'x/' * (i % 2)}{i:02d}.png": rng.integers(0, 3, (9, 7), np.uint8) for i in range(20)
    }
    clean["x/03.png"][2:5] = 255
    clean["x/05.png"][:] = 255
    noisy = {name: np.where(rng.random(mask.shape) < 0.2, 1, mask).astype(np.uint8)
             for name, mask in clean.items()}  # fmt: skip
    write(tmp_path / "clean", clean)
    write(tmp_path / "noisy", noisy)
    return tmp_path / "clean", tmp_path / "noisy", clean, noisy


@pytest.mark.parametrize("workers", [0, 2])
def test_the_sum_and_each_image(folders, workers):
    *paths, clean, noisy = folders
    pairs = pair_masks(*paths)
    found = compare_masks(pairs, MaskReader(3), workers=workers)
    reports = {name: realised_noise(clean[name], noisy[name], 3) for name in clean}
    assert found.report == sum(reports.values())
    assert [f"{i}.png" for i in found.sample_ids] == sorted(clean)
    for index, name in enumerate(sorted(clean)):
        report = reports[name]
        np.testing.assert_equal(found.pixel_rates[index], report.pixel_rate)
        np.testing.assert_equal(found.ious[index], report.iou)
        np.testing.assert_equal(found.mean_ious[index], report.mean_iou)
    assert math.isnan(found.mean_ious[list(found.sample_ids).index("x/05")])


def test_distributions_leave_out_what_is_not_there(folders):
    found = compare_masks(pair_masks(*folders[:2]), MaskReader(3))
    spreads = found.distributions(CLASSES)
    assert list(spreads) == ["pixel rate", "mean IoU", "IoU of a", "IoU of b", "IoU of c"]
    rates = found.pixel_rates[~np.isnan(found.pixel_rates)]
    assert spreads["pixel rate"] == {
        "percentile_5": np.percentile(rates, 5),
        "median": np.median(rates),
        "percentile_95": np.percentile(rates, 95),
        "images": 19,
    }
    with pytest.raises(ValueError, match="zip"):
        found.distributions(["one"])


def test_json_and_table(folders):
    found = compare_masks(pair_masks(*folders[:2]), MaskReader(3))
    data = json.loads(json.dumps(found.to_dict(CLASSES), allow_nan=False))
    assert NoiseReport.from_dict(data["report"]) == found.report
    assert data["samples"]["x/05"] == {"pixel_rate": None, "iou": [None] * 3}
    assert data["samples"]["00"]["pixel_rate"] == found.pixel_rates[0]
    lines, note = found.table(CLASSES).split("\n\nNote: ")[0].splitlines(), found.one_class
    assert [path[-8:] for path in note] == ["x/05.png"]
    assert lines[0].startswith("Changed: ")
    assert lines[-1].startswith("| IoU of c ")
    assert lines[-1].rstrip(" |").endswith("19")
    assert len({len(line) for line in lines[-7:]}) == 1


def test_a_mask_without_partner(folders):
    clean, noisy = folders[:2]
    (noisy / "x/01.png").unlink()
    write(noisy, {"new.png": np.zeros((3, 3), np.uint8)})
    with pytest.raises(DatasetError) as caught:
        pair_masks(clean, noisy)
    text = str(caught.value)
    assert f"{noisy / 'x/01.*'}: missing, the partner of {clean / 'x/01.png'}" in text
    assert f"{clean / 'new.*'}: missing" in text
    assert "--allow-missing" in text
    assert len(caught.value.problems) == 2
    assert len(pair_masks(clean, noisy, allow_missing=True)) == 19


def test_no_pair_at_all(folders, tmp_path):
    write(tmp_path / "other", {"z.png": np.zeros((3, 3), np.uint8)})
    for allow_missing in (False, True):
        with pytest.raises(DatasetError, match="no mask of it has the name of one in"):
            pair_masks(folders[0], tmp_path / "other", allow_missing)


def test_all_files_that_cannot_be_compared_are_listed(folders):
    clean, noisy = folders[:2]
    write(noisy, {"00.png": np.zeros((4, 7), np.uint8), "02.png": np.full((9, 7), 9, np.uint8)})
    (clean / "04.png").write_bytes(b"no image")
    with pytest.raises(DatasetError) as caught:
        compare_masks(pair_masks(clean, noisy), MaskReader(3))
    assert len(caught.value.problems) == 3
    text = str(caught.value)
    assert f"{noisy / '00.png'}: is 7x4, its partner {clean / '00.png'} 7x9" in text
    assert "label 9" in text
    assert "04.png: not a readable image" in text
