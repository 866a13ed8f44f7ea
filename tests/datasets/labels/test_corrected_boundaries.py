"""Boundary correction as a step of a training set: from clean masks to a resumed run."""

import shutil

import numpy as np
import pytest
import tiny_training
from tiny_training import Stop

from segnoise.datasets import CorrectedBoundaries, NoisyLabels, Phantoms
from segnoise.engine.config import load_config
from segnoise.engine.schema import complete
from segnoise.engine.train import train
from segnoise.errors import ConfigError, DataError

NOISE = {"type": "BoundaryErosion", "width": 2}


@pytest.fixture
def phantoms(tmp_path):
    return Phantoms(tmp_path / "data", "train", size=64, num_images=6)


def clean_masks(dataset, folder, count=3):
    folder.mkdir()
    for index in range(count):
        shutil.copy(dataset.paths(index)[1], folder / f"{dataset.sample_id(index)}.png")
    return folder


def test_eroded_labels_come_nearer_to_the_clean_ones(tmp_path, phantoms):
    noisy = NoisyLabels(phantoms, NOISE)
    corrected = CorrectedBoundaries(noisy, clean_masks(phantoms, tmp_path / "clean"))
    before = after = 0
    for index in range(3, 6):
        clean, mask = noisy.load_masks(index)
        same_clean, moved = corrected.load_masks(index)
        np.testing.assert_array_equal(same_clean, clean)
        np.testing.assert_array_equal(corrected[index]["mask"], moved)
        np.testing.assert_array_equal(corrected[index]["clean_mask"], clean)
        before += (mask != clean).sum()
        after += (moved != clean).sum()
    assert after < 0.8 * before


def test_of_a_set_without_known_clean_masks(phantoms):
    corrected = CorrectedBoundaries(phantoms, shift=np.zeros((5, 5)))
    assert corrected.load_masks is None
    np.testing.assert_array_equal(corrected.load_mask(0), phantoms.load_mask(0))


def test_wrong_arguments(tmp_path, phantoms):
    with pytest.raises(ConfigError, match="give either clean_masks"):
        CorrectedBoundaries(phantoms)
    for shift in ([1], [[0, 1], [2]], np.ones((5, 5))):
        with pytest.raises(ConfigError, match=r"shift must be 5 lists of 5 numbers with"):
            CorrectedBoundaries(phantoms, shift=shift)
    with pytest.raises(ConfigError, match=r"limit=3 is for measuring .* drop it"):
        CorrectedBoundaries(phantoms, shift=np.zeros((5, 5)), limit=3)
    with pytest.raises(ConfigError, match=r"holds none of the 6 samples' masks, such as train_0"):
        CorrectedBoundaries(phantoms, clean_masks=tmp_path)
    folder = clean_masks(Phantoms(tmp_path / "d", "train", size=32), tmp_path / "small", 1)
    with pytest.raises(DataError, match=r"train_0000\.png: is 32x32, the sample's mask 64x64"):
        CorrectedBoundaries(phantoms, clean_masks=folder)


def test_a_training_measures_once_and_resumes(tmp_path):
    dataset = Phantoms(tmp_path / "data", "train", size=32, num_images=6)
    entry = {"clean_masks": str(clean_masks(dataset, tmp_path / "clean"))}
    changes = {"noise": NOISE, "boundary_bias": entry, "num_pictures": 1}
    config = complete(tiny_training.config(tmp_path, **changes))
    whole = train({**config, "work_dir": str(tmp_path / "whole")})
    with pytest.raises(KeyboardInterrupt):
        train({**config, "custom_hooks": [Stop(6)]})
    assert train(config, resume=True).last == whole.last
    stored = load_config(whole.folder / "config.py")
    assert len(stored["boundary_bias"]["shift"]) == 5
    plain = train({**config, "boundary_bias": None, "work_dir": str(tmp_path / "plain")})
    assert whole.check["noise"]["pixel_rate"] != plain.check["noise"]["pixel_rate"]
    other = {"shift": [[0.0] * 5] * 5}
    with pytest.raises(ConfigError, match="of another run: boundary_bias"):
        train({**config, "boundary_bias": other}, resume=True)
    with pytest.raises(ConfigError, match=r"boundary_bias\.clean_mask; did you mean clean_masks"):
        complete({"boundary_bias": {"clean_mask": "x"}})
