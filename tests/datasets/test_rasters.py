"""Rasters on a map: every pixel at its place, void where there are no data, mismatches refused."""

import gc
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from segnoise.datasets import NoisyLabels, RasterDataset
from segnoise.datasets.files.scenes import on_map
from segnoise.datasets.problems import DatasetError
from segnoise.errors import ConfigError
from segnoise.inspection import check_dataset, contact_sheet
from segnoise.noise.seeding import generator

rasterio = pytest.importorskip("rasterio")
UTM = rasterio.crs.CRS.from_epsg(32616)
PLACE = rasterio.Affine(0.5, 0, 733600, 0, -0.5, 3725140)
TURNED = rasterio.Affine(0.4, 0.3, 733600, 0.3, -0.4, 3725140)
CLASSES = ["ground", "house"]
RNG = np.random.default_rng(0)


def write(path, values, crs=UTM, transform=PLACE, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    bands = values[None] if values.ndim == 2 else np.moveaxis(values, 2, 0)
    with rasterio.open(
        path, "w", "GTiff", bands.shape[2], bands.shape[1], len(bands), crs, transform,
        bands.dtype, **more,
    ) as file:  # fmt: skip
        file.write(bands)
    return path


def scene(height=70, width=90, bands=4, dtype=np.uint16):
    image = RNG.integers(1, 3000, (height, width, bands)).astype(dtype)
    labels = np.zeros((height, width), np.uint8)
    labels[10:30, 20:50] = 1
    return image, labels


def whole(dataset, number, shape):
    """The samples of a scene's grid, put together; counts how often each pixel came."""
    size = dataset[0]["mask"].shape[0]
    mask = np.full((shape[0] + size, shape[1] + size), 99, int)
    count = np.zeros(mask.shape, int)
    image = np.zeros((*mask.shape, dataset[0]["image"].shape[2]), dataset[0]["image"].dtype)
    for index in range(len(dataset)):
        sample = dataset[index]
        top, left = map(int, sample["sample_id"].rpartition("/")[2].split("_"))
        part = slice(top, top + size), slice(left, left + size)
        mask[part], image[part] = sample["mask"], sample["image"]
        count[part] += 1
        assert np.array_equal(dataset.load_mask(index), sample["mask"])
        if dataset.load_image is not None:
            assert np.array_equal(dataset.load_image(index), sample["image"])
    return image, mask, count


@pytest.mark.parametrize("layout", [{}, {"tiled": True, "blockxsize": 16, "blockysize": 16}])
def test_a_grid_counts_every_pixel_once(tmp_path, layout):
    image, labels = scene()
    image[:, :25] = 0
    write(tmp_path / "images/a.tif", image, nodata=0, **layout)
    write(tmp_path / "labels/a.tif", labels)
    dataset = RasterDataset(tmp_path, classes=CLASSES, window=32)
    assert len(dataset) == 3 * 3
    found, mask, count = whole(dataset, 0, labels.shape)
    assert (count[:70, :90] == 1).all()
    assert np.array_equal(found[:70, :90], image)
    assert np.array_equal(mask[:70, :90], np.where(image.any(2), labels, 255))
    assert (mask[:96, :96][70:] == 255).all()
    assert (found[70:] == 0).all()
    assert dataset.metainfo["image"] == {
        "channels": 4, "bands": (1, 2, 3, 4), "dtype": "uint16", "image_range": None,
    }  # fmt: skip
    copy = pickle.loads(pickle.dumps(dataset))
    assert np.array_equal(copy[3]["image"], dataset[3]["image"])


def test_areas_share_no_pixel_and_miss_none(tmp_path):
    image, labels = scene(71, 93)
    write(tmp_path / "images/a.tif", image)
    write(tmp_path / "labels/a.tif", labels)
    total = np.zeros(labels.shape, int)
    for area in ((0, 0, 0.6, 1), (0.6, 0, 1, 0.5), (0.6, 0.5, 1, 1)):
        dataset = RasterDataset(tmp_path, classes=CLASSES, window=32, area=area)
        _, mask, _ = whole(dataset, 0, labels.shape)
        inside = mask[:71, :93]
        assert np.array_equal(inside[inside < 2], labels[inside < 2])
        total += inside < 2
    assert (total == 1).all()


def test_void_is_what_has_no_data_however_it_is_said(tmp_path):
    image, labels = scene(40, 40, 3, np.float32)
    gone = np.zeros((40, 40), bool)
    gone[5:9, 5:20] = True
    here = gone[..., None]
    rgba = np.dstack([image % 250 + 1, np.where(gone, 0, 255)]).astype(np.uint8)
    kinds = {
        "nodata": (np.where(here, -9999, image), {"nodata": -9999}, {}),
        "nan": (np.where(here, np.nan, image), {"nodata": np.nan}, {}),
        "one nan": (np.where(here & (np.arange(3) == 1), np.nan, image), {}, {}),
        "infinite": (np.where(here, np.inf, image), {}, {}),
        "told": (np.where(here, 0, image), {}, {"nodata": 0}),
        "alpha": (rgba, {"photometric": "rgb", "alpha": "yes"}, {}),
    }
    for name, (values, options, arguments) in kinds.items():
        root = tmp_path / name
        kind = np.uint8 if name == "alpha" else np.float32
        write(root / "images/a.tif", values.astype(kind), **options)
        write(root / "labels/a.tif", labels)
        dataset = RasterDataset(root, classes=CLASSES, window=40, **arguments)
        sample = dataset[0]
        assert np.array_equal(sample["mask"] == 255, gone), name
        assert sample["image"].shape[2] == 3, name
        assert np.isfinite(sample["image"]).all()
        assert (sample["image"][gone] == 0).all()


def test_label_rasters(tmp_path):
    image, labels = scene(40, 40)
    write(tmp_path / "images/a.tif", image)
    stored = np.where(labels == 1, 7, 3).astype(np.int16)
    stored[:4] = -1
    write(tmp_path / "labels/a.tif", stored, nodata=-1)
    dataset = RasterDataset(tmp_path, classes=CLASSES, window=40, value_map={3: 0, 7: 1})
    expected = np.where(stored == -1, 255, labels)
    assert np.array_equal(dataset[0]["mask"], expected)
    with pytest.raises(
        DatasetError,
        match=r"a\.tif, window at row 0, column 0: value 7 at row 10, column 20 is not in",
    ):
        RasterDataset(tmp_path, classes=CLASSES, window=40, value_map={3: 0})[0]
    with pytest.raises(
        DatasetError,
        match=r"label 3 at row 4, column 0 .*in a 2-class set; give value_map, label_nod",
    ):
        RasterDataset(tmp_path, classes=CLASSES, window=40)[0]
    write(tmp_path / "labels/a.tif", np.where(labels == 1, 1, 0).astype(np.int16) - (labels < 0))
    write(tmp_path / "labels/a.tif", np.where(stored == -1, -1, labels).astype(np.int16))
    told = RasterDataset(tmp_path, classes=CLASSES, window=40, label_nodata=-1)
    assert np.array_equal(told[0]["mask"], expected)
    write(tmp_path / "labels/a.tif", labels.astype(np.float32) + 0.5)
    with pytest.raises(DatasetError, match="holds fractions"):
        RasterDataset(tmp_path, classes=CLASSES, window=40)[0]


def test_labels_of_another_grid_are_refused_with_both_or_resampled(tmp_path):
    image, labels = scene(40, 40)
    write(tmp_path / "images/a.tif", image)
    moved = rasterio.Affine(0.5, 0, 733601.5, 0, -0.5, 3725140)
    for values, crs, transform, words in (
        (labels[:39], UTM, PLACE, "40 x 39 pixels, there 40 x 40 pixels"),
        (labels, rasterio.crs.CRS.from_epsg(32617), PLACE, "EPSG:32617, there EPSG:32616"),
        (labels, None, PLACE, "coordinate system None, there EPSG:32616"),
        (labels, UTM, moved, r"transform \(0.5, .*733601.5.*there \(0.5, .*733600.0"),
    ):
        write(tmp_path / "labels/a.tif", values, crs, transform)
        with pytest.raises(DatasetError, match=f"lies otherwise.*{words}.*resample=True"):
            RasterDataset(tmp_path, classes=CLASSES, window=40)
    write(tmp_path / "labels/a.tif", labels, UTM, moved)
    mask = RasterDataset(tmp_path, classes=CLASSES, window=40, resample=True)[0]["mask"]
    assert np.array_equal(mask[:, 3:], labels[:, :-3])
    assert (mask[:, :3] == 255).all()
    # What differs in the last digits lies alike.
    near = rasterio.Affine(0.5 + 1e-9, 0, 733600 + 1e-6, 0, -0.5, 3725140)
    write(tmp_path / "labels/a.tif", labels, UTM, near)
    assert np.array_equal(RasterDataset(tmp_path, classes=CLASSES, window=40)[0]["mask"], labels)


def geojson(path, boxes, transform=PLACE, crs=UTM, member=True, to=None):
    features = []
    for (top, left, bottom, right), properties in boxes:
        ring = [
            on_map(transform, *point)
            for point in ((left, top), (right, top), (right, bottom), (left, bottom), (left, top))
        ]
        shape = {"type": "Polygon", "coordinates": [ring]}
        if to is not None:
            shape = rasterio.warp.transform_geom(crs, to, shape, precision=12)
        features.append({"type": "Feature", "properties": properties, "geometry": shape})
    content = {"type": "FeatureCollection", "features": features}
    if member:
        name = (crs if to is None else to).to_string()
        content["crs"] = {"type": "name", "properties": {"name": name}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("transform", [PLACE, TURNED])
def test_outlines_are_burnt_where_they_lie(tmp_path, transform):
    image, _ = scene()
    write(tmp_path / "images/a.tif", image, transform=transform)
    labels = np.zeros((70, 90), np.uint8)
    labels[10:30, 20:50] = 1
    labels[25:60, 40:80] = 2
    boxes = [((10, 20, 30, 50), {"kind": "house"}), ((25, 40, 60, 80), {"kind": "road"})]
    wgs = rasterio.crs.CRS.from_epsg(4326)
    for to, member, crs in (
        (None, True, None),
        (wgs, False, None),
        (wgs, True, None),
        (None, False, "image"),
        (None, False, "EPSG:32616"),
    ):
        geojson(tmp_path / "labels/a.geojson", boxes, transform, member=member, to=to)
        dataset = RasterDataset(
            tmp_path, classes=[*CLASSES, "road"], window=32, attribute="kind", label_crs=crs
        )
        _, mask, _ = whole(dataset, 0, labels.shape)
        assert np.array_equal(mask[:70, :90], labels), (to, member, crs)
    numbered = [(box, {"kind": n}) for n, (box, _) in enumerate(boxes)]
    geojson(tmp_path / "labels/a.geojson", numbered, transform)
    dataset = RasterDataset(
        tmp_path, classes=[*CLASSES, "road"], window=96, attribute="kind", value_map={0: 1, 1: 2}
    )
    assert np.array_equal(dataset[0]["mask"][:70, :90], labels)


def test_outlines_that_do_not_fit_are_refused(tmp_path):
    image, _ = scene()
    write(tmp_path / "images/a.tif", image)
    path = tmp_path / "labels/a.geojson"
    box = (10, 20, 30, 50)

    def refused(words, **arguments):
        arguments = {"classes": CLASSES, "window": 96, **arguments}
        with pytest.raises((DatasetError, ConfigError), match=words):
            RasterDataset(tmp_path, **arguments)

    geojson(path, [(box, {})], member=False)
    refused("has no crs, and as longitude and latitude .* give label_crs='image'")
    geojson(path, [((1000, 2000, 1010, 2010), {})])
    refused("its outlines cover nothing of .*belong together")
    geojson(path, [(box, {"kind": "hut"})])
    refused(r"outline 0 has kind='hut'; known are 'ground', 'house'", attribute="kind")
    refused("outline 0 has no 'type'", attribute="type")
    refused("could be of any of 3 classes; say by attribute=", classes=[*CLASSES, "road"])
    refused("value_map takes 1 to 2, neither", attribute="kind", value_map={1: 2})
    geojson(path, [(box, {"kind": [1]})])
    refused(r"outline 0 has kind=\[1\]; known are 1", attribute="kind", value_map={1: 1})
    content = path.read_text()
    for old, new, words in (
        ('"Polygon"', '"LineString"', "holds a LineString, which covers no area"),
        ("733610.0", "null", "holds a Polygon without numbers"),
        ("733610.0", '"x"', "holds a Polygon without numbers"),
        ("EPSG:32616", "nowhere", r"a\.geojson: 'nowhere' names no coordinate system"),
    ):
        assert old in content
        path.write_text(content.replace(old, new))
        refused(words)
    path.write_text("{")
    refused("is no GeoJSON")
    path.unlink()
    refused(r"labels/a\.\*: mask missing")


def test_geopackages_are_read_as_geojson(tmp_path):
    pyogrio, shapely = pytest.importorskip("pyogrio.raw"), pytest.importorskip("shapely")
    image, _ = scene()
    write(tmp_path / "images/a.tif", image)
    (tmp_path / "labels").mkdir()
    x, y = on_map(PLACE, 20, 10)
    outline = shapely.box(x, y - 10, x + 15, y)
    pyogrio.write(
        tmp_path / "labels/a.gpkg", shapely.to_wkb(np.array([outline])),
        [np.array(["house"], object)], np.array(["kind"]), geometry_type="Polygon",
        crs="EPSG:32616",
    )  # fmt: skip
    dataset = RasterDataset(tmp_path, classes=CLASSES, window=96, attribute="kind")
    expected = np.zeros((70, 90))
    expected[10:30, 20:50] = 1
    assert np.array_equal(dataset[0]["mask"][:70, :90], expected)
    pyogrio.write(
        tmp_path / "labels/a.gpkg", shapely.to_wkb(np.array([outline])), [np.array([1])],
        np.array(["kind"]), geometry_type="Polygon", crs="EPSG:32616", layer="roads", append=True,
    )  # fmt: skip
    with pytest.raises(DatasetError, match="holds 2 layers of outlines: a, roads"):
        RasterDataset(tmp_path, classes=CLASSES, window=96)


def test_outlines_that_are_nothing_are_nothing(tmp_path):
    image, _ = scene()
    write(tmp_path / "images/a.tif", image)
    path = tmp_path / "labels/a.geojson"
    geojson(path, [((10, 20, 30, 50), {})])
    content = json.loads(path.read_text())
    shapes = [
        None, {"type": "Polygon", "coordinates": []},
        {"type": "MultiPolygon", "coordinates": [[[[733600, 3725140], [733601, 3725140]]]]},
    ]  # fmt: skip
    content["features"] += [{"type": "Feature", "properties": {}, "geometry": s} for s in shapes]
    content["crs"] = None
    path.write_text("\ufeff" + json.dumps(content), encoding="utf-8")
    dataset = RasterDataset(tmp_path, classes=CLASSES, window=96, label_crs="image")
    assert np.argwhere(dataset[0]["mask"] == 1)[[0, -1]].tolist() == [[10, 20], [29, 49]]


def test_random_windows_lie_over_data_and_are_the_same_by_seed(tmp_path):
    image, labels = scene(400, 300)
    labels[:] = 0
    labels[150:160, 240:250] = 1
    image[:, :200] = 0
    write(tmp_path / "images/a.tif", image, nodata=0)
    write(tmp_path / "labels/a.tif", labels)
    options = {"classes": CLASSES, "window": 64, "windows": "random", "count": 60}
    dataset = RasterDataset(tmp_path, **options)
    assert len(dataset) == 60
    for index in range(60):
        sample = dataset[index]
        assert sample["mask"].shape == (64, 64)
        assert (sample["mask"] != 255).any()
    names = [dataset.sample_id(index) for index in range(60)]
    assert len(set(names)) == 60
    again = RasterDataset(tmp_path, **options)
    assert [again.sample_id(index) for index in range(60)] == names
    other = RasterDataset(tmp_path, **options, seed=1)
    assert [other.sample_id(index) for index in range(60)] != names
    balanced = RasterDataset(tmp_path, **options, balanced=True)
    with_house = [sum((d[i]["mask"] == 1).any() for i in range(60)) for d in (dataset, balanced)]
    assert with_house[1] >= 10  # a quarter of all windows is drawn near the only house
    assert with_house[1] >= 2 * with_house[0]
    few = RasterDataset(tmp_path, **{**options, "window": 299, "count": 500})
    assert len({few.sample_id(index) for index in range(len(few))}) == len(few) <= 2 * 102
    inside = RasterDataset(tmp_path, **options, area=(0.5, 0.7, 1, 1))
    tops = [int(inside.sample_id(i).split("/")[1].split("_")[0]) for i in range(60)]
    assert min(tops) >= 200


def test_checks_and_pictures_know_windows(tmp_path):
    image, labels = scene()
    write(tmp_path / "images/a.tif", image)
    write(tmp_path / "labels/a.tif", labels)
    dataset = RasterDataset(tmp_path, classes=CLASSES, window=32)
    found = check_dataset(dataset)
    assert not found.problems
    assert found.histogram.tolist() == [70 * 90 - 600, 600]
    assert contact_sheet(dataset, 4).dtype == np.uint8
    table = dataset.describe().splitlines()
    assert table[2].split("|")[1:-1] == [
        " a     ", " 90 x 70 ", " EPSG:32616 ", "        0.5 ", " 4 x uint16 ", "       0.0 ",
        " raster, uint8 ",
    ]  # fmt: skip
    write(tmp_path / "labels/a.tif", labels + 4)
    problems = check_dataset(RasterDataset(tmp_path, classes=CLASSES, window=32)).problems
    assert len(problems) == 9
    assert "label 4 at row 0, column 0 (also 5) in a 2-class set" in str(problems[0])


def test_arguments(tmp_path):
    image, labels = scene()
    write(tmp_path / "images/a.tif", image)
    write(tmp_path / "images/b.tif", image[..., :2])
    for name in "ab":
        write(tmp_path / f"labels/{name}.tif", labels)
    (tmp_path / "one.txt").write_text("a\n")
    (tmp_path / "wrong.txt").write_text("a\nc\n")
    assert len(RasterDataset(tmp_path, "one", classes=CLASSES)) == 1
    for arguments, words in (
        ({"split": "wrong"}, r"images/c\.\*: image missing"),
        ({}, r"b\.tif: has 2 band"),
        ({"bands": [5]}, "has 4 band"),
        ({"split": "none"}, r"none\.txt"),
        ({"split": "one", "windows": "all"}, "windows"),
        ({"split": "one", "area": (0, 0, 0, 1)}, "top < bottom"),
        ({"split": "one", "area": (0, 0, 2, 1)}, "area"),
        ({"split": "one", "dtype": "uint32"}, "dtype"),
    ):
        with pytest.raises((ConfigError, DatasetError), match=words):
            RasterDataset(tmp_path, classes=CLASSES, **arguments)
    write(tmp_path / "images/a.tif", image.astype(np.float64))
    with pytest.raises(ConfigError, match="numbers are float64: say by dtype="):
        RasterDataset(tmp_path, "one", classes=CLASSES)
    dataset = RasterDataset(tmp_path, "one", classes=CLASSES, dtype="float32", window=96)
    assert np.array_equal(dataset[0]["image"][:70, :90], image.astype(np.float32))


class Whole:
    """A noise that shows what it was given: numbers in place of labels."""

    def __init__(self):
        self.shapes = []

    def __call__(self, mask, rng):
        self.shapes.append(mask.shape)
        noisy = mask.copy()
        noisy[mask != 255] = rng.integers(2)
        return noisy


@pytest.mark.parametrize("window", [32, 50, 96])
def test_noise_sees_whole_scenes_and_does_not_depend_on_the_windows(tmp_path, window):
    image, labels = scene()
    image[:, :25] = 0
    write(tmp_path / "images/a.tif", image, nodata=0)
    write(tmp_path / "labels/a.tif", labels)
    noise = {"type": "BoundaryErosion", "width": 3, "fill": 0}
    clean = np.where(image.any(2), labels, 255).astype(np.uint8)
    dataset = RasterDataset(tmp_path, classes=CLASSES, window=window)
    noisy = NoisyLabels(dataset, noise, seed=4)
    expected = noisy.noise(clean, generator(4, "noise", "a"))
    assert (expected != clean).sum() > 50
    mask = whole(noisy, 0, labels.shape)[1]
    assert np.array_equal(mask[:70, :90], expected)
    assert np.array_equal(noisy[0]["clean_mask"], dataset[0]["mask"])
    copy = pickle.loads(pickle.dumps(noisy))
    assert np.array_equal(copy[0]["mask"], noisy[0]["mask"])
    function = Whole()
    seen = NoisyLabels(dataset, function)
    assert len({int(v) for i in range(len(seen)) for v in np.unique(seen[i]["mask"])} - {255}) == 1
    assert function.shapes == [(70, 90)]
    report = check_dataset(noisy).noise
    assert report.pixel_rate == pytest.approx((expected != clean)[clean != 255].mean())


def test_noise_that_needs_more_than_labels_is_refused(tmp_path):
    image, labels = scene()
    write(tmp_path / "images/a.tif", image)
    write(tmp_path / "labels/a.tif", labels)
    dataset = RasterDataset(tmp_path, classes=CLASSES, window=32)
    for noise in (
        {"type": "FeatureDependent", "rate": 0.2},
        {"type": "SpuriousObjects", "count": 2},
    ):
        with pytest.raises(ConfigError, match="here it sees whole scenes"):
            NoisyLabels(dataset, noise)


def test_the_files_of_a_run_are_removed_with_it(tmp_path):
    image, labels = scene()
    write(tmp_path / "images/a.tif", image)
    write(tmp_path / "labels/a.tif", labels)
    noisy = NoisyLabels(
        RasterDataset(tmp_path, classes=CLASSES, window=32), {"type": "SymmetricFlip", "rate": 0.2}
    )
    folder = Path(noisy._wholes.folder)
    noisy[0]
    assert len(list(folder.iterdir())) == 1
    pickle.loads(pickle.dumps(noisy))  # a worker's, which ends first
    assert folder.exists()
    del noisy
    gc.collect()
    assert not folder.exists()


def test_void_is_decided_by_the_bands_that_are_read(tmp_path):
    image, labels = scene(40, 40)
    image[:5, :, :3] = 0  # the fourth band has numbers there
    write(tmp_path / "images/a.tif", image, nodata=0)
    write(tmp_path / "labels/a.tif", labels)
    options = {"classes": CLASSES, "window": 40}
    three = RasterDataset(tmp_path, **options, bands=[1, 2, 3])[0]["mask"]
    assert np.array_equal(three == 255, (image[..., :3] == 0).all(2))
    assert (RasterDataset(tmp_path, **options)[0]["mask"] != 255).all()
    # A number that the type does not have is nowhere in it.
    for nodata in (-9999, np.nan, 0.5, 1e9):
        mask = RasterDataset(tmp_path, **options, nodata=nodata, label_nodata=-1)[0]["mask"]
        assert np.array_equal(mask, labels)
    rgba = np.dstack([image[..., :3] % 256, np.where(labels, 255, 0)]).astype(np.uint8)
    write(tmp_path / "images/a.tif", rgba, photometric="rgb", alpha="yes")
    for bands in ([2], [1, 2, 3, 4], [4, 1]):
        mask = RasterDataset(tmp_path, **options, bands=bands)[0]["mask"]
        assert np.array_equal(mask, np.where(labels, 1, 255))
    write(tmp_path / "labels/a.tif", (labels + 2).astype(np.uint8), nodata=2)
    both = RasterDataset(tmp_path, **options, bands=[4], label_nodata=7, value_map={3: 1})
    assert np.array_equal(both[0]["mask"], np.where(labels, 1, 255))


def test_windows_are_drawn_over_numbers(tmp_path):
    image, labels = scene(160, 160)
    image = image.astype(np.float32)
    image[:, :140] = np.nan  # which no tag says
    write(tmp_path / "images/a.tif", image)
    write(tmp_path / "labels/a.tif", labels)
    drawn = RasterDataset(tmp_path, classes=CLASSES, window=16, windows="random", count=40)
    seen = [(drawn[index]["mask"] != 255).any() for index in range(40)]
    assert np.mean(seen) > 0.8


def test_files_that_gdal_reads_otherwise_than_one_thinks_are_refused(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    image, labels = scene(40, 40)
    grey = image[..., 0].astype(np.uint8)
    path = tmp_path / "images/a.tif"

    def refused(words, **arguments):
        with pytest.raises((DatasetError, ConfigError), match=words):
            RasterDataset(tmp_path, **{"classes": CLASSES, "window": 40, **arguments})

    write(tmp_path / "labels/a.tif", labels)
    write(path, grey, photometric="miniswhite")
    refused("white is 0")
    write(path, labels, photometric="palette")
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {0: (255, 0, 0, 255), 1: (0, 255, 0, 255)})
    refused("those of a palette; gdal_translate -expand rgb")
    with tifffile.TiffWriter(path) as file:
        for page in (grey, grey):
            file.write(page)
    refused("holds 2 pictures")
    write(path, image)
    write(tmp_path / "deep.tif", grey.astype(np.float32))
    sources = "".join(
        f'<VRTRasterBand dataType="{kind}" band="{n}"><SimpleSource><SourceFilename relativeToVRT='
        f'"1">{name}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>'
        for n, (kind, name) in enumerate((("UInt16", "a.tif"), ("Float32", "../deep.tif")), 1)
    )
    vrt = tmp_path / "images/b.vrt"
    vrt.write_text(f'<VRTDataset rasterXSize="40" rasterYSize="40">{sources}</VRTDataset>')
    (tmp_path / "vrt.txt").write_text("b")
    write(tmp_path / "labels/b.tif", labels)
    refused("several number types: float32, uint16; .*-ot Float32", split="vrt")
    vrt.unlink()
    (tmp_path / "labels/b.tif").unlink()
    write(tmp_path / "labels/a.tif", np.dstack([255 * labels] * 3))
    refused("has 3 bands, labels are one band")
    write(tmp_path / "labels/a.tif", labels)
    refused("has no pixel in area", area=(0, 0, 0.001, 1))
    refused(r"ignore_index=1 must lie in 2\.\.65535", ignore_index=1)
    refused(r"ignore_index=-1 must lie", ignore_index=-1)
    refused("count must be at least 1", windows="random", count=0)
    refused("give one of them", image_range=(0, 1), dtype="uint16")
    refused("bands must be a list", bands="123")
    path.write_bytes(path.read_bytes()[:5000])
    refused("cannot be read", windows="random")
