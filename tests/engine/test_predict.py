"""Predictions of pictures and rasters: those of the network, in the files' own format and place."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tiny_training
import torch
from PIL import Image

from segnoise.datasets.problems import DatasetError
from segnoise.engine.evaluate import evaluate
from segnoise.engine.predict import RECORD, find_inputs, predict
from segnoise.engine.predictor import Predictor
from segnoise.engine.schema import complete
from segnoise.engine.train import train
from segnoise.errors import CheckpointError, ConfigError, DataError
from segnoise.models.windows import Windows

rasterio = pytest.importorskip("rasterio")
CRS = rasterio.crs.CRS.from_epsg(32616)
TRANSFORM = rasterio.Affine(0.5, 0.1, 733601, 0.1, -0.5, 3725139)  # turned a little


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("run")
    config = tiny_training.config(root, train_cfg={"max_iters": 40, "val_interval": 40})
    config["optim_wrapper"] = {"optimizer": {"type": "Adam", "lr": 0.05}}
    train(complete(config))
    evaluate(complete(config), root / "run/last.pth", out=root / "tested")
    return root


@pytest.fixture(scope="module")
def predictor(place):
    return Predictor(place / "run/last.pth", device="cpu", allow_imports=["tiny_training"])


def picture(height, width, seed=0):
    """Blobs of the phantoms' colours, so that several classes are predicted."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    return small.repeat(8, 0).repeat(8, 1)[:height, :width]


def write_scene(path, image, **more):
    bands = np.moveaxis(image, 2, 0)
    profile = {
        "driver": "GTiff", "dtype": image.dtype, "count": len(bands), "height": image.shape[0],
        "width": image.shape[1], "crs": CRS, "transform": TRANSFORM, **more,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        file.write(bands)
    return path


def labels(path):
    return np.array(Image.open(path)) if path.suffix == ".png" else rasterio.open(path).read(1)


def test_pictures_are_predicted_as_a_test_does(place, predictor, tmp_path):
    images = sorted((place / "data").glob("test-*/images/*.png"))
    assert images
    files = predict(predictor, images, tmp_path / "out", save=["labels", "confidence", "scores"])
    assert len(files) == 3 * len(images)
    for image in images:
        found = tmp_path / "out" / f"{image.stem}.png"
        assert np.array_equal(labels(found), labels(place / "tested" / f"{image.stem}.png"))
        assert Image.open(found).mode == "P"
        scores = np.load(tmp_path / "out" / f"{image.stem}.scores.npy").astype(np.float32)
        assert scores.shape == (5, 32, 32)
        assert scores.sum(0) == pytest.approx(1, abs=5e-3)
        confidence = labels(tmp_path / "out" / f"{image.stem}.confidence.png") / 255
        assert confidence == pytest.approx(scores.max(0), abs=4e-3)
    record = json.loads((tmp_path / "out" / RECORD).read_text())
    assert record["classes"] == list(predictor.classes)


def test_a_raster_keeps_its_place_and_its_void(predictor, tmp_path):
    image = picture(70, 90)
    image[:, :20] = 0
    scene = write_scene(tmp_path / "a.tif", image, nodata=0)
    Image.fromarray(image).save(tmp_path / "a.png")
    save = ["labels", "confidence", "entropy", "scores", "outlines"]
    windows = Windows(128, 32)
    predict(predictor, [scene], tmp_path / "maps", windows=windows, save=save)
    predict(predictor, [tmp_path / "a.png"], tmp_path / "plain", windows=windows)
    void = (image == 0).all(2)
    with rasterio.open(tmp_path / "maps/a.tif") as file:
        assert (file.crs, file.transform, file.nodata) == (CRS, TRANSFORM, 255)
        assert file.shape == (70, 90)
        found = file.read(1)
        colors = file.colormap(1)
        assert [colors[n][:3] for n in range(5)] == list(predictor.palette)
        assert json.loads(file.tags()["classes"]) == list(predictor.classes)
        assert file.tags(1)["CLASS_1"] == predictor.classes[1]
    assert np.array_equal(found == 255, void)
    plain = labels(tmp_path / "plain/a.png")
    assert np.array_equal(found[~void], plain[~void])
    assert len(np.unique(plain)) > 1
    with rasterio.open(tmp_path / "maps/a.scores.tif") as file:
        scores = file.read()
        assert file.descriptions == predictor.classes
    assert np.array_equal(np.isnan(scores[0]), void)
    assert np.array_equal(scores.argmax(0)[~void], found[~void]) or (
        np.mean(scores.argmax(0)[~void] == found[~void]) > 0.99  # float16 makes equals
    )
    confidence, entropy = (
        rasterio.open(tmp_path / f"maps/a.{name}.tif").read(1) for name in ("confidence", "entropy")
    )
    assert confidence[~void] == pytest.approx(scores.max(0)[~void], abs=1e-3)
    p = scores[:, ~void].astype(float)
    own = -(p * np.log(np.maximum(p, 1e-30))).sum(0) / np.log(5)
    assert entropy[~void] == pytest.approx(own, abs=5e-3)
    outlines = json.loads((tmp_path / "maps/a.geojson").read_text())["features"]
    shapes = [
        (rasterio.warp.transform_geom(4326, CRS, f["geometry"]), 1 + f["properties"]["id"])
        for f in outlines
    ]
    burnt = rasterio.features.rasterize(shapes, found.shape, transform=TRANSFORM)
    assert np.array_equal(burnt == 0, void)
    assert np.mean(burnt[~void] == found[~void] + 1) > 0.999  # lines through pixels' centres
    assert not list((tmp_path / "maps").glob("*.part"))


def test_a_scene_that_is_interrupted_goes_on_at_its_rows(predictor, tmp_path, monkeypatch):
    scene = write_scene(tmp_path / "a.tif", picture(200, 60))
    windows = Windows(32, 8)
    save = ["labels", "scores"]
    predict(predictor, [scene], tmp_path / "whole", windows=windows, save=save)
    of_batch, calls = predictor.of_batch, []

    def dies(images):
        calls.append(len(images))
        if len(calls) == 5:
            raise KeyboardInterrupt
        return of_batch(images)

    monkeypatch.setattr(predictor, "of_batch", dies)
    with pytest.raises(KeyboardInterrupt):
        predict(predictor, [scene], tmp_path / "cut", windows=windows, save=save)
    assert (tmp_path / "cut/a.labels.part").stat().st_size == 4 * 24 * 60
    assert not (tmp_path / "cut/a.tif").exists()
    with (tmp_path / "cut/a.scores.part").open("ab") as file:
        file.write(b"half a row")  # a kill while it is written
    calls[:] = [0] * 10
    predict(predictor, [scene], tmp_path / "cut", windows=windows, save=save)
    assert len(calls) - 10 == 4 + 1  # of 8 rows of windows; one sees rows that are done
    for name in ("a.tif", "a.scores.tif"):
        whole, cut = (rasterio.open(tmp_path / each / name).read() for each in ("whole", "cut"))
        assert np.array_equal(whole, cut)
    assert not list((tmp_path / "cut").glob("*.part"))
    monkeypatch.setattr(predictor, "of_batch", None)  # nothing is computed again
    assert len(predict(predictor, [scene], tmp_path / "cut", windows=windows, save=save)) == 2
    with pytest.raises(ConfigError, match="other settings"):
        predict(predictor, [scene], tmp_path / "cut", windows=Windows(64, 8), save=save)


def test_rows_of_another_file_are_forgotten(predictor, tmp_path, monkeypatch):
    scene = write_scene(tmp_path / "a.tif", picture(100, 40))
    of_batch, calls = predictor.of_batch, []

    def dies(images):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return of_batch(images)

    monkeypatch.setattr(predictor, "of_batch", dies)
    with pytest.raises(KeyboardInterrupt):
        predict(predictor, [scene], tmp_path / "out", windows=Windows(32, 0))
    write_scene(scene, picture(100, 40, seed=1))
    predict(predictor, [scene], tmp_path / "out", windows=Windows(32, 0))
    predict(predictor, [scene], tmp_path / "fresh", windows=Windows(32, 0))
    assert np.array_equal(labels(tmp_path / "out/a.tif"), labels(tmp_path / "fresh/a.tif"))


def test_folders_and_lists_keep_their_names(tmp_path):
    for name in ("a/x.png", "a/b/y.jpg", "a/.hidden.png", "a/notes.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(8, 8)).save(tmp_path / name, "PNG")
    (tmp_path / "l.txt").write_text("a/x.png\n\na/b/y.jpg\n")
    names = [job.name for job in find_inputs([tmp_path / "a"])]
    assert names == ["b/y", "x"]
    assert [job.name for job in find_inputs([tmp_path / "l.txt"])] == ["a/x", "a/b/y"]
    Image.fromarray(picture(8, 8)).save(tmp_path / "a/x.bmp")
    with pytest.raises(ConfigError, match="both be written as x"):
        find_inputs([tmp_path / "a"])
    (tmp_path / "empty").mkdir()
    for given, words in ((["none.png"], "no file"), ([tmp_path / "empty"], "no image in it")):
        with pytest.raises(DataError, match=words):
            find_inputs(given)


def test_what_does_not_fit_is_said(predictor, place, tmp_path):
    five = write_scene(tmp_path / "five.tif", picture(40, 40)[..., [0, 1, 2, 0, 1]])
    deep = write_scene(tmp_path / "deep.tif", picture(40, 40).astype(np.uint16) * 9)
    for scene, words in ((five, "5 bands, the network reads 3"), (deep, "trained on uint8 images")):
        with pytest.raises(DataError, match=words):
            predict(predictor, [scene], tmp_path / "out")
    predict(predictor, [five], tmp_path / "three", bands=[3, 2, 1])
    for bands, words in (([9], "has 5 band"),):
        with pytest.raises(DataError, match=words):
            predict(predictor, [five], tmp_path / "none", bands=bands)
    with pytest.raises(ConfigError, match="save"):
        predict(predictor, [five], tmp_path / "none", save=["label"])
    weights = tmp_path / "weights.pth"
    torch.save(predictor.model.state_dict(), weights)
    with pytest.raises(CheckpointError, match="which classes it knows"):
        Predictor(weights)
    broken = write_scene(
        tmp_path / "broken.tif",
        picture(64, 64),
        tiled=True,
        blockxsize=16,
        blockysize=16,
        compress="deflate",
    )
    content = broken.read_bytes()
    broken.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"broken\.tif: cannot be"):
        predict(predictor, [broken], tmp_path / "none")


def test_what_cannot_be_read_does_not_keep_the_others_from_it(predictor, tmp_path, capsys):
    place = tmp_path / "in"
    (place / ".checkpoints").mkdir(parents=True)
    (place / "d.png").mkdir()
    for name in ("a.png", "c.png", ".checkpoints/a.png"):
        Image.fromarray(picture(16, 16)).save(place / name)
    (place / "b.png").write_bytes(b"no picture")
    write_scene(place / "g.tif", picture(16, 16))
    (place / "f.tif").write_bytes(b"II*\0no raster")
    with pytest.raises(DatasetError, match=r"2 problems\n.*b\.png: not a readable.*\n.*f\.tif"):
        predict(predictor, [place], tmp_path / "out")
    assert "3 of 5 images are predicted" in capsys.readouterr().out
    found = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"a.png", "c.png", "g.tif"} == {name for name in found if name[0] in "abcdfg"}
    for name in ("b.png", "f.tif"):
        (place / name).unlink()
    assert len(predict(predictor, [place, place / "a.png"], tmp_path / "out")) == 3
    # What has changed since is predicted anew, and only that.
    before = {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in ("c.png", "g.tif")}
    write_scene(place / "g.tif", picture(24, 24, 1))
    predict(predictor, [place], tmp_path / "out")
    assert labels(tmp_path / "out/g.tif").shape == (24, 24)
    assert (tmp_path / "out/c.png").stat().st_mtime_ns == before["c.png"]


def test_results_do_not_become_images_nor_each_other(predictor, tmp_path):
    place = tmp_path / "in"
    place.mkdir()
    for name in ("a.png", "a.confidence.png"):
        Image.fromarray(picture(16, 16)).save(place / name)
    for out in (place, place / "out"):
        with pytest.raises(ConfigError, match="whose images are predicted: name a folder apart"):
            predict(predictor, [place], out)
    predict(predictor, [place / "a.png"], place / "out")
    with pytest.raises(ConfigError, match="lies in --out"):
        predict(predictor, [place / "out/a.png"], place / "out", overwrite=True)
    assert (place / "out/a.png").exists()
    with pytest.raises(ConfigError, match=r"would be written as a\.confidence\.png"):
        predict(predictor, [place], tmp_path / "both", save=["labels", "confidence"])
    for save in ([], ["outlines"]):
        with pytest.raises(ConfigError, match="is nothing that is written of it"):
            predict(predictor, [place], tmp_path / "none", save=save)
    with pytest.raises(ConfigError, match="batch_size must be at least 1"):
        predict(predictor, [place], tmp_path / "none", batch_size=0)


def test_a_raster_without_a_place_keeps_its_void(predictor, tmp_path):
    image = picture(16, 16)
    image[:4] = 0
    scene = write_scene(tmp_path / "a.tif", image, crs=None, transform=None, nodata=0)
    predict(predictor, [scene], tmp_path / "out")
    assert np.array_equal(labels(tmp_path / "out/a.tif") == 255, (image == 0).all(2))
    palette = write_scene(tmp_path / "b.tif", image[..., :1], photometric="palette")
    with pytest.raises(DataError, match="those of a palette"):
        predict(predictor, [palette], tmp_path / "none")


WITHOUT_ROOM = """
import resource, sys
import numpy as np
from segnoise.datasets.files.scene_writer import write_scene
from segnoise.datasets.files.scenes import Scene
values = np.random.default_rng(0).random((3, 300, 200)).astype(np.float32)
def write(name):
    write_scene(name, lambda rows: values[:, rows], Scene("a.tif"), dtype=np.float32, bands=3)
write("out.tif")
import os
size = os.stat("out.tif").st_size
for part in (size // 3, size - 100):
    resource.setrlimit(resource.RLIMIT_FSIZE, (part, size))
    try:
        write("new.tif")
    except OSError as error:
        print(error.strerror)
"""


def test_a_full_disk_leaves_no_raster_that_is_damaged(tmp_path):
    write_scene(tmp_path / "a.tif", picture(300, 200))
    command = [sys.executable, "-c", WITHOUT_ROOM]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    words = "what was written cannot be read again: is the disk full?"
    assert found.stdout.splitlines() == [words, words], found.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif", "out.tif"]
