"""A training on images of any bands: normalised by the data set's own numbers, which it keeps."""

import numpy as np
import pytest
import tiny_training
import torch
from mmengine.hooks import Hook
from PIL import Image
from torch import nn

from segnoise.datasets import FolderDataset
from segnoise.datasets.statistics import band_statistics
from segnoise.engine import checkpoint as checkpoints
from segnoise.engine.evaluate import evaluate
from segnoise.engine.model import build_model
from segnoise.engine.schema import complete
from segnoise.engine.train import train
from segnoise.errors import SegnoiseError

tifffile = pytest.importorskip("tifffile")
BANDS = [4, 3, 2, 1, 5]


def network(channels=5):
    return nn.Sequential(nn.Conv2d(channels, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 1))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Squares brighter in band 2 than what surrounds them, in reflectances of 16 bits."""
    folder, rng = tmp_path_factory.mktemp("bands"), np.random.default_rng(0)
    for name in ("images", "masks"):
        (folder / name).mkdir()
    for number in range(8):
        mask = np.zeros((40, 40), np.uint8)
        top, left = rng.integers(0, 20, 2)
        mask[top : top + 20, left : left + 20] = 1
        image = rng.normal(3000, 200, (40, 40, 5)) - 5000
        image[..., 1] += 900.0 * mask
        mask[:2] = 255
        tifffile.imwrite(
            folder / f"images/{number}.tif", image.astype(np.int16), photometric="minisblack",
            planarconfig="contig",
        )  # fmt: skip
        Image.fromarray(mask).save(folder / f"masks/{number}.png")
    return folder


def data(root):
    return {
        "type": "FolderDataset", "root": str(root), "classes": ["ground", "square"],
        "bands": BANDS, "dtype": "int16",
    }  # fmt: skip


def config(root, place, **changes):
    crop = {"type": "RandomScaleCrop", "crop_size": 64, "color_jitter": False}
    return tiny_training.config(
        place,
        **{
            "train_data": data(root),
            "val_data": data(root),
            "test_data": data(root),
            "train_transform": crop,
            "model": {"network": {"type": network}},
            "train_cfg": {"max_iters": 60, "val_interval": 30},
            "losses": [{"type": "CE"}],
            "optim_wrapper": {"optimizer": {"type": "Adam", "lr": 0.05}},
            "eval_batch_size": 1,
            **changes,
        },
    )


def test_statistics_are_those_of_the_labelled_pixels(root):
    dataset = FolderDataset(root, classes=["ground", "square"], bands=BANDS, dtype="int16")
    pixels = np.concatenate(
        [dataset[i]["image"][dataset[i]["mask"] != 255] for i in range(8)]
    ).astype(float)
    found = band_statistics(dataset)
    assert found.mean == pytest.approx(pixels.mean(0), rel=1e-9)
    assert found.std == pytest.approx(pixels.std(0), rel=1e-9)
    assert found.least == tuple(pixels.min(0))
    assert found.greatest == tuple(pixels.max(0))
    assert found.table(BANDS).splitlines()[2].startswith("| 4    |")
    assert band_statistics(dataset, most=3).samples == 3


class Stop(Hook):
    """End a training before its iteration 40."""

    priority = "VERY_HIGH"

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if batch_idx == 40:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def trained(root, tmp_path_factory):
    place = tmp_path_factory.mktemp("run")
    return place, train(complete(config(root, place)))


def test_a_training_learns_and_keeps_its_numbers(root, trained):
    place, result = trained
    assert result.last["mIoU"] > 80
    assert list((place / "run/pictures").glob("*.png"))
    stored = checkpoints.load(place / "run/best.pth")
    assert stored["meta"]["dataset"]["image"] == {
        "channels": 5, "bands": tuple(BANDS), "dtype": "int16", "image_range": None,
    }  # fmt: skip
    mean = stored["state_dict"]["data_preprocessor.mean"].flatten()
    dataset = FolderDataset(root, classes=["ground", "square"], bands=BANDS, dtype="int16")
    assert mean.tolist() == pytest.approx(band_statistics(dataset).mean, rel=1e-5)
    scores = evaluate(complete(config(root, place)), place / "run/last.pth")
    assert scores["mIoU"] == pytest.approx(result.last["mIoU"])


def test_it_resumes_with_the_numbers_of_its_checkpoint(root, trained, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(complete(config(root, tmp_path, custom_hooks=[Stop()])))
    assert train(complete(config(root, tmp_path)), resume=True).last == trained[1].last


def test_other_data_get_their_own_numbers(root, trained, tmp_path):
    fewer = {**data(root), "split": str(root / "fewer.txt")}
    (root / "fewer.txt").write_text("0\n1\n")
    begun = config(root, tmp_path, train_data=fewer, load_from=str(trained[0] / "run/best.pth"))
    train(complete({**begun, "train_cfg": {"max_iters": 2, "val_interval": 2}}))
    stored = checkpoints.load(tmp_path / "run/last.pth")["state_dict"]
    dataset = FolderDataset(**{k: v for k, v in fewer.items() if k != "type"})
    found = stored["data_preprocessor.mean"].flatten().tolist()
    assert found == pytest.approx(band_statistics(dataset).mean, rel=1e-5)


def test_networks_and_normalisation_follow_the_data(root):
    meta = FolderDataset(root, classes=["ground", "square"], bands=[1, 2], dtype="int16").metainfo
    filled = complete(config(root, root))
    smp = {"architecture": "Unet", "encoder": "resnet18", "encoder_weights": None}
    model = build_model({**filled, "model": smp}, meta)
    assert model.network.encoder.conv1.in_channels == 2
    assert model.data_preprocessor.lacks_statistics
    for normalize, values in (("image", [-1.0, 1.0]), ((-2000, 2000), [0.5, 0.75])):
        own = {**smp, "preprocessor": {"normalize": normalize}}
        model = build_model({**filled, "model": own}, meta)
        image = torch.tensor([0.0, 1000.0]).view(1, 1, 1, 2).expand(1, 2, 1, 2)
        batch = model.data_preprocessor({"image": image})["image"]
        assert batch[0, 0, 0].tolist() == pytest.approx(values)
    bytes_of_two = FolderDataset(root, classes=["ground", "square"], bands=[1, 2]).metainfo
    assert build_model({**filled, "model": smp}, bytes_of_two).data_preprocessor.lacks_statistics


def test_what_does_not_go_together_is_refused(root, tmp_path):
    def both(**change):
        return {key: {**data(root), **change} for key in ("train_data", "val_data")}

    for change, words in (
        ({"train_transform": {"type": "ResizeFlip", "color_jitter": True}}, "ColorJitter would"),
        ({"model": {"network": {"type": network, "channels": 3}}}, "these have 5"),
        ({"val_data": {**data(root), "bands": [1, 2, 3]}}, "val_data reads other images"),
        (both(dtype="uint8"), "give dtype='int16'"),
        (both(bands=[6]), "band 6 is wanted"),
        (both(image_range=(0, 1)), "give one of them"),
    ):
        with pytest.raises(SegnoiseError, match=words):
            train(complete(config(root, tmp_path) | change))
