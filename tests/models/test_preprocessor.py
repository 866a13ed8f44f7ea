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


def measured(mean, std, values):
    preprocessor = Preprocessor(normalize="dataset", channels=len(mean))
    preprocessor.set_statistics(mean, std)
    image = torch.tensor(values).view(1, len(mean), 1, -1)
    return preprocessor({"image": image})["image"].flatten().tolist()


def test_numbers_of_the_datas_own_are_of_any_range():
    """Heights below the sea and a dark window, where the mean is that of mountains."""
    assert measured([300.0], [200.0], [-100.0, 0.0]) == [-2, -1.5]
    assert measured([300.0, 0.25], [200.0, 0.5], [0.0, 1.0, -0.25, 0.75]) == pytest.approx(
        [-1.5, -1.495, -1, 1]
    )
    given = Preprocessor(mean=[300.0], std=[200.0])
    assert given({"image": torch.full((1, 1, 1, 2), -100.0)})["image"].tolist() == [[[[-2, -2]]]]


def test_constant_channels_and_tiny_numbers():
    assert measured([7.0], [0.0], [7.0, 8.0]) == [0, 1]
    assert measured([1e-8], [1e-9], [1e-8, 2e-8]) == pytest.approx([0, 10], rel=1e-5)
    image = torch.tensor([[3e-9, 5e-9], [3000.1, 3000.1]]).view(1, 2, 1, 2)
    found = Preprocessor(normalize="image")({"image": image})["image"].flatten().tolist()
    assert found == pytest.approx([-1, 1, 0, 0], abs=1e-3)
