"""Order and augmentation follow from seed, epoch and sample; batches are plain dictionaries."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from segnoise.datasets import (
    FolderDataset,
    NoisyLabels,
    RandomScaleCrop,
    TrainingStream,
    Transformed,
    collate,
)
from segnoise.errors import DataError


def equal(a, b):
    return all(np.array_equal(a[key], b[key]) for key in {*a, *b})


@pytest.fixture
def transformed(folder_root):
    noisy = NoisyLabels(
        FolderDataset(folder_root, "train"), {"type": "SymmetricFlip", "rate": 0.3}, seed=5
    )
    return Transformed(noisy, RandomScaleCrop((32, 32)), seed=1)


def test_draws_depend_on_seed_epoch_and_sample(transformed, folder_root):
    assert equal(transformed[2], transformed.draw(2, epoch=0))
    assert equal(transformed.draw(2, epoch=3), transformed.draw(2, epoch=3))
    assert not equal(transformed.draw(2, epoch=3), transformed.draw(2, epoch=4))
    other = Transformed(transformed.dataset, transformed.transform, seed=2)
    assert not equal(transformed.draw(2, epoch=0), other.draw(2, epoch=0))
    # A sample's draw does not depend on its place: validation lists it elsewhere.
    alone = folder_root / "one.txt"
    alone.write_text(transformed.sample_id(2) + "\n")
    noisy = NoisyLabels(
        FolderDataset(folder_root, "one"), {"type": "SymmetricFlip", "rate": 0.3}, seed=5
    )
    alone = Transformed(noisy, transformed.transform, seed=1)
    assert equal(alone.draw(0, epoch=0), transformed.draw(2, epoch=0))


def test_transformed_follows_the_protocol(transformed):
    assert len(transformed) == 8
    assert transformed.metainfo == transformed.dataset.metainfo
    assert transformed.sample_id(3) == transformed.dataset.sample_id(3)
    assert transformed.paths(3) == transformed.dataset.paths(3)
    assert (transformed.load_mask(3) == transformed.dataset.load_mask(3)).all()
    plain = Transformed(transformed.dataset)
    assert equal(plain[1], transformed.dataset[1])


def test_every_epoch_is_a_permutation_of_its_own(transformed):
    stream = TrainingStream(transformed, seed=7)
    assert len(stream) == 8
    assert stream.metainfo == transformed.metainfo
    orders = [stream.order(epoch) for epoch in range(6)]
    assert all(sorted(order) == list(range(8)) for order in orders)
    assert len({order.tobytes() for order in orders}) > 1
    again = TrainingStream(transformed, seed=7)
    assert (again.order(4) == orders[4]).all()  # without having seen 0..3
    assert any((TrainingStream(transformed, seed=8).order(e) != orders[e]).any() for e in range(6))


def test_a_draw_is_its_sample_at_its_epoch(transformed):
    stream = TrainingStream(transformed, seed=7)
    for draw in (0, 7, 8, 21):
        epoch, place = divmod(draw, 8)
        assert equal(stream[draw], transformed.draw(int(stream.order(epoch)[place]), epoch))
    with pytest.raises(IndexError, match="-1"):
        stream[-1]


@pytest.mark.parametrize("start", [0, 12])
def test_workers_change_nothing(transformed, start):
    """Also a run that starts in the middle: batches are those of the whole run."""
    stream = TrainingStream(transformed, seed=7)
    draws = list(range(start, 20))
    loaders = [
        DataLoader(stream, 4, sampler=draws, num_workers=n, collate_fn=collate) for n in (0, 2)
    ]
    reference = [stream[d] for d in draws]
    for loader in loaders:
        samples = [s for batch in loader for s in batch["sample_id"]]
        masks = torch.cat([batch["mask"] for batch in loader]).numpy()
        assert samples == [s["sample_id"] for s in reference]
        assert (masks == np.stack([s["mask"] for s in reference])).all()


def make(height=4, width=6, name="a", **more):
    rng = np.random.default_rng(len(name))
    image = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    mask = rng.integers(0, 9, (height, width)).astype(np.uint8)
    return {"image": image, "mask": mask, "sample_id": name, **more}


def test_collate():
    samples = [make(name="a"), make(name="bb")]
    samples[0]["image"] = samples[0]["image"][:, ::-1]  # a view, as flips give
    batch = collate(samples)
    assert set(batch) == {"image", "mask", "sample_id"}
    assert batch["image"].shape == (2, 3, 4, 6)
    assert batch["image"].dtype == batch["mask"].dtype == torch.uint8
    assert batch["image"].is_contiguous()
    for i, sample in enumerate(samples):
        assert (batch["image"][i].permute(1, 2, 0).numpy() == sample["image"]).all()
        assert (batch["mask"][i].numpy() == sample["mask"]).all()
    assert batch["sample_id"] == ["a", "bb"]


def test_collate_of_clean_masks_wide_ids_and_different_sizes():
    clean = np.ones((4, 6), np.uint8)
    assert "clean_mask" not in collate([make(clean_mask=clean), make()])
    assert (collate([make(clean_mask=clean)] * 2)["clean_mask"] == 1).all()
    batch = collate([make(mask=np.full((4, 6), 65535, np.uint16))])
    assert batch["mask"].dtype == torch.int64
    assert (batch["mask"] == 65535).all()
    with pytest.raises(DataError, match=r"a 6x4, b 7x4.*RandomScaleCrop"):
        collate([make(), make(width=7, name="b")])
