"""Phantoms: the same everywhere, realistic in proportion, whole on disk or not there."""

import os
import shutil
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

from segnoise.datasets import DatasetError, Phantoms
from segnoise.datasets import phantoms as module
from segnoise.datasets.phantom_generator import CLASSES, VERSION, draw_phantom
from segnoise.errors import ConfigError
from segnoise.lock import LOCK, locked


def test_masks_are_pinned():
    """A change to the drawing must raise VERSION, which names the folder; then renew the counts.

    Counts with a tolerance, since sines may differ in the last bit between platforms.
    """
    masks = np.stack([draw_phantom(0, "train", i, (96, 96))[1] for i in range(4)])
    counts = np.bincount(masks.ravel())
    assert VERSION == 1
    assert np.abs(counts - [28821, 4062, 1367, 2327, 287]).max() <= 12


def test_a_phantom_is_a_function_of_its_keys():
    first = draw_phantom(3, "val", 5, (64, 80))
    again = draw_phantom(3, "val", 5, (64, 80))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert first[0].shape == first[1].shape == (64, 80)
    for other in ((4, "val", 5), (3, "train", 5), (3, "val", 6)):
        assert (draw_phantom(*other, (64, 80))[1] != first[1]).any()


def test_proportions_and_contrast():
    drawn = [draw_phantom(0, "train", i, (128, 128)) for i in range(60)]
    images, masks = (np.stack(part) for part in zip(*drawn, strict=True))
    share = dict(zip(CLASSES, np.bincount(masks.ravel(), minlength=5) / masks.size, strict=True))
    assert 0.72 < share["background"] < 0.82
    assert 0.09 < share["liver"] < 0.16
    assert 0.03 < share["kidney"] < 0.06
    assert 0.02 < share["vessel"] < 0.06
    assert 0.003 < share["lesion"] < 0.01
    # Brightness separates organs on average, but does not suffice pixel by pixel.
    medians = [np.median(images[masks == k]) for k in (1, 2, 3)]
    assert medians[0] < medians[1] < medians[2]
    threshold = (medians[0] + medians[1]) / 2
    wrong = ((images[masks == 1] > threshold).mean() + (images[masks == 2] < threshold).mean()) / 2
    assert 0.05 < wrong < 0.4


def test_files_are_made_once_and_read_back_exactly(tmp_path):
    dataset = Phantoms(tmp_path, "val", num_images=3, size=(64, 48), seed=2)
    folder = tmp_path / "val-3-48x64-seed2-v1"
    assert sorted(os.listdir(tmp_path)) == [folder.name]
    assert sorted(os.listdir(folder)) == ["classes.txt", "images", "masks", "val.txt"]
    assert dataset.metainfo["classes"] == CLASSES
    for index in range(3):
        image, mask = draw_phantom(2, "val", index, (64, 48))
        sample = dataset[index]
        assert (sample["image"] == image[..., None]).all()
        assert (sample["mask"] == mask).all()
        assert sample["sample_id"] == f"val_{index:04d}"
    stamp = (folder / "val.txt").stat().st_mtime_ns
    Phantoms(tmp_path, "val", num_images=3, size=(64, 48), seed=2)
    assert (folder / "val.txt").stat().st_mtime_ns == stamp


def _make(root):
    return len(Phantoms(root, "test", num_images=6, size=32))


def test_processes_may_race(tmp_path):
    with ProcessPoolExecutor(3) as pool:
        assert list(pool.map(_make, [tmp_path] * 3)) == [6] * 3
    assert len(os.listdir(tmp_path)) == 1


def test_a_killed_generation_leaves_nothing_that_is_used(tmp_path, monkeypatch):
    def killed(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "draw_phantom", killed)
    with pytest.raises(KeyboardInterrupt):
        Phantoms(tmp_path, "train", num_images=2, size=32)
    assert os.listdir(tmp_path) == []
    monkeypatch.undo()
    left = tmp_path / ".train-2-32x32-seed0-v1" / "set" / "images"
    left.mkdir(parents=True)
    (left / "train_0007.png").write_bytes(b"half")
    (left.parents[1] / LOCK).touch()
    dataset = Phantoms(tmp_path, "train", num_images=2, size=32)
    assert len(dataset) == len(os.listdir(dataset.paths(0)[0].parent)) == 2
    assert os.listdir(tmp_path) == ["train-2-32x32-seed0-v1"]


def test_a_set_that_a_living_process_writes_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 0)
    place = tmp_path / ".train-2-32x32-seed0-v1"
    (place / "set").mkdir(parents=True)
    with locked(place), pytest.raises(ConfigError, match="is being written by another process"):
        Phantoms(tmp_path, "train", num_images=2, size=32)
    assert os.listdir(place) == ["set"]


def test_a_full_disk_is_one_clear_error(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "palette_image", full)
    with pytest.raises(DatasetError, match=r"train-2-.*No space left.*another root"):
        Phantoms(tmp_path, "train", num_images=2, size=32)
    assert os.listdir(tmp_path) == []


def test_errors(tmp_path):
    for arguments, words in (
        ({"split": "dev"}, "split must be 'train', 'val' or 'test', not 'dev'"),
        ({"num_images": 0}, "at least 1"),
        ({"size": 16}, "from 32 to 32768"),
        ({"size": (64, 64, 3)}, "from 32 to 32768"),
    ):
        with pytest.raises(ConfigError, match=words):
            Phantoms(tmp_path, **arguments)
    dataset = Phantoms(tmp_path, num_images=1, size=32)
    shutil.rmtree(dataset.paths(0)[0].parent)
    with pytest.raises(DatasetError, match="images: folder not found"):
        Phantoms(tmp_path, num_images=1, size=32)
