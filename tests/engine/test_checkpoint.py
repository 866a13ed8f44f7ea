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


def test_a_changed_byte_is_seen_or_changes_nothing(tmp_path):
    path = tmp_path / "last.pth"
    weights = torch.arange(40.0)
    checkpoint.save({"state_dict": {"w": weights}, "meta": {"iter": 7}}, path)
    whole = path.read_bytes()
    said = []
    directory = whole.index(b"PK\x01\x02")  # of the archive; says what lies where
    for place in (*range(0, directory, 7), *range(directory, len(whole))):
        freed = [torch.full((40,), -7.0) for _ in range(20)]
        del freed  # so that what is not read from the file is not right by chance
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        try:
            loaded = checkpoint.load(path)
        except CheckpointError as error:
            said.append(str(error))
        else:
            assert loaded["meta"] == {"iter": 7}
            assert torch.equal(loaded["state_dict"]["w"], weights)
    assert len(said) > 100
    for words in said:
        assert "damaged" in words
        assert "weights_only" not in words
        assert "\n" not in words
    data = whole.index(weights.numpy().tobytes())
    path.write_bytes(whole[:data] + b"!" + whole[data + 1 :])
    with pytest.raises(CheckpointError, match=r"last\.pth: damaged .*is not what was written"):
        checkpoint.load(path)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([1], "holds no 'state_dict'"),
        (7, "holds no 'state_dict'"),
        ({"state_dict": [1, 2]}, "holds no 'state_dict'"),
        ({"state_dict": {}, "meta": []}, "meta is a list of 0, not an object"),
        ({"state_dict": [], "meta": {}}, "state_dict is a list of 0"),
        ({"state_dict": {3: torch.ones(1)}, "meta": {}}, "state_dict is 3, not a text, as a key"),
        ({"state_dict": {}, "meta": {"dataset": 7}}, "meta.dataset is 7, not an object"),
        ({"state_dict": {}, "meta": {"dataset": {"classes": "ab"}}}, "meta.dataset.classes is"),
        ({"state_dict": {}, "meta": {"iter": "x"}}, "meta.iter is"),
        ({"state_dict": {}, "meta": {"config": {}}}, "meta.config is"),
        ({"meta": {}}, "state_dict is missing"),
    ],
)
def test_plain_data_of_another_shape(tmp_path, value, words):
    torch.save(value, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=words) as error:
        checkpoint.load(tmp_path / "a.pth")
    assert str(error.value).startswith(f"{tmp_path / 'a.pth'}: ")


def test_a_pickled_model_is_refused_with_a_remedy_that_works(tmp_path):
    model = nn.Linear(2, 3)
    torch.save(model, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"torch\.save\(model\.state_dict\(\)") as error:
        checkpoint.load(tmp_path / "a.pth")
    assert "weights_only" not in str(error.value)
    torch.save(model.state_dict(), tmp_path / "a.pth")
    assert torch.equal(checkpoint.load(tmp_path / "a.pth")["state_dict"]["weight"], model.weight)


class Net(nn.Module):
    """A model of a config: its network has a body and a head."""

    def __init__(self, classes):
        super().__init__()
        self.network = nn.Sequential(
            nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, classes, 1)
        )


def test_weights_of_other_programs_are_found_under_their_names(tmp_path):
    source, target = Net(3), Net(3)
    state = source.network.state_dict()
    old = {k: v for k, v in state.items() if "num_batches" not in k}
    for given in (
        state,
        old,
        {f"module.{k}": v for k, v in state.items()},
        {"state_dict": {**{f"model.{k}": v for k, v in state.items()}, "loss.w": torch.ones(1)}},
        {"model": state, "epoch": 3},
    ):
        torch.save(given, tmp_path / "a.pth")
        target = Net(3)
        loaded = checkpoint.load(tmp_path / "a.pth")["state_dict"]
        checkpoint.load_weights(target, loaded, "a.pth")
        for key, value in old.items():
            assert torch.equal(target.network.state_dict()[key], value), key
    with pytest.raises(CheckpointError, match=r"1 no tensor \(network\.0\.bias is a str\)"):
        checkpoint.load_weights(target, {**state, "0.bias": "x"}, "a.pth")
    with pytest.raises(CheckpointError, match=r"1 left over \(network\.7\.w\)"):
        checkpoint.load_weights(target, {**state, "7.w": torch.ones(1)}, "a.pth")


def test_safetensors_and_the_folders_of_smp(tmp_path):
    import segmentation_models_pytorch as smp
    from safetensors.torch import save_file

    source = smp.Unet("resnet18", encoder_weights=None, classes=2)
    source.save_pretrained(tmp_path / "folder")
    save_file(source.state_dict(), tmp_path / "a.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"{}")
    for path in (tmp_path / "folder", tmp_path / "a.safetensors"):
        loaded = checkpoint.load(path)["state_dict"]
        assert loaded.keys() == source.state_dict().keys()
        name = "segmentation_head.0.weight"
        assert torch.equal(loaded[name], source.state_dict()[name])
    with pytest.raises(CheckpointError, match=r"bad\.safetensors: damaged"):
        checkpoint.load(tmp_path / "bad.safetensors")
    with pytest.raises(CheckpointError, match=r"is a folder without model\.safetensors or"):
        checkpoint.load(tmp_path)


def test_the_head_can_be_left_out():
    source, target = Net(3), Net(5)
    state = source.state_dict()
    with pytest.raises(
        CheckpointError, match=r"of another shape .* by --cfg-options load_head=False$"
    ):
        checkpoint.load_weights(target, state, "a.pth", new_losses=True)
    before = target.network[2].weight.clone()
    checkpoint.load_weights(target, state, "a.pth", new_losses=True, head=False)
    assert torch.equal(target.network[0].weight, source.network[0].weight)
    assert torch.equal(target.network[2].weight, before)
    same = Net(3)
    before = same.network[2].weight.clone()
    checkpoint.load_weights(same, state, "a.pth", new_losses=True, head=False)
    assert torch.equal(same.network[2].weight, before), "classes may be in another order"
    with pytest.raises(CheckpointError, match="of another shape") as error:
        checkpoint.load_weights(target, {**state, "network.0.bias": torch.ones(9)}, "a.pth", True)
    assert "load_head" not in str(error.value), "it would not help"


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
    for bad in (float("nan"), float("inf")):
        one_bad = {**state, "weight": torch.tensor([[0, 0], [0, 0], [bad, 0]])}
        with pytest.raises(CheckpointError, match=r"1 with NaN or inf, .* of before \(weight\)"):
            checkpoint.load_weights(model, one_bad, "a.pth")
    checkpoint.load_weights(model, {k: torch.zeros_like(v) for k, v in state.items()}, "a.pth")
    assert model.weight.abs().sum() == 0


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda w: w.to(torch.int8), "torch.int8, torch.strided"),
        (lambda w: w.to(torch.complex64), "torch.complex64, torch.strided"),
        (lambda w: w.to_sparse(), "torch.float32, torch.sparse_coo"),
    ],
)
def test_weights_of_another_kind_are_refused(change, kind):
    model = torch.nn.Linear(2, 2)
    state = {**model.state_dict(), "weight": change(model.weight.detach())}
    words = rf"1 of another kind: save them as dense floats \(weight {kind}\)"
    with pytest.raises(CheckpointError, match=words):
        checkpoint.load_weights(model, state, "x.pth")
    half = {name: value.half() for name, value in model.state_dict().items()}
    checkpoint.load_weights(model, half, "x.pth")
    torch.testing.assert_close(model.weight.half(), half["weight"])
