"""Noisy copies of rasters: GeoTIFFs like the clean ones, a file a scene."""

import numpy as np
import pytest

from segnoise.datasets import (
    NoisyCopy,
    NoisyLabels,
    RasterDataset,
    verify_noisy_copy,
    write_noisy_copy,
)
from segnoise.datasets.problems import DatasetError
from segnoise.errors import ConfigError

rasterio = pytest.importorskip("rasterio")
RNG = np.random.default_rng(0)
PLACE = rasterio.Affine(0.4, 0.3, 733600, 0.3, -0.4, 3725140)
NOISE = {"type": "SymmetricFlip", "rate": 0.3}


def write(path, values, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    bands = values[None] if values.ndim == 2 else np.moveaxis(values, 2, 0)
    profile = {"driver": "GTiff", "crs": "EPSG:32616", "transform": PLACE, "count": len(bands)}
    shape = {"height": bands.shape[1], "width": bands.shape[2], "dtype": bands.dtype}
    with rasterio.open(path, "w", **{**profile, **shape, **more}) as file:
        file.write(bands)


def data(root, **more):
    arguments = {"classes": ["x", "y", "z"], "window": 32, "value_map": {0: 0, 3: 1, 4: 1, 7: 2}}
    return RasterDataset(root, **{**arguments, **more})


@pytest.fixture
def root(tmp_path):
    stored = np.array([0, 3, 7], np.int16)[RNG.integers(0, 3, (70, 90))]
    stored[:, 40:50] = 4  # a second number of class 1
    stored[60:] = -1
    image = RNG.integers(1, 200, (70, 90, 3), np.uint8)
    image[:10] = 0
    write(tmp_path / "data/images/a.tif", image, nodata=0)
    options = {"nodata": -1, "compress": "lzw", "tiled": True, "blockxsize": 32, "blockysize": 16}
    write(tmp_path / "data/labels/a.tif", stored, **options)
    with rasterio.open(tmp_path / "data/labels/a.tif", "r+") as file:
        file.update_tags(surveyor="Ann", year="2021")
        file.set_band_description(1, "land use")
        file.build_overviews([2, 4], rasterio.enums.Resampling.mode)
    return tmp_path


def test_a_copy_is_a_geotiff_like_the_clean_one_with_the_noise(root):
    noisy = NoisyLabels(data(root / "data"), NOISE, seed=4)
    manifest, written = write_noisy_copy(noisy, root / "copy")
    assert written == 1
    assert [file["path"] for file in manifest["files"]] == ["labels/a.tif"]
    with (
        rasterio.open(root / "data/labels/a.tif") as clean,
        rasterio.open(root / "copy/labels/a.tif") as copy,
    ):
        assert copy.profile == clean.profile
        assert copy.tags() == clean.tags()
        assert copy.descriptions == clean.descriptions
        assert copy.overviews(1) == [2, 4]
        before, after = clean.read(1), copy.read(1)
        small = copy.read(1, out_shape=(35, 45))
    assert np.array_equal(after[:10], before[:10])  # void by its image: nobody has looked there
    assert np.array_equal(after == -1, before == -1)
    assert set(np.unique(after)) == {-1, 0, 3, 4, 7}
    kept = np.isin(before, (3, 4)) & np.isin(after, (3, 4))
    assert np.array_equal(after[kept], before[kept])
    changed = (after != before)[10:60]
    assert changed.mean() == pytest.approx(0.3, abs=0.03)
    assert set(np.unique(small)) <= set(np.unique(after))
    for index in range(len(noisy)):
        copied = NoisyCopy(noisy.dataset, root / "copy")
        assert np.array_equal(copied[index]["mask"], noisy[index]["mask"])
    assert not verify_noisy_copy(root / "copy", noisy)
    moved = RasterDataset(
        root / "data", classes=["x", "y", "z"], value_map={0: 0, 3: 1, 4: 1, 7: 2}, window=96,
        label_dir=root / "copy/labels",
    )  # fmt: skip
    whole = NoisyLabels(data(root / "data", window=96), NOISE, seed=4)[0]["mask"]
    assert np.array_equal(moved[0]["mask"], whole)


def test_what_cannot_be_written_is_said(root):
    void = {"type": "VoidDropout", "rate": 0.5, "regions": "pixels"}
    write(root / "data/labels/a.tif", np.zeros((70, 90), np.uint8))
    write(root / "data/images/a.tif", np.ones((70, 90, 3), np.uint8))
    noisy = NoisyLabels(data(root / "data", value_map={0: 0}), void, seed=0)
    with pytest.raises(DatasetError, match=r"value_map has no value for void, which the noise ma"):
        write_noisy_copy(noisy, root / "copy")
    noisy = NoisyLabels(data(root / "data", value_map=None, ignore_index=300), void, seed=0)
    with pytest.raises(DatasetError, match=r"uint8 does not hold 300 for void.*more bits"):
        write_noisy_copy(noisy, root / "wide")
    (root / "data/labels/a.tif").rename(root / "data/labels/a.img")
    shape = np.zeros((70, 90), np.uint8)
    write(root / "data/labels/a.img", shape, driver="HFA")
    with pytest.raises(DatasetError, match=r"is a HFA, not a GeoTIFF; convert it"):
        write_noisy_copy(NoisyLabels(data(root / "data"), NOISE), root / "other")
    (root / "data/labels/a.img").unlink()
    write(root / "data/labels/a.tif", shape[:60])
    resampled = NoisyLabels(data(root / "data", resample=True), NOISE)
    with pytest.raises(ConfigError, match="not read by a MaskReader"):
        write_noisy_copy(resampled, root / "other")
