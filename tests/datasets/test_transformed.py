"""In a plain DataLoader a Transformed gives new views in every epoch, by its seed alone."""

import copy
import pickle

import albumentations as A
import numpy as np
import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset, WeightedRandomSampler

from segnoise.datasets import Augment, MaskNoise, Transformed, collate
from segnoise.errors import ConfigError
from segnoise.noise import SymmetricFlip

SAMPLES = 6


class Numbers(Dataset):
    """Sample i has i + 1 in all pixels."""

    def __init__(self):
        self.metainfo = {"classes": tuple("abcdefg"), "palette": [(0, 0, 0)] * 7}

    def __len__(self):
        return SAMPLES

    def __getitem__(self, index):
        if not -SAMPLES <= index < SAMPLES:
            raise IndexError(index)
        image = np.full((1, 8, 3), index % SAMPLES + 1, np.uint8)
        return {"image": image, "mask": image[..., 0].copy(), "sample_id": str(index % SAMPLES)}


def draw(sample, rng):
    """Write what the generator gives beside the sample's number."""
    mask = sample["mask"].copy()
    mask[0, 1:] = rng.integers(0, 256, 7)
    return {**sample, "mask": mask}


def from_global_generators(sample):
    mask = sample["mask"].copy()
    mask[0, 1:4] = np.random.randint(0, 256, 3)
    mask[0, 4:] = torch.randint(0, 256, (4,)).numpy()
    return {**sample, "mask": mask}


def epoch(loader):
    """A sample's mask as it was drawn, by the sample's number."""
    found = {}
    for batch in loader:
        for name, mask in zip(batch["sample_id"], batch["mask"], strict=True):
            found.setdefault(name, []).append(mask.numpy().tobytes())
    return found


def loader(data, workers=0, persistent=False, context=None, **options):
    options = {"shuffle": True, **options}
    return DataLoader(
        data, 2, num_workers=workers, persistent_workers=persistent,
        multiprocessing_context=context, collate_fn=collate, **options,
    )  # fmt: skip


def three_epochs(make, *args, **options):
    torch.manual_seed(3)
    batches = loader(make(), *args, **options)
    return [epoch(batches) for _ in range(3)]


def expected(epochs, seed=0):
    data = Transformed(Numbers(), draw, seed)
    views = [[data.draw(i, e)["mask"].tobytes() for i in range(SAMPLES)] for e in epochs]
    return [{str(i): [view] for i, view in enumerate(row)} for row in views]


@pytest.mark.parametrize(
    ("workers", "persistent", "context"),
    [
        (0, False, None),
        (2, False, "fork"),
        (2, True, "fork"),
        pytest.param(1, True, "spawn", marks=pytest.mark.slow),
    ],
)
def test_every_epoch_sees_the_view_of_its_number(workers, persistent, context):
    """Whatever the workers: what the training of the tools draws in that epoch."""
    found = three_epochs(lambda: Transformed(Numbers(), draw), workers, persistent, context)
    assert found == expected(range(3))
    assert len({view for views in found for (view,) in views.values()}) == 3 * SAMPLES
    assert found != expected(range(3), seed=1)


@pytest.mark.parametrize("persistent", [False, True])
def test_a_training_that_resumes_sets_the_epoch(persistent):
    data = Transformed(Numbers(), draw)
    batches = loader(data, 2, persistent)
    assert epoch(batches) == expected([0])[0]
    data.set_epoch(7)  # in workers that run, too
    assert [epoch(batches), epoch(batches)] == expected([7, 8])
    data.set_epoch(7)
    assert epoch(batches) == expected([7])[0]
    with pytest.raises(ValueError, match="epoch must be at least 0, not -1"):
        data.set_epoch(-1)


def test_epochs_that_end_early_are_right_with_set_epoch():
    data = Transformed(Numbers(), draw)
    batches = loader(data, 2)
    for number in range(3):
        data.set_epoch(number)
        first = next(iter(batches))
        views = expected([number])[0]
        names = first["sample_id"]
        assert [m.numpy().tobytes() for m in first["mask"]] == [views[n][0] for n in names]


def test_a_sample_drawn_twice_in_an_epoch_has_two_views():
    sampler = WeightedRandomSampler([1.0] + [0.0] * (SAMPLES - 1), 8)
    found = epoch(loader(Transformed(Numbers(), draw), 1, sampler=sampler, shuffle=None))
    assert len(set(found["0"])) == 8


@pytest.mark.parametrize("workers", [0, 2])
def test_parts_and_sums_of_it_see_new_views(workers):
    """Of a Subset and a ConcatDataset, and of a copy, whose count is its own."""
    part = lambda: Subset(Transformed(Numbers(), draw), range(SAMPLES))  # noqa: E731
    assert three_epochs(part, workers) == expected(range(3))
    whole = lambda: ConcatDataset([Transformed(Numbers(), draw)])  # noqa: E731
    assert three_epochs(whole, workers) == expected(range(3))
    data = Transformed(Numbers(), draw)
    for copied in (copy.deepcopy(data), pickle.loads(pickle.dumps(data))):
        assert three_epochs(lambda copied=copied: copied, workers) == expected(range(3))
    assert int(data._next.sum()) == 0


@pytest.mark.parametrize("workers", [0, 2])
def test_a_function_of_the_sample_alone_follows_the_seed_too(workers):
    found = three_epochs(lambda: Transformed(Numbers(), from_global_generators), workers)
    data = Transformed(Numbers(), from_global_generators)
    torch.manual_seed(5)
    np.random.seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    views = [[data.draw(i, e)["mask"].tobytes() for i in range(SAMPLES)] for e in range(3)]
    assert found == [{str(i): [view] for i, view in enumerate(row)} for row in views]
    assert len({view for row in views for view in row}) == 3 * SAMPLES
    assert (torch.get_rng_state() == before[0]).all()
    assert np.random.get_state()[1].tolist() == before[1]


def test_albumentations_works_as_it_is():
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    sample = {"image": image, "mask": image[..., 0].copy(), "sample_id": "a"}
    given = A.Compose([A.RandomCrop(4, 4), A.HorizontalFlip()])
    data = Transformed([sample], given, seed=2)
    drawn = [data[0] for _ in range(4)]
    assert len({d["mask"].tobytes() for d in drawn}) == 4
    for number, view in enumerate(drawn):
        same = Transformed([sample], Augment([given]), seed=2).draw(0, number)
        assert (view["image"] == same["image"]).all()
        assert (view["mask"] == view["image"][..., 0]).all()


def test_processes_that_train_together_draw_apart(monkeypatch):
    """Else a sample that another process drew before would show it the same view again."""
    data = Transformed(Numbers(), draw)
    alone = data.draw(0, 0)["mask"].tobytes()
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    second = pickle.loads(pickle.dumps(data))
    assert (here := data[0]["mask"].tobytes()) != alone
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: False)
    assert second[0]["mask"].tobytes() == here  # as a spawned worker of that process


class TakesThree:
    def __call__(self, image, mask, rng):
        raise AssertionError


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (TakesThree(), r"takes \(image, mask, rng\): it must be a function of \(sample, rng\)"),
        (lambda: None, r"takes \(\): it must be"),
        (lambda image, mask: (image, mask), "an image and its mask apart: write a function of"),
        (7, r"transform=7 is no function of \(sample, rng\)"),
        (__import__("torchvision").transforms.RandomHorizontalFlip(), "leaves a sample's NumPy"),
    ],
)
def test_other_transforms_are_refused(transform, message):
    with pytest.raises(ConfigError, match=message):
        Transformed(Numbers(), transform)


class Noisy(Dataset):
    """Somebody's own data set around a pipeline of albumentations."""

    def __init__(self, augment=None):
        noise = MaskNoise(SymmetricFlip(0.5, 2))
        self.pipeline = A.Compose([noise], seed=0)
        self.augment = augment and Augment([noise])

    def __len__(self):
        return 4

    def __getitem__(self, index):
        image, mask = np.zeros((4, 16, 3), np.uint8), np.zeros((4, 16), np.uint8)
        if self.augment:
            given = {"image": image, "mask": mask, "sample_id": ""}
            return self.augment(given, np.random.default_rng(index))["mask"]
        return self.pipeline(image=image, mask=mask)["mask"]


@pytest.mark.parametrize("persistent", [False, True])
def test_mask_noise_is_redrawn_in_workers_that_are_forked_anew(persistent):
    def epochs():
        torch.manual_seed(0)
        batches = DataLoader(Noisy(), 2, num_workers=2, persistent_workers=persistent)
        return [mask.numpy().tobytes() for _ in range(3) for b in batches for mask in b]

    found = epochs()
    assert len(set(found)) == 12
    assert epochs() == found


def test_mask_noise_in_an_augment_does_not_depend_on_the_worker():
    masks = [torch.cat(list(DataLoader(Noisy(True), 2, num_workers=n))) for n in (0, 1, 2)]
    assert (masks[0] == masks[1]).all()
    assert (masks[0] == masks[2]).all()
