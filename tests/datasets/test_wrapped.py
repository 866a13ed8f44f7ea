"""Parts and sums of data sets, and those of other libraries: they work, or are told how to."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import ConcatDataset, Dataset, IterableDataset, Subset, random_split

import segnoise.datasets
from segnoise.datasets import (
    CorrectedBoundaries,
    FolderDataset,
    NoisyCopy,
    NoisyLabels,
    Phantoms,
    Transformed,
    Wrapped,
)
from segnoise.datasets.wrapped import labelled
from segnoise.engine.data import build_dataset
from segnoise.errors import ConfigError, DataError
from segnoise.inspection import check_dataset, contact_sheet

FLIP = {"type": "SymmetricFlip", "rate": 0.3}
MASKS = np.random.default_rng(0).integers(0, 2, (3, 4, 6)).astype(np.uint8)
MASKS[0, 0, 0] = 255
IMAGES = np.random.default_rng(1).integers(0, 256, (3, 4, 6, 3)).astype(np.uint8)


class Pairs(Dataset):
    """As torchvision's VOCSegmentation: PIL images, the mask's ids in a palette."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return Image.fromarray(IMAGES[index]), Image.fromarray(MASKS[index]).convert("P")


class Dictionaries(Pairs):
    """As torchgeo and MONAI: tensors (C, H, W) of floats under keys of their own."""

    def __getitem__(self, index):
        image = torch.from_numpy(IMAGES[index]).permute(2, 0, 1) / 255
        return {"picture": image, "label": torch.from_numpy(MASKS[index]).float()[None]}


def wrapped(kind=Pairs):
    keys = {} if kind is Pairs else {"image": "picture", "mask": "label", "image_range": (0, 1)}
    return Wrapped(kind(), ["sky", "tree"], **keys)


def test_all_data_sets_are_torch_datasets():
    public = [getattr(segnoise.datasets, name) for name in segnoise.datasets.__all__]
    kinds = [kind for kind in public if isinstance(kind, type) and hasattr(kind, "__getitem__")]
    assert {NoisyLabels, Transformed, Phantoms, Wrapped} < set(kinds)
    assert all(issubclass(kind, Dataset) for kind in [*kinds, CorrectedBoundaries])


@pytest.mark.parametrize("kind", [Pairs, Dictionaries])
def test_a_wrapped_data_set_gives_the_protocols_samples(kind):
    data = wrapped(kind)
    assert len(data) == 3
    for index in range(3):
        sample = data[index]
        assert (sample["image"] == IMAGES[index]).all()
        assert (sample["mask"] == MASKS[index]).all()
        assert sample["image"].dtype == sample["mask"].dtype == np.uint8
        assert sample["sample_id"] == data.sample_id(index) == f"00000{index}"
    assert data.metainfo["ignore_index"] == 255
    check = check_dataset(data, images=False)
    assert check.ok
    assert (check.histogram == [(k == MASKS).sum() for k in (0, 1)]).all()
    assert check.void == 1
    noisy = NoisyLabels(data, {"type": "SymmetricFlip", "rate": 1.0})
    assert (noisy[1]["mask"] == 1 - MASKS[1]).all()
    view = Transformed(noisy, lambda sample, rng: {**sample, "mask": sample["mask"][::-1]})[1]
    assert (view["mask"] == 1 - MASKS[1][::-1]).all()
    assert contact_sheet(data).ndim == 3


def test_grey_images_and_wide_ids():
    rows = [(np.full((2, 2), 7, np.uint8), np.full((2, 2, 1), 300))]
    data = Wrapped(rows, [f"c{i}" for i in range(301)], ignore_index=65535)
    assert data[0]["image"].tolist() == np.full((2, 2, 3), 7).tolist()
    assert data[0]["mask"].dtype == np.uint16
    assert data[0]["mask"].tolist() == [[300, 300]] * 2


def one(image, mask, **more):
    return Wrapped([(image, mask)], ["sky", "tree"], **more)[0]


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda: one(IMAGES[0] / 255.0, MASKS[0]), r"sample 0: image is float64, .*image_range="),
        (lambda: one(np.full((4, 6), np.inf), MASKS[0], image_range=(0, 1)), "holds NaN or inf"),
        (lambda: one(IMAGES[0], MASKS[0] + 1), "mask holds 2, neither a class .0..1. nor void"),
        (lambda: one(IMAGES[0], MASKS[0] - 0.5), "mask is float64 .* integer class ids"),
        (lambda: one(IMAGES[0], MASKS[0][:3]), "image 6x4, mask 6x3; give both one size"),
        (lambda: Wrapped([{"a": 1}], ["x"])[0], "no image at 'image': keys a; give Wrapped image="),
        (lambda: Wrapped([IMAGES[0][:1]], ["x"])[0], "no mask at 1"),
    ],
)
def test_what_does_not_fit_is_named(read, message):
    with pytest.raises(DataError, match=message):
        read()


class Stream(IterableDataset):
    def __iter__(self):
        return iter(())


USES = {
    "NoisyLabels": lambda data: NoisyLabels(data, FLIP),
    "NoisyCopy": lambda data: NoisyCopy(data, "nowhere"),
    "Transformed": lambda data: Transformed(data)[0],
    "check_dataset": check_dataset,
    "contact_sheet": contact_sheet,
    "config": lambda data: build_dataset(
        {"train_data": {"type": lambda: data}, "data_root": None}, "train_data"
    ),
}


@pytest.mark.parametrize("use", USES)
def test_foreign_data_sets_are_shown_how_to_wrap(use):
    for data in [Pairs(), Dictionaries(), Subset(Pairs(), [0]), ConcatDataset([Pairs(), Pairs()])]:
        with pytest.raises(ConfigError, match=r"is no labelled data set, it ") as error:
            USES[use](data)
        name = "ConcatDataset" if isinstance(data, ConcatDataset) else "Pairs|Dictionaries"
        assert error.match(rf"return Wrapped\(({name})\(\.\.\.\), classes=")


def test_the_three_lines_work():
    def my_data(root, split):
        return Wrapped(Pairs(), classes=["background", "tree"])

    node = {"type": my_data, "root": "x", "split": "train"}
    data = build_dataset({"train_data": node, "data_root": None}, "train_data")
    assert (NoisyLabels(data, FLIP)[1]["clean_mask"] == MASKS[1]).all()
    with pytest.raises(ConfigError, match="no __len__: only data sets by index"):
        Wrapped(Stream(), ["sky"])


def test_parts_and_sums_keep_names_labels_and_noise(folder_root):
    train, val = (FolderDataset(folder_root, split) for split in ("train", "val"))
    noisy = NoisyLabels(train, FLIP, seed=1)
    part, rest = random_split(train, [5, 3], torch.Generator().manual_seed(0))
    one, other = NoisyLabels(part, FLIP, seed=1), NoisyLabels(rest, FLIP, seed=1)
    for some, indices in ((one, part.indices), (other, rest.indices)):
        assert [s["sample_id"] for s in some] == [train.sample_id(i) for i in indices]
        assert all(
            (s["mask"] == noisy[i]["mask"]).all() for s, i in zip(some, indices, strict=True)
        )
    whole = ConcatDataset([Subset(train, [1, 0]), val])
    both = Transformed(whole)
    ids = [train.sample_id(1), train.sample_id(0), *(val.sample_id(i) for i in range(4))]
    assert [both.sample_id(i) for i in range(6)] == ids
    assert both.paths(2) == val.paths(0)
    assert (both.load_mask(0) == train.load_mask(1)).all()
    assert both.metainfo == train.metainfo
    total = check_dataset(train).histogram + check_dataset(val).histogram
    assert (check_dataset(train + val).histogram == total).all()
    image = {"type": "FeatureDependent", "rate": 0.2}
    assert NoisyLabels(whole, image)[2]["mask"].shape == (48, 64)
    # of noisy parts the clean labels are known
    assert check_dataset(Subset(noisy, [0, 1])).noise.valid == 2 * 48 * 64


def test_sums_that_cannot_be(tmp_path):
    one, other = (Phantoms(tmp_path / str(n), num_images=2, size=32, seed=n) for n in (0, 1))
    with pytest.raises(ConfigError, match=r"two samples of .* are called 'train_0000'"):
        NoisyLabels(one + other, FLIP)
    twice = NoisyLabels(one + one, FLIP)  # the same samples: each keeps its labels
    assert (twice[0]["mask"] == twice[2]["mask"]).all()
    sky = Wrapped(Pairs(), ["sky", "tree"])
    with pytest.raises(ConfigError, match="has other classes than"):
        Transformed(sky + one)


class Texts(Dataset):
    """What the protocol requires and no more; paths() gives strings."""

    def __init__(self, root):
        self.metainfo = {"classes": ("a", "b"), "palette": [(0, 0, 0)] * 2, "ignore_index": 255}
        self.root = root

    def __len__(self):
        return 1

    def sample_id(self, index):
        return "s"

    def paths(self, index):
        return f"{self.root}/s.jpg", f"{self.root}/s.png"

    def load_mask(self, index):
        return MASKS[0]

    def __getitem__(self, index):
        return {"image": IMAGES[0], "mask": MASKS[0], "sample_id": "s"}


def test_paths_may_be_strings(tmp_path):
    from segnoise.engine.data import fingerprint

    data = pickle.loads(pickle.dumps(labelled(Texts(tmp_path))))
    assert data.noise is data.fingerprint is data.load_masks is data.load_image is None
    Image.fromarray(IMAGES[0]).save(tmp_path / "s.jpg")
    expected = (tmp_path / "s.jpg", tmp_path / "s.png")
    wraps = [
        NoisyLabels(data, FLIP),
        Transformed(data),
        CorrectedBoundaries(data, None, [[0] * 2] * 2),
    ]
    for wrap in wraps:
        assert wrap.paths(0) == expected
    for images in (True, False):
        assert check_dataset(data, images=images).ok
        assert check_dataset(wraps[0], images=images).noise.valid == 23
    config = {key: None for key in ("train_data", "val_data", "noise", "noise_seed")}
    assert len(fingerprint(config, data)) == 64

    def refuse(mask, rng):
        raise ValueError("no")

    with pytest.raises(DataError, match=r"s\.png: .* cannot corrupt it: no"):
        NoisyLabels(data, refuse)[0]
