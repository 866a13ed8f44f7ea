"""ELR's memory: the running mean of a sample's predictions, its state, its limits."""

import math

import numpy as np
import pytest
import safetensors.torch
import torch
from torch.autograd import gradcheck

from segnoise.losses import EarlyLearningRegularizedLoss, build_loss


def batch(mode="multiclass", size=(4, 6), seed=0):
    random = torch.Generator().manual_seed(seed)
    channels = {"binary": 1, "multiclass": 3, "multilabel": 3}[mode]
    logits = torch.randn(2, channels, *size, generator=random)
    shape = (2, channels, *size) if mode == "multilabel" else (2, *size)
    labels = torch.randint(3 if mode == "multiclass" else 2, shape, generator=random)
    return logits, labels


def probabilities(logits, mode):
    """(N, K, *) class probabilities, with a class axis before the channels in multilabel mode."""
    if mode == "multiclass":
        return logits.softmax(1)
    z = logits.squeeze(1) if mode == "binary" else logits
    return torch.stack((torch.sigmoid(-z), torch.sigmoid(z)), 1)


@pytest.mark.parametrize("mode", ["binary", "multiclass", "multilabel"])
def test_the_running_mean_over_calls(mode):
    loss = build_loss("ELR", mode=mode, momentum=0.6, beta=2.0, reduction="none")
    plain = build_loss("CE", mode=mode, reduction="none")
    mean = 0.0
    for seed in range(4):
        logits, labels = batch(mode, seed=seed)
        p = probabilities(logits, mode)
        mean = 0.6 * mean + 0.4 * p
        expected = plain(logits, labels) + 2 * torch.log(1 - (mean * p).sum(1))
        value = loss(logits, labels, sample_id=["a", "b"])
        torch.testing.assert_close(value, expected, rtol=1e-3, atol=1e-3)  # kept in float16


def test_samples_are_told_apart_whatever_their_place_in_the_batch():
    logits, labels = batch()
    loss = build_loss("ELR", mode="multiclass", reduction="none")
    loss(logits, labels, sample_id=["a", "b"])
    swapped = loss(logits.flip(0), labels.flip(0), sample_id=["b", "a"])
    other = build_loss("ELR", mode="multiclass", reduction="none")
    other(logits, labels, sample_id=["a", "b"])
    torch.testing.assert_close(swapped.flip(0), other(logits, labels, sample_id=["a", "b"]))


def test_without_ids_nothing_is_remembered():
    logits, labels = batch()
    loss = build_loss("ELR", mode="multiclass")
    assert loss(logits, labels) == loss(logits, labels)
    assert loss.state_dict() == {}


def test_evaluation_changes_nothing():
    logits, labels = batch()
    loss = build_loss("ELR", mode="multiclass")
    loss(logits, labels, sample_id=["a", "b"])
    loss.eval()
    first = loss(logits, labels, sample_id=["a", "b"])
    assert loss(logits, labels, sample_id=["a", "b"]) == first


def test_the_gradient_takes_the_target_as_given():
    logits, labels = batch(size=(3,))
    for mode in ("binary", "multiclass", "multilabel"):
        logits, labels = batch(mode, size=(3,))
        loss = build_loss("ELR", mode=mode)
        loss(logits, labels, sample_id=["a", "b"])
        loss.eval()
        z = logits.double().requires_grad_()
        assert gradcheck(lambda z, f=loss, y=labels: f(z, y, sample_id=["a", "b"]), (z,))


@pytest.mark.parametrize("mode", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("size", [(9,), (5, 7), (2, 3, 5)])
def test_a_stride_keeps_the_mean_of_cells(mode, size):
    logits, labels = batch(mode, size=size)
    loss = build_loss("ELR", mode=mode, stride=2, momentum=0.5)
    value = loss(logits, labels, sample_id=["a", "b"])
    kept = loss.state_dict()["means.a"]
    assert kept.shape[1] == math.prod(-(-length // 2) for length in size)
    assert kept.dtype == torch.float16
    # On even maps of equal cells nothing is lost.
    whole = build_loss("ELR", mode=mode, momentum=0.5)
    flat = torch.ones_like(logits) * logits.mean()
    assert value.isfinite()
    torch.testing.assert_close(
        loss(flat, labels, sample_id=["c", "d"]),
        whole(flat, labels, sample_id=["c", "d"]),
        rtol=1e-3,
        atol=1e-3,
    )


def test_the_memory_is_state(tmp_path):
    """Plain tensors with a storage each, as safetensors and accelerate save them."""
    logits, labels = batch()
    whole = torch.nn.ModuleDict({"elr": build_loss("ELR", mode="multiclass")})
    loss = whole["elr"]
    loss(logits, labels, sample_id=["a", "b"])
    assert list(whole.state_dict()) == ["elr.means.a", "elr.means.b"]
    assert loss.state_dict()["means.a"].shape == (3, 24)
    safetensors.torch.save_model(whole, tmp_path / "loss.safetensors")
    torch.save(whole.state_dict(), tmp_path / "loss.pth")
    states = (
        torch.load(tmp_path / "loss.pth", weights_only=True),
        safetensors.torch.load_file(tmp_path / "loss.safetensors"),
    )
    expected = loss(logits, labels, sample_id=["a", "b"])
    for state in states:
        other = torch.nn.ModuleDict({"elr": build_loss("ELR", mode="multiclass")})
        other.load_state_dict(state)
        assert other["elr"](logits, labels, sample_id=["a", "b"]) == expected
    with pytest.raises(RuntimeError, match=r"means.a must be floats \(channels, cells\), got 3"):
        loss.load_state_dict({"means.a": 3})


def test_a_step_that_overflowed_leaves_no_trace():
    logits, labels = batch()
    loss, other = build_loss("ELR", mode="multiclass"), build_loss("ELR", mode="multiclass")
    for one in (loss, other):
        one(logits, labels, sample_id=["a", "b"])
    broken = logits.clone()
    broken[0, 0, 0, 0] = float("inf")
    loss(broken, labels, sample_id=["a", "b"])
    assert all(kept.isfinite().all() for kept in loss.state_dict().values())
    assert loss(logits, labels, sample_id=["a", "b"]).isfinite()


@pytest.mark.parametrize("ids", [[7, 12], torch.tensor([7, 12]), np.array([7, 12]), ["7", "12"]])
def test_ids_are_strings_or_integers(ids):
    logits, labels = batch()
    loss = build_loss("ELR", mode="multiclass")
    loss(logits, labels, sample_id=ids)
    assert list(loss.state_dict()) == ["means.7", "means.12"]


@pytest.mark.parametrize(
    "ids", ["ab", [0.0, 1.0], torch.tensor([0.0, 1.0]), 7, torch.tensor(7), [True, False]]
)
def test_other_ids_are_refused(ids):
    logits, labels = batch()
    with pytest.raises(TypeError, match="must be a list of strings or integers, one a sample"):
        build_loss("ELR", mode="multiclass")(logits, labels, sample_id=ids)


def test_cells_follow_a_pixel_through_flips_and_crops():
    """What is known of a pixel is found again where it has gone; nothing else changes."""
    logits, labels = batch()
    cells = torch.arange(24).view(1, 4, 6).expand(2, -1, -1)
    ids = ["a", "b"]
    moved, still = build_loss("ELR", mode="multiclass"), build_loss("ELR", mode="multiclass")
    for loss in (moved, still):
        loss(logits, labels, sample_id=ids)
    crop = (..., slice(1, 3), slice(2, 6))
    views = [tensor[crop].flip(-1) for tensor in (logits, labels, cells)]
    value = moved(views[0], views[1], sample_id=ids, cells=views[2])
    void = labels.clone().fill_(255)
    void[crop] = labels[crop]
    padded = build_loss("ELR", mode="multiclass", ignore_index=255)
    padded.load_state_dict(still.state_dict())
    torch.testing.assert_close(value, padded(logits, void, sample_id=ids), rtol=1e-3, atol=1e-3)
    before, after = still.state_dict()["means.a"], moved.state_dict()["means.a"]
    inside = torch.zeros(4, 6, dtype=torch.bool)
    inside[crop] = True
    assert after[:, ~inside.flatten()].equal(before[:, ~inside.flatten()])
    assert (after - before)[:, inside.flatten()].abs().min() > 0


def test_pixels_of_a_cell_count_by_their_mean_and_padding_not_at_all():
    loss = build_loss("ELR", mode="binary", momentum=0.5)
    z = torch.tensor([[[0.0, 2.0, 9.0]]])
    loss(z, torch.tensor([[0, 1, 1]]), sample_id=["a"], cells=torch.tensor([[3, 3, -1]]))
    kept = loss.state_dict()["means.a"].float()
    mean = torch.sigmoid(z[0, 0, :2]).mean() / 2
    torch.testing.assert_close(kept[1], torch.tensor([0, 0, 0, mean]), rtol=1e-3, atol=1e-3)


def test_ids_break_a_graph_but_need_no_new_one():
    logits, labels = batch()
    loss, plain = build_loss("ELR", mode="multiclass"), build_loss("ELR", mode="multiclass")
    compiled = torch.compile(loss, backend="eager")
    with torch._dynamo.config.patch(error_on_recompile=True):
        for number in range(12):
            ids = [f"{number}", "again"]
            torch.testing.assert_close(
                compiled(logits, labels, sample_id=ids), plain(logits, labels, sample_id=ids)
            )


def test_errors():
    logits, labels = batch()
    loss = EarlyLearningRegularizedLoss("multiclass")
    with pytest.raises(ValueError, match="give their sample_id too"):
        loss(logits, labels, cells=labels)
    with pytest.raises(ValueError, match=r"cells of shape \(2, 4\)"):
        loss(logits, labels, sample_id=["a", "b"], cells=labels[..., 0])
    with pytest.raises(ValueError, match="1 sample ids for 2 samples"):
        loss(logits, labels, sample_id=["a"])
    loss(logits, labels, sample_id=["a", "b"])
    with pytest.raises(ValueError, match="sample 'a' is remembered in 24 cells and now has 20"):
        loss(logits[..., :5], labels[..., :5], sample_id=["a", "b"])


def test_processes_that_meet_one_sample_at_once_know_the_same(monkeypatch):
    """Two processes, played one after the other: what each hears is what both have said."""
    logits, labels = batch()
    said = {}

    def gather(everybody, news):
        said[rank] = news
        everybody[:] = [said.get(0, news), said.get(1, news)]

    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "all_gather_object", gather)
    memories = []
    for rank in (0, 1, 0, 1):  # the first two only speak
        loss = build_loss("ELR", mode="multiclass")
        part = logits[rank : rank + 1]
        loss(part, labels[rank : rank + 1], sample_id=["both"])
        memories.append(loss.state_dict()["means.both"])
    assert memories[2].equal(memories[3])
    alone = (0.3 * logits[1].softmax(0).flatten(1)).half()
    assert memories[2].equal(alone)
