"""Checkpoints: plain, whole, safe."""

import collections
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from segnoise.engine import checkpoint
from segnoise.errors import CheckpointError


def test_what_is_saved_loads_with_weights_only(tmp_path):
    saved = {
        "state_dict": collections.OrderedDict(weight=torch.ones(2)),
        "meta": {"best": np.float32(0.5), "iter": np.int64(3), "classes": ("a", "b"), "none": None},
        "array": np.arange(3),
    }
    checkpoint.save(saved, tmp_path / "last.pth")
    loaded = torch.load(tmp_path / "last.pth", weights_only=True)
    assert loaded["meta"] == {"best": 0.5, "iter": 3, "classes": ("a", "b"), "none": None}
    assert torch.equal(loaded["array"], torch.arange(3))


def test_objects_are_refused_when_saving():
    with pytest.raises(TypeError, match="Generator"):
        checkpoint.plain({"rng": [np.random.default_rng()]})


def test_a_file_that_would_run_code_is_refused(tmp_path):
    ran = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return (open, (str(ran), "w"))

    torch.save({"state_dict": {}, "x": Evil()}, tmp_path / "evil.pth")
    (tmp_path / "pickle.pth").write_bytes(pickle.dumps(Evil()))
    ran.unlink(missing_ok=True)
    for name in ("evil.pth", "pickle.pth"):
        with pytest.raises(CheckpointError, match=name):
            checkpoint.load(tmp_path / name)
    assert not ran.exists()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_a_damaged_file_is_named(tmp_path, share):
    path = tmp_path / "last.pth"
    checkpoint.save({"state_dict": {"w": torch.rand(1000)}}, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CheckpointError, match=r"last\.pth.*damaged"):
        checkpoint.load(path)


def test_missing_and_foreign_files(tmp_path):
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        checkpoint.load(tmp_path / "none.pth")
    torch.save({"weights": 1}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="state_dict"):
        checkpoint.load(tmp_path / "other.pth")


def test_a_failed_write_keeps_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "last.pth"
    checkpoint.save({"state_dict": {"w": torch.ones(3)}}, path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        checkpoint.save({"state_dict": {}}, path)
    assert torch.equal(checkpoint.load(path)["state_dict"]["w"], torch.ones(3))
    assert list(tmp_path.iterdir()) == [path]


def test_weights_must_fit_entirely():
    model = nn.Linear(2, 3)
    state = model.state_dict()
    with pytest.raises(CheckpointError, match=r"1 missing \(bias\)"):
        checkpoint.load_weights(model, {"weight": state["weight"]}, "a.pth")
    with pytest.raises(CheckpointError, match=r"1 left over \(extra\)"):
        checkpoint.load_weights(model, {**state, "extra": torch.ones(1)}, "a.pth")
    with pytest.raises(CheckpointError, match=r"weight \(4, 2\) instead of \(3, 2\)"):
        checkpoint.load_weights(model, {**state, "weight": torch.ones(4, 2)}, "a.pth")
    checkpoint.load_weights(model, {k: torch.zeros_like(v) for k, v in state.items()}, "a.pth")
    assert model.weight.abs().sum() == 0
