"""The preprocessor against plain arithmetic."""

import pytest
import torch

from segnoise.models import Preprocessor


def batch(height, width):
    generator = torch.Generator().manual_seed(0)
    return {
        "image": torch.randint(
            0, 256, (2, 3, height, width), dtype=torch.uint8, generator=generator
        ),
        "mask": torch.randint(0, 5, (2, height, width), dtype=torch.uint8, generator=generator),
        "sample_id": ["a", "b"],
    }


def test_normalises_each_channel():
    data = batch(32, 32)
    image = Preprocessor(mean=(1, 2, 3), std=(2, 4, 8))(data, training=True)["image"]
    for channel, (mean, std) in enumerate([(1, 2), (2, 4), (3, 8)]):
        expected = (data["image"][:, channel].float() - mean) / std
        torch.testing.assert_close(image[:, channel], expected)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_the_callers_batch_stays_as_it_is(dtype):
    data = batch(30, 30)
    data["image"] = data["image"].to(dtype)
    before = {k: v.clone() for k, v in data.items() if torch.is_tensor(v)}
    Preprocessor()(data, training=True)
    assert all(torch.equal(data[k], v) for k, v in before.items())


def test_training_pads_with_void_and_evaluation_does_not():
    data = batch(30, 33)
    out = Preprocessor(ignore_index=254)(data, training=True)
    assert out["image"].shape == (2, 3, 32, 64)
    assert torch.equal(out["mask"][:, :30, :33], data["mask"])
    assert (out["mask"][:, 30:] == 254).all()
    assert (out["mask"][:, :, 33:] == 254).all()
    assert (out["image"][:, :, :, 33:] == 0).all()
    assert Preprocessor()(data, training=False)["image"].shape == (2, 3, 30, 33)


def test_channels_last_layout():
    image = Preprocessor(channels_last=True)(batch(32, 32))["image"]
    assert image.is_contiguous(memory_format=torch.channels_last)


def test_the_preprocessor_adds_nothing_to_checkpoints():
    assert Preprocessor().state_dict() == {}


@pytest.mark.parametrize("arguments", [{"mean": (1, 2)}, {"std": (1, 0, 1)}, {"size_divisor": 0}])
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match=r"mean|std|size_divisor"):
        Preprocessor(**arguments)
