"""Methods in a training: exact resume, and checkpoints that are tested without them."""

import pytest
import tiny_training
import torch
from tiny_training import Stop
from torch import nn

from segnoise.engine import checkpoint
from segnoise.engine.config import load_config
from segnoise.engine.evaluate import evaluate
from segnoise.errors import CheckpointError, ConfigError

STATEFUL = [
    {"type": "WarmUp", "loss": {"type": "CE", "class_weights": "inverse_sqrt"}},
    {"type": "MeanTeacher", "momentum": 0.9, "start": 0.3, "tau": 0.3, "consistency": 1.0},
    {"type": "ObjectTeacher", "momentum": 0.9, "tau": 0.3, "background": 0},
    {"type": "SmallLoss", "noise_rate": 0.3, "ramp_epochs": 2, "group": "class"},
    {"type": "ADELE", "interval": 1, "tau": 0.2, "threshold": 0.0},
    {"type": "MissingObjects", "tau": 0.3, "object_wise": True},
    {"type": "ClassBalanced"},
    {"type": "ObjectBalanced"},
    {"type": "CoTeaching", "noise_rate": 0.2, "ramp_epochs": 1},
]


def run(root, resume=False, **changes):
    changes.setdefault("num_pictures", 0)
    return tiny_training.run(root, resume, **changes)


def state(result):
    return checkpoint.load(result.folder / "last.pth")["state_dict"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return run(tmp_path_factory.mktemp("whole"), methods=STATEFUL)


def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path, whole):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, methods=STATEFUL, custom_hooks=[Stop(6)])
    resumed = run(tmp_path, methods=STATEFUL, resume=True)
    ours, theirs = state(resumed), state(whole)
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, rtol=0, atol=0, equal_nan=True, msg=name)
    assert theirs["methods.mean_teacher.updates"] == 8
    assert theirs["methods.object_teacher.counts"].all()
    assert theirs["methods.adele.points"] >= 4
    assert theirs["methods.adele.corrected"].any()
    assert not theirs["network.0.weight"].equal(theirs["methods.co_teaching.peer.0.weight"])
    assert resumed.last == whole.last


def six_outputs():
    network = tiny_training.network()
    network[-1] = nn.Conv2d(8, 6, 1)
    return network


def test_a_training_that_abstains(tmp_path):
    method = {"type": "Abstention", "noise_rate": 0.2, "warm_up": 1}
    changes = {"methods": [method], "model": {"network": {"type": six_outputs}}}
    result = run(tmp_path, **changes)
    config = load_config(result.folder / "config.py")
    scores = evaluate(config, result.folder / "best.pth", split="val")
    assert scores["mIoU"] == pytest.approx(result.best["mIoU"], abs=1e-9)
    with pytest.raises(ConfigError, match=r"methods: abstention needs losses .* 'dice'"):
        run(tmp_path / "dice", losses=[{"type": "Dice"}], **changes)
    method["warm_up"] = 3
    with pytest.raises(ConfigError, match=r"methods: warm_up=3 epochs, but .* has 2\.67"):
        run(tmp_path / "long", **changes)


def test_its_checkpoints_are_tested_and_loaded_without_the_methods(tmp_path, whole):
    config = load_config(whole.folder / "config.py")
    weights = config["methods"][0]["loss"]["class_weights"]
    assert len(weights) == 5
    scores = evaluate(config, whole.folder / "last.pth", split="val")
    assert scores["mIoU"] == pytest.approx(whole.last["mIoU"], abs=1e-9)
    best = checkpoint.load(whole.folder / "best.pth")["state_dict"]
    assert not any(name.startswith("methods.") for name in best), "it holds the weights only"
    plain = run(tmp_path / "plain", load_from=str(whole.folder / "last.pth"))
    assert not any(name.startswith("methods.") for name in state(plain))
    again = run(tmp_path / "again", load_from=str(plain.folder / "last.pth"), methods=STATEFUL[1:2])
    assert state(again)["methods.mean_teacher.updates"] == 8


def test_a_resume_wants_the_same_methods_and_their_state(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, methods=STATEFUL, custom_hooks=[Stop(5)])
    with pytest.raises(ConfigError, match=r"of another run: methods \(was "):
        run(tmp_path, methods=STATEFUL[:1], resume=True)
    path = tmp_path / "run" / "last.pth"
    saved = checkpoint.load(path)
    del saved["state_dict"]["methods.mean_teacher.updates"]
    checkpoint.save(saved, path)
    with pytest.raises(CheckpointError, match=r"1 missing \(methods\.mean_teacher\.updates\)"):
        run(tmp_path, methods=STATEFUL, resume=True)


def test_a_teacher_begins_with_the_loaded_weights(tmp_path, whole):
    still = {"optimizer": {"type": "SGD", "lr": 0.0}}
    result = run(
        tmp_path,
        load_from=str(whole.folder / "best.pth"),
        optim_wrapper=still,
        methods=[{"type": "MeanTeacher", "momentum": 0.5}],
        train_cfg={"max_iters": 1, "val_interval": 1},
    )
    found = state(result)
    weight = found["network.0.weight"]
    assert weight.equal(
        checkpoint.load(whole.folder / "best.pth")["state_dict"]["network.0.weight"]
    )
    assert found["methods.mean_teacher.teacher.0.weight"].equal(weight)


def test_with_accumulated_gradients_a_teacher_learns_when_the_weights_are_new(tmp_path):
    optim = {"optimizer": {"type": "Adam", "lr": 0.01}, "accumulative_counts": 2}
    result = run(tmp_path, optim_wrapper=optim, methods=[{"type": "MeanTeacher"}])
    assert state(result)["methods.mean_teacher.updates"] == 4


@pytest.mark.parametrize("ema", [{"momentum": 0.1}, {"momentum": 0.1, "update_buffers": True}])
def test_beside_averaged_weights(tmp_path, ema):
    changes = {"methods": STATEFUL[1:5], "ema": ema}
    whole = run(tmp_path / "whole", **changes)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", custom_hooks=[Stop(6)], **changes)
    assert run(tmp_path / "cut", resume=True, **changes).last == whole.last


def test_losses_may_be_named_by_their_paths(tmp_path):
    path = "segnoise.losses.CrossEntropyLoss"
    result = run(
        tmp_path,
        losses=[{"type": path, "name": "ce", "class_weights": "inverse"}],
        methods=[{"type": "WarmUp", "loss": {"type": path}}],
        train_cfg={"max_iters": 1, "val_interval": 1},
    )
    assert result.last["mIoU"] >= 0


def test_wrong_arguments_are_named_before_anything_is_written(tmp_path):
    with pytest.raises(ConfigError, match=r"methods: loss: no loss called 'CEE'"):
        run(tmp_path, methods=[{"type": "WarmUp", "loss": {"type": "CEE"}}])
    with pytest.raises(ConfigError, match=r"model\.extra_outputs"):
        run(tmp_path, model={"network": {"type": "torch.nn.ReLU"}, "extra_outputs": 1})
    assert not (tmp_path / "run").exists()
