"""What data sets, transforms and networks may return is checked before a training begins."""

import random

import albumentations as A
import numpy as np
import pytest
import segmentation_models_pytorch as smp
import tiny_training
import torch
from tiny_training import run
from torch import nn

from segnoise.datasets import Phantoms
from segnoise.engine import checkpoint
from segnoise.engine import train as training
from segnoise.engine.data import build_dataset, training_stream
from segnoise.engine.dry_run import dry_run
from segnoise.engine.evaluate import evaluate
from segnoise.engine.schema import complete
from segnoise.errors import ConfigError, DataError, TrainingError
from segnoise.models import Segmentor


class GlobalNoise:
    """A transform of somebody who draws from every global generator."""

    def __call__(self, sample):
        noise = random.random() + np.random.rand() + float(torch.rand(()))
        return {**sample, "image": (sample["image"] // 2 + int(20 * noise)).astype(np.uint8)}


METHODS = [
    {"type": "MeanTeacher", "start": 0.0},
    {"type": "Abstention", "noise_rate": 0.2, "warm_up": 1},
]


class WideNetwork(nn.Sequential):
    """With batch norm, dropout, and one output more, for Abstention."""

    def __init__(self):
        super().__init__(*tiny_training.network()[:-1], nn.Conv2d(8, 6, 1))


def test_a_run_is_the_same_to_the_digit_without_it(tmp_path, monkeypatch):
    states, logs = [], []
    for name in ("with", "without"):
        if name == "without":
            monkeypatch.setattr(training, "dry_run", lambda *_: "none")
        result = run(
            tmp_path / name,
            train_transform={"type": GlobalNoise},
            losses=[{"type": "ELR"}],
            methods=METHODS[:1],
        )
        states.append(checkpoint.load(result.folder / "last.pth"))
        logs.append((result.folder / "train.log").read_text())
    for part in ("state_dict", "optimizer"):
        one, other = (state[part] for state in states)
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert "dry run of a training step and a validation batch: " in logs[0]
    assert "dry run" not in logs[1]


def test_it_puts_the_global_generators_back(monkeypatch, tmp_path):
    tried = []

    def watched(*arguments):
        before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
        text = dry_run(*arguments)
        after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
        tried.append(before[:2] == after[:2] and before[2].equal(after[2]))
        return text

    monkeypatch.setattr(training, "dry_run", watched)
    monkeypatch.setattr(Phantoms, "__getitem__", draws_from_all(Phantoms.__getitem__))
    run(tmp_path, train_cfg={"max_iters": 1, "val_interval": 1})
    assert tried == [True]


def draws_from_all(read):
    def reading(self, index):
        random.random(), np.random.rand(), torch.rand(())
        return read(self, index)

    return reading


def test_methods_with_outputs_of_their_own_pass_it(tmp_path):
    changes = {"model": {"network": {"type": WideNetwork}}, "methods": METHODS[1:]}
    assert run(tmp_path, losses=[{"type": "CE"}], **changes).last["iter"] == 8


CHANGES = {
    "renames": lambda s: {"image": s["image"], "label": s["mask"], "sample_id": s["sample_id"]},
    "drops": lambda s: {key: s[key] for key in ("image", "mask", "sample_id")},
    "float mask": lambda s: {**s, "mask": s["mask"] / 2},
    "grey": lambda s: {**s, "image": s["image"][..., 0]},
    "sizes": lambda s: {**s, "image": s["image"][:16]},
    "ids": lambda s: {**s, "mask": s["mask"] + 1},
    "fails": lambda s: s["no such key"],
    "floats": lambda s: {**s, "image": s["image"] / 255.0},
}


class Changed:
    def __init__(self, how):
        self.how = how

    def __call__(self, sample, rng):
        return CHANGES[self.how](sample)


def augment(*steps):
    return {"train_transform": {"type": "Augment", "transforms": list(steps)}}


TRANSFORMS = {
    "ToFloat": (augment(A.ToFloat()), r"image of float32, it was uint8; leave Normalize and To"),
    "Normalize": (augment(A.Normalize()), r"image of float32, it was uint8; leave Normalize and"),
    "ToTensorV2": (augment(A.ToTensorV2()), r"image is a Tensor .*; leave ToTensorV2 .* out"),
    "renames": ({}, r"has no mask, but image, label, sample_id; return"),
    "drops": (
        {"noise": {"type": "SymmetricFlip", "rate": 0.4}},
        r"comes back without clean_mask; return",
    ),
    "float mask": ({}, r"mask is float64; labels are whole"),
    "grey": ({}, r"shape \(32, 32\); return .*\(H, W, C\)"),
    "sizes": ({}, r"mask is 32x32, image 32x16; transform"),
    "ids": ({}, r"mask holds 5, neither a class \(0..4\) nor"),
    "fails": ({}, r"KeyError: .*test_dry_run\.py:\d+"),
}


@pytest.mark.parametrize("case", TRANSFORMS)
def test_what_a_transform_may_not_return(tmp_path, case):
    changes, message = TRANSFORMS[case]
    if case in CHANGES:
        changes = {"train_transform": {"type": Changed, "how": case}, **changes}
    with pytest.raises(ConfigError, match=rf"^train_transform: .*{message}"):
        run(tmp_path, **changes)
    assert not list((tmp_path / "run").glob("*.pth"))


class ChangedPhantoms(Phantoms):
    def __init__(self, how, **options):
        super().__init__(size=32, num_images=6, **options)
        self.how = how

    def __getitem__(self, index):
        return CHANGES[self.how](super().__getitem__(index))


DATA = {
    "floats": r"image is float64; return it as uint8",
    "renames": r"has no mask, but image, label, sample_id; return dict\(image=, mask=",
    "ids": r"mask holds 5, neither .*; give the data set all classes",
    "sizes": r"mask is 32x32, image 32x16; give both one size",
    "fails": r"KeyError: .*test_dry_run\.py:\d+",
}


@pytest.mark.parametrize("how", DATA)
@pytest.mark.parametrize("key", ["train_data", "val_data"])
def test_what_a_data_set_may_not_return(tmp_path, key, how):
    data = {"type": ChangedPhantoms, "how": how, "split": key.removesuffix("_data")}
    with pytest.raises(ConfigError, match=rf"^{key}: .*{DATA[how]}"):
        run(tmp_path, check_data="masks", **{key: data})


ANSWERS = {
    "logits": lambda y: y,
    "sigmoid": torch.sigmoid,
    "softmax": lambda y: y.softmax(1)[:, :],
    "dict": lambda y: {"out": y},
    "small": lambda y: y[..., ::4, ::4],
    "flat": lambda y: y.flatten(2),
    "fails": lambda y: y @ y[0, 0, :3],
}


class Answers(nn.Module):
    def __init__(self, how="logits", channels=5, bands=3):
        super().__init__()
        self.conv, self.how = nn.Conv2d(bands, channels, 1), how

    def forward(self, image):
        return ANSWERS[self.how](self.conv(image))


class OneSize(Answers):
    def forward(self, image):
        height = image.shape[2]
        assert height == 24, f"Input height ({height}) doesn't match model (24)."
        return super().forward(image)


class Pooled(Answers):
    """As PSPNet and DeepLabV3: a branch sees the mean of the image alone."""

    def __init__(self):
        super().__init__()
        self.branch = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(5))

    def forward(self, image):
        logits = super().forward(image)
        return logits + self.branch(logits)


def smp_network(architecture, **options):
    return getattr(smp, architecture)("resnet18", encoder_weights=None, classes=5, **options)


def answers(**arguments):
    return {"type": Answers, **arguments}


UNET = {"type": smp_network, "architecture": "Unet"}
NETWORKS = {
    "more outputs": (answers(channels=7), r"has 7 outputs, but 5 classes: give"),
    "fewer outputs": (answers(channels=4), r"has 4 outputs, but 5 classes: give"),
    "sigmoid": (answers(how="sigmoid"), r"ends in a sigmoid, .* once more; leave it out"),
    "softmax": (answers(how="softmax"), r"ends in a softmax"),
    "smp": ({**UNET, "activation": "sigmoid"}, r"ends in a sigmoid"),
    "two": ({**UNET, "aux_params": {"classes": 2}}, r"returns a tuple of 2 .* aux_params"),
    "dict": (answers(how="dict"), r"a dict \(out\) .* returns \['out'\]"),
    "small": (answers(how="small"), r"scores of 8x8 for images of 32x32; let"),
    "flat": (answers(how="flat"), r"shape \(2, 5, 1024\) .* \(2, 5, 32, 32\)"),
    "bands": (answers(bands=4), r"takes images of 4 channels, and these have 3"),
    "one size": ({"type": OneSize}, r"of 24 pixels a side, .* 32x32; crop or resize"),
    "fails": (answers(how="fails"), r"step fails .*RuntimeError: .*:\d+\)"),
}


@pytest.mark.parametrize("case", NETWORKS)
def test_what_a_network_may_not_return(tmp_path, case):
    network, message = NETWORKS[case]
    with pytest.raises(ConfigError, match=message) as error:
        run(tmp_path, model={"network": network})
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run" / "last.pth").exists()


def test_a_batch_of_one_before_batch_norm(tmp_path):
    model = {"network": {"type": Pooled}}
    with pytest.raises(ConfigError, match=r"one value a channel, of a batch of 1 .*batch_size=2"):
        run(tmp_path, model=model, batch_size=1)
    few = {"train_cfg": {"max_iters": 1, "val_interval": 1}}
    assert run(tmp_path, model=model, batch_size=2, **few).last["iter"] == 1


def test_the_remedy_for_networks_of_one_size_works(tmp_path):
    resize = {"type": "ResizeFlip", "size": (24, 24)}
    remedy = {"train_transform": resize, "inference": {"size": (24, 24)}}
    model = {"network": {"type": OneSize}, "preprocessor": {"size_divisor": 8}}
    assert run(tmp_path, model=model, **remedy).last["iter"] == 8


def test_a_network_that_takes_no_validation_image(tmp_path):
    data = {"type": "Phantoms", "size": 40, "num_images": 2, "split": "val"}
    with pytest.raises(ConfigError, match=r"^val_data: the network takes images of 24 pixels"):
        run(
            tmp_path,
            model={"network": {"type": OneSize}, "preprocessor": {"size_divisor": 8}},
            train_transform={"type": "ResizeFlip", "size": (24, 24)},
            val_data=data,
        )


class NoMemory(Answers):
    def forward(self, image):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")


class Detached(nn.Module):
    """A loss without a graph."""

    def __init__(self, ignore_index):
        super().__init__()

    def forward(self, y_pred, y_true):
        return y_pred.detach().mean()


def test_a_loss_that_does_not_lead_to_the_weights(tmp_path):
    with pytest.raises(ConfigError, match="no loss leads back to the network's weights"):
        run(tmp_path, losses=[{"type": Detached}])


def rolled(sample, rng, columns=1):
    """A transform that is a function."""
    return {**sample, "mask": np.roll(sample["mask"], columns, axis=1)}


def made(columns):
    """A function that makes one."""
    return lambda sample: rolled(sample, None, columns)


class Rootless(Phantoms):
    """A data set that lies nowhere, and is no matter of data_root."""

    def __init__(self, split):
        super().__init__(split=split, num_images=2, size=32)


def test_functions_are_transforms_or_make_them_and_data_sets_need_no_root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = complete(
        {**tiny_training.config(tmp_path), "train_data": {"type": Rootless, "split": "train"}}
    )
    clean = build_dataset(config, "train_data")
    expected = np.roll(clean[0]["mask"], 3, axis=1)
    for kind in (rolled, made):
        config["train_transform"] = {"type": kind, "columns": 3}
        stream = training_stream(clean, config)
        place = stream.order(0).tolist().index(0)
        np.testing.assert_array_equal(stream[place]["mask"], expected)


def test_memory_that_is_full_keeps_its_type(tmp_path):
    """The tools say what to set, in one form of words."""
    with pytest.raises(torch.OutOfMemoryError):
        run(tmp_path, model={"network": {"type": NoMemory}})


@pytest.mark.parametrize("option", [{"activation": "sigmoid"}, {"aux_params": {"classes": 2}}])
def test_options_that_change_what_a_network_returns(option):
    with pytest.raises(ConfigError, match=rf"model.options.{next(iter(option))}=.*; leave it out$"):
        Segmentor(3, encoder="resnet18", encoder_weights=None, options=option)


def test_one_class_and_void():
    with pytest.raises(ConfigError, match=r"1 class and void .* classes=\['background', 'crack'\]"):
        Segmentor(1, network=nn.Conv2d(3, 1, 1))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.full((1, 3, 8, 8), float("inf")), "hold NaN or inf"),
        (torch.rand(1, 3, 8, 8), r"lie in .*, mean and std in 0..255"),
        (torch.randn(1, 3, 8, 8), r"lie in -.*mean and std in 0..255"),
        (torch.zeros(1, 4, 8, 8), "have 4 channels, mean and std 3; give model.preprocessor"),
    ],
)
def test_batches_of_other_loops(image, message):
    model = Segmentor(3, network=nn.Conv2d(3, 3, 1))
    with pytest.raises(DataError, match=message):
        model.data_preprocessor({"image": image}, training=True)
    scaled = Segmentor(
        3, network=nn.Conv2d(3, 3, 1), preprocessor={"mean": [0.5] * 3, "std": [1] * 3}
    )
    unit = torch.rand(1, 3, 32, 32)
    assert (scaled.data_preprocessor({"image": unit})["image"] == unit - 0.5).all()


def test_scores_that_are_nan_are_no_prediction(tmp_path):
    result = run(tmp_path)
    path = result.folder / "last.pth"
    stored = checkpoint.load(path)
    stored["state_dict"]["network.4.weight"][1] = 3e38  # finite, and its products are not
    checkpoint.save(stored, tmp_path / "broken.pth")
    config = complete(tiny_training.config(tmp_path))
    assert evaluate(config, path)["samples"] == 6
    with pytest.raises(TrainingError, match=r"scores are not finite for 'test_0000', 'test_0001'"):
        evaluate(config, tmp_path / "broken.pth")


class OfParts(Segmentor):
    """Calls what its network is made of, and never the network itself."""

    def _outputs(self, image):
        for part in self.network:
            image = part(image)
        return image


def test_a_segmentor_that_calls_its_networks_parts_trains(tmp_path):
    model = {"type": OfParts, "network": {"type": tiny_training.network}}
    assert run(tmp_path, model=model).last["iter"] == 8
