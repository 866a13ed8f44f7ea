"""The look at all files before training."""

import json
import os
import signal

import numpy as np
import pytest
from PIL import Image

from segnoise.datasets import FolderDataset, NoisyLabels, PascalVOC
from segnoise.errors import DataError
from segnoise.inspection import check_dataset, contact_sheet
from segnoise.noise import realised_noise

NOISE = {"type": "SymmetricFlip", "rate": 0.4}


def reference(dataset):
    histogram, images_with, void = [0] * 21, [0] * 21, 0
    for index in range(len(dataset)):
        labels = dataset[index]["mask"].ravel().tolist()
        void += labels.count(255)
        for label in range(21):
            histogram[label] += labels.count(label)
            images_with[label] += label in labels
    return histogram, images_with, void


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("images", [True, False])
def test_counts_equal_a_loop(voc_root, workers, images):
    dataset = PascalVOC(voc_root, "train")
    check = check_dataset(dataset, images=images, workers=workers)
    assert (check.histogram.tolist(), check.images_with.tolist(), check.void) == reference(dataset)
    assert check.histogram.dtype == np.int64
    assert check.num_samples == 6
    assert check.ok
    assert check.noise is None


@pytest.mark.parametrize("images", [True, False])
def test_noise_is_reported_and_noisy_labels_counted(voc_root, images):
    dataset = NoisyLabels(PascalVOC(voc_root, "train"), NOISE, seed=3)
    check = check_dataset(dataset, images=images)
    assert check.histogram.tolist() == reference(dataset)[0]
    masks = [dataset.load_masks(i) for i in range(6)]
    assert check.noise == sum(realised_noise(c, n, 21) for c, n in masks)
    assert 0.3 < check.noise.pixel_rate < 0.5


def test_shards_add_up_to_the_whole(voc_root):
    dataset = NoisyLabels(PascalVOC(voc_root, "train"), NOISE, seed=3)
    whole = check_dataset(dataset)
    parts = [check_dataset(dataset, indices=range(r, 6, 4)) for r in range(4)]
    parts.append(check_dataset(dataset, indices=[]))
    total = sum(parts[1:], parts[0])
    assert total.to_dict() == whole.to_dict()
    assert json.loads(json.dumps(whole.to_dict()))["num_samples"] == 6
    assert parts[-1].num_samples == 0
    assert not parts[-1].ok


def spoil(root):
    (root / "JPEGImages/2007_000001.jpg").write_bytes(
        (root / "JPEGImages/2007_000001.jpg").read_bytes()[:700]
    )
    mask = root / "SegmentationClass/2007_000002.png"
    Image.fromarray(np.full((9, 9), 3, np.uint8)).save(mask)
    mask = root / "SegmentationClass/2007_000003.png"
    stored = np.array(Image.open(mask))
    stored[5, 6] = 37
    Image.fromarray(stored).save(mask)
    (root / "SegmentationClass/2007_000004.png").write_bytes(b"no image")


@pytest.mark.parametrize("workers", [0, 2])
def test_all_problems_are_listed(voc_root, workers, capsys):
    dataset = NoisyLabels(PascalVOC(voc_root, "train"), NOISE, seed=3)
    spoil(voc_root)
    check = check_dataset(dataset, workers=workers, progress="checking")
    assert not check.ok
    assert check.num_samples == 6
    texts = [str(problem) for problem in check.problems]
    assert len(texts) == 4
    assert "2007_000001.jpg: cannot be read: image file is truncated" in texts[0]
    assert "2007_000002.png: mask is 9x9, image" in texts[1]
    assert "2007_000003.png: label 37 at row 5, column 6 in a 21-class set" in texts[2]
    assert "2007_000004.png: not a readable image" in texts[3]
    assert "checking: 100%" in capsys.readouterr().err
    good = check_dataset(dataset, indices=[4, 5])
    assert (check.histogram == good.histogram).all()
    assert check.noise == good.noise


def test_without_images_sizes_are_still_compared(voc_root):
    spoil(voc_root)
    check = check_dataset(PascalVOC(voc_root, "train"), images=False)
    names = [f"2007_00000{number}.png" for number in (2, 3, 4)]
    assert [problem.path[-15:] for problem in check.problems] == names


class Deadly(FolderDataset):
    def __getitem__(self, index):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_dies_is_one_clear_error(folder_root):
    dataset = Deadly(folder_root)
    dataset._files = dataset._files * 4
    with pytest.raises(DataError, match="fewer workers"):
        check_dataset(dataset, workers=2)


def test_remarks_and_table(folder_root):
    for path in (folder_root / "masks").rglob("*.png"):
        mask = np.array(Image.open(path))
        Image.fromarray(np.where(mask > 0, 255, 0).astype(np.uint8)).save(path)
    check = check_dataset(FolderDataset(folder_root, classes=["no", "yes"]))
    table = check.table(["no", "yes"])
    assert table.startswith("12 samples, 36,864 pixels, ")
    assert "value_map={0: 0, 255: 1, 1: 1}" in table.splitlines()[-1]
    assert len({line.index("|", 2) for line in table.splitlines()[2:6]}) == 1
    mapped = FolderDataset(folder_root, classes=["no", "yes"], value_map={0: 0, 255: 1})
    assert "Note" not in check_dataset(mapped).table(["no", "yes"])
    more = FolderDataset(folder_root, classes=["no", "yes", "a", "b"], value_map={0: 0, 255: 1})
    assert check_dataset(more).remarks(["no", "yes", "a", "b"]) == ["No pixel of: a, b."]
    with pytest.raises(ValueError, match="zip"):
        check.table(["one"])


def test_contact_sheet(voc_root):
    dataset = PascalVOC(voc_root, "train")
    sheet = contact_sheet(dataset, 3)
    assert sheet.dtype == np.uint8
    assert sheet.ndim == 3
    noisy = contact_sheet(NoisyLabels(dataset, NOISE, seed=0), 3)
    assert noisy.shape[1] > sheet.shape[1]
    assert contact_sheet(dataset, 99).shape[0] > sheet.shape[0]
    for index in range(6):
        dataset.paths(index)[0].write_bytes(b"x")
    with pytest.raises(DataError, match="not a readable image"):
        contact_sheet(dataset, 3)
