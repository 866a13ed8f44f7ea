"""The masks of several raters, one of them for each image."""

import pickle

import numpy as np
import pytest
import tiny_training
from PIL import Image

from segnoise.datasets import DatasetError, FolderDataset, NoisyLabels, Phantoms, RaterMasks
from segnoise.datasets.files.palettes import palette_image
from segnoise.engine import data
from segnoise.engine.schema import complete
from segnoise.errors import ConfigError

NAMES = [f"cell_{number:02d}" for number in range(12)]


def save(folder, name, value, size=(6, 8)):
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(size, value, np.uint8)).save(folder / f"{name}.png")


@pytest.fixture
def root(tmp_path):
    """The reference says 0 everywhere, rater 1 says 1, rater 2 says 2 and lacks one image."""
    for name in NAMES:
        save(tmp_path / "images", name, 9)
        save(tmp_path / "masks", name, 0)
        save(tmp_path / "one", name, 1)
        if name != NAMES[3]:
            save(tmp_path / "two", name, 2)
    (tmp_path / "classes.txt").write_text("rest\ncell\nnucleus\n")
    return tmp_path


def rated(root, seed=0, folders=("one", "two"), **options):
    return RaterMasks(FolderDataset(root), [root / f for f in folders], seed=seed, **options)


def labels(dataset):
    return [int(dataset[index]["mask"][0, 0]) for index in range(len(dataset))]


def test_every_image_has_one_rater_and_its_reference(root):
    dataset = rated(root)
    assert len(dataset) == len(NAMES)
    assert set(labels(dataset)) == {1, 2}
    for index, label in enumerate(labels(dataset)):
        sample = dataset[index]
        folder = root / {1: "one", 2: "two"}[label]
        assert dataset.raters[index] == folder
        assert dataset.paths(index)[1] == folder / f"{sample['sample_id']}.png"
        assert (sample["mask"] == label).all()
        assert (sample["clean_mask"] == 0).all()
        reference, drawn = dataset.load_masks(index)
        np.testing.assert_array_equal(reference, sample["clean_mask"])
        np.testing.assert_array_equal(drawn, sample["mask"])
        np.testing.assert_array_equal(dataset.load_mask(index), drawn)
    assert labels(dataset)[3] == 1


def test_the_draw_depends_on_seed_and_name_alone(root):
    whole = rated(root)
    assert labels(pickle.loads(pickle.dumps(whole))) == labels(rated(root)) == labels(whole)
    assert rated(root).fingerprint == whole.fingerprint != rated(root, seed=1).fingerprint
    assert labels(rated(root, seed=1)) != labels(whole)
    (root / "train.txt").write_text("\n".join(NAMES[5:]))
    part = RaterMasks(FolderDataset(root, "train"), [root / "one", root / "two"])
    assert labels(part) == labels(whole)[5:]


def test_the_draw_is_even(tmp_path):
    for number in range(300):
        for folder in ("images", "masks", "a", "b", "c"):
            save(tmp_path / folder, str(number), 0, (2, 2))
    (tmp_path / "classes.txt").write_text("rest\n")
    raters = rated(tmp_path, folders="abc").raters
    counts = [raters.count(tmp_path / folder) for folder in "abc"]
    assert min(counts) > 70  # 100 expected, 8.2 the standard deviation


def test_what_is_missing_or_of_another_size_is_named(root):
    with pytest.raises(DatasetError, match=r"two.cell_03.*no rater has it"):
        rated(root, folders=["two"])
    with pytest.raises(DatasetError, match="three"):
        rated(root, folders=["three"])
    for folders in ([], ["one", "one"]):
        with pytest.raises(ConfigError, match="each of them once"):
            rated(root, folders=folders)
    with pytest.raises(ConfigError, match="each of them once"):
        RaterMasks(FolderDataset(root), str(root / "one"))
    with pytest.raises(ConfigError, match="mask files"):
        RaterMasks(NoisyLabels(FolderDataset(root), {"type": "Shift", "distance": 1}), ["one"])
    save(root / "one", NAMES[0], 1, (8, 6))
    with pytest.raises(DatasetError, match=r"is 6x8, the reference .* 8x6"):
        rated(root, folders=["one"])[0]


def test_through_the_engine(tmp_path, monkeypatch):
    config = tiny_training.config(tmp_path)
    dataset = data.build_dataset(complete(config), "train_data")
    assert isinstance(dataset, Phantoms)
    for index in range(len(dataset)):
        mask = np.zeros_like(dataset.load_mask(index))
        (tmp_path / "raters").mkdir(exist_ok=True)
        picture = palette_image(mask, dataset.metainfo["palette"])
        picture.save(tmp_path / "raters" / f"{dataset.sample_id(index)}.png")
    monkeypatch.setenv("SEGNOISE_DATA", str(tmp_path))
    noise = {"type": "RaterMasks", "folders": ["data/raters"]}
    noisy = data.with_noise(dataset, complete({**config, "noise": noise}))
    assert isinstance(noisy, RaterMasks)
    assert not noisy[0]["mask"].any()
    np.testing.assert_array_equal(noisy[0]["clean_mask"], dataset.load_mask(0))
    check = data.inspect(noisy, complete({**config, "noise": noise}), "training")
    assert check.noise is not None
    assert check.noise.pixel_rate > 0
    with pytest.raises(ConfigError, match="folders"):
        data.with_noise(dataset, complete({**config, "noise": {"type": "RaterMasks"}}))
    with pytest.raises(ConfigError, match="did you mean folders"):
        complete({**config, "noise": {**noise, "folder": "x"}})
