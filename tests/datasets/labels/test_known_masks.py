"""Known masks of a few samples: which pairs, what noise, and what does not fit."""

import cv2
import numpy as np
import pytest

from segnoise.datasets import FolderDataset, NoisyLabels
from segnoise.datasets.base import LabelledImages
from segnoise.datasets.labels.known_masks import known_pairs
from segnoise.engine.data import noise_of_clean_masks
from segnoise.errors import ConfigError, DataError


def noise_of_known(dataset, folder):
    return noise_of_clean_masks(dataset, {"clean_masks": folder})


@pytest.fixture
def folders(tmp_path):
    """A set of three masks of 8 x 8 with a wrong pixel each, and a folder with two right ones."""
    known = tmp_path / "known"
    for folder in (known, tmp_path / "set" / "images", tmp_path / "set" / "masks"):
        folder.mkdir(parents=True)
    for number in range(3):
        mask = np.zeros((8, 8), np.uint8)
        mask[2:6, 2:6] = 1
        if number < 2:
            cv2.imwrite(str(known / f"{number}.png"), mask)
        mask[7, number] = 1
        cv2.imwrite(str(tmp_path / "set" / "masks" / f"{number}.png"), mask)
        cv2.imwrite(str(tmp_path / "set" / "images" / f"{number}.png"), np.zeros((8, 8, 3)))
    return FolderDataset(tmp_path / "set", classes=["background", "cell"]), known


def test_pairs_are_those_of_the_samples_in_the_folder(folders):
    dataset, known = folders
    pairs = list(known_pairs(dataset, known))
    assert len(pairs) == 2
    for number, (clean, given) in enumerate(pairs):
        assert clean[7].sum() == 0
        assert np.flatnonzero(given[7]).tolist() == [number]
    report = noise_of_known(*folders)
    assert (report.num_masks, report.valid, report.confusion[0, 1]) == (2, 128, 2)


def test_of_a_wrapped_set_the_masks_as_they_are_trained_on(folders):
    dataset, known = folders
    noisy = NoisyLabels(dataset, {"type": "SymmetricFlip", "rate": 1.0})
    flipped = [given for _, given in known_pairs(noisy, known)]
    assert [mask[7].sum() for mask in flipped] == [7, 7]
    with pytest.raises(ConfigError, match="this set knows them all"):
        noise_of_known(noisy, known)


def test_what_does_not_fit_is_said(folders, tmp_path):
    dataset, known = folders
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"holds none of the 3 samples' masks, such as 0\.png"):
        noise_of_known(dataset, tmp_path / "empty")

    class Own(LabelledImages):
        metainfo = dataset.metainfo

    with pytest.raises(ConfigError, match=r"has no mask_reader, .* or leave clean_masks out"):
        noise_of_known(Own(), known)
    cv2.imwrite(str(known / "1.png"), np.zeros((4, 8), np.uint8))
    with pytest.raises(DataError, match=r"1\.png: is 8x4, the sample's mask 8x8"):
        noise_of_known(dataset, known)
    cv2.imwrite(str(known / "1.png"), np.full((8, 8), 9, np.uint8))
    with pytest.raises(DataError, match="9"):
        noise_of_known(dataset, known)
    for number in range(2):
        cv2.imwrite(str(known / f"{number}.png"), np.full((8, 8), 255, np.uint8))
    with pytest.raises(ConfigError, match="all pixels are void"):
        noise_of_known(dataset, known)
