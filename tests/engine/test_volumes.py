"""Volumes from training to prediction: what is written lies in the patient as the input does."""

import numpy as np
import pytest
import tiny_training
import torch

from segnoise.datasets import VolumeDataset
from segnoise.datasets.files.volumes import Volume, check_grids
from segnoise.engine.evaluate import case_table, evaluate
from segnoise.engine.predict import find_inputs, predict
from segnoise.engine.predictor import Predictor
from segnoise.engine.schema import complete
from segnoise.engine.train import train
from segnoise.errors import ConfigError
from segnoise.metrics.volumes import volume_scores
from segnoise.models.windows import Windows

nibabel = pytest.importorskip("nibabel")
pytest.importorskip("pydicom")
from volume_files import nifti, series  # noqa: E402

LAS = np.array([[-1, 0, 0, 30], [0, 1, 0, -4], [0, 0, 2, 5], [0, 0, 0, 1.0]])


def body(seed, shape=(24, 20, 6)):
    """A bright box in noise, (i, j, k), and its labels."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, np.uint8)
    low = [int(rng.integers(0, side // 2)) for side in shape]
    labels[tuple(slice(a, a + side // 2) for a, side in zip(low, shape, strict=True))] = 1
    return rng.normal(0, 40, shape) + 300.0 * labels - 100, labels


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("volumes")
    for number in range(4):
        image, labels = body(number, (24, 20, 5 + number % 2))
        nifti(folder / f"images/c{number}.nii.gz", image.astype(np.float32), LAS)
        nifti(folder / f"labels/c{number}.nii.gz", labels, LAS)
    return folder


@pytest.fixture(scope="module")
def run(root, tmp_path_factory):
    place = tmp_path_factory.mktemp("run")
    data = {
        "type": "VolumeDataset", "root": str(root), "classes": ["rest", "box"], "context": 1,
        "intensity": [-200, 300],
    }  # fmt: skip
    crop = {"type": "RandomScaleCrop", "crop_size": 32, "color_jitter": False}
    config = tiny_training.config(
        place,
        train_data=data,
        val_data=data,
        test_data=data,
        train_transform=crop,
        model={"network": {"type": tiny_training.network, "classes": 2}},
        train_cfg={"max_iters": 60, "val_interval": 60},
        losses=[{"type": "CE"}],
        optim_wrapper={"optimizer": {"type": "Adam", "lr": 0.05}},
        noise={"type": "RegionSwap", "rate": 0.1},
        eval_batch_size=1,
    )
    train(complete(config))
    return place, config


@pytest.fixture(scope="module")
def predictor(run):
    return Predictor(run[0] / "run/last.pth", device="cpu", allow_imports=["tiny_training"])


def test_a_prediction_lies_on_its_volume(root, run, predictor, tmp_path):
    files = predict(
        predictor,
        [root / "images"],
        tmp_path,
        batch_size=4,
        save=["labels", "confidence", "scores"],
    )
    assert len(files) == 12
    data = VolumeDataset(
        root, **{k: v for k, v in run[1]["test_data"].items() if k not in ("type", "root")}
    )
    for number in range(4):
        source = nibabel.load(root / f"images/c{number}.nii.gz")
        found = nibabel.load(tmp_path / f"c{number}.nii.gz")
        assert found.get_data_dtype() == np.uint8
        assert np.array_equal(found.affine, source.affine)
        assert found.shape == source.shape
        assert set(np.unique(found.dataobj)) == {0, 1}
        truth = np.asarray(nibabel.load(root / f"labels/c{number}.nii.gz").dataobj)
        assert (np.asarray(found.dataobj) == truth).mean() > 0.95
    # Each slice is what the network says of the data set's sample.
    labels = Volume(tmp_path / "c0.nii.gz").read()
    confidence = Volume(tmp_path / "c0.confidence.nii.gz").read()
    scores = nibabel.load(tmp_path / "c0.scores.nii.gz")
    assert scores.shape == (24, 20, 5, 2)
    assert np.abs(np.asarray(scores.dataobj).sum(3) - 1).max() < 2e-3
    for number in range(5):
        image = torch.from_numpy(data[number]["image"].transpose(2, 0, 1))
        expected = predictor.of_batch(image[None])[0]
        assert np.array_equal(labels[number], expected.argmax(0))
        assert np.allclose(confidence[number], expected.amax(0), atol=1e-5)


def test_a_series_becomes_nifti_in_its_place(predictor, tmp_path):
    image, labels = body(9)
    stored = (image.transpose(2, 1, 0) + 1024).astype(np.uint16)
    folder = series(tmp_path / "in/scan", stored)
    whole = predict(predictor, [folder], tmp_path / "a")
    below = predict(predictor, [tmp_path / "in"], tmp_path / "b", windows=Windows(16, 8))
    assert whole == [tmp_path / "a/scan.nii.gz"]
    assert below == [tmp_path / "b/scan.nii.gz"]
    for (file,) in (whole, below):
        check_grids(Volume(folder), Volume(file))
        assert (Volume(file).read() == labels.transpose(2, 1, 0)).mean() > 0.93
    assert [job.name for job in find_inputs([folder])] == ["scan"]


def test_cases_are_scored_in_three_dimensions(root, run, predictor, tmp_path):
    scores = evaluate(complete(run[1]), run[0] / "run/last.pth", tolerance=2.5)
    predict(predictor, [root / "images"], tmp_path)
    by_case = scores["by_case"]
    assert by_case["surface_tolerance_mm"] == 2.5
    assert sorted(by_case["cases"]) == ["c0", "c1", "c2", "c3"]
    dice = []
    for case, found in by_case["cases"].items():
        pair = [Volume(folder / f"{case}.nii.gz").read() for folder in (tmp_path, root / "labels")]
        expected = volume_scores(*pair, 2, (2, 1, 1), 2.5)[1]
        assert found["box"] == {key: pytest.approx(100 * v) for key, v in expected.items()}
        dice.append(found["box"]["Dice"])
    assert by_case["mean"]["box"]["Dice"] == pytest.approx(np.mean(dice))
    assert scores["classes"]["box"]["Dice"] > 50  # the pooled one stays
    assert "| box " in case_table(by_case)


def test_other_kinds_of_images_are_refused(root, predictor, tmp_path):
    from PIL import Image

    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    with pytest.raises(ConfigError, match=r"a.png: is a picture, and the network reads volumes"):
        predict(predictor, [tmp_path / "a.png"], tmp_path / "out")
