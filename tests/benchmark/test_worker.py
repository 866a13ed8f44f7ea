"""The process of a cell, here in this one."""

import json
import time

import pytest
import tiny_training
from mmengine.hooks import Hook

from segnoise.benchmark.grid import build_grid
from segnoise.benchmark.plan import make_plan, prepare, state
from segnoise.benchmark.worker import main, training_seconds
from segnoise.engine import train as training
from segnoise.engine.schema import complete


def plan_of(tmp_path, **changes):
    base = tiny_training.write(tmp_path / "base.py", tiny_training.config(tmp_path, num_pictures=0))
    grid = {
        "datasets": {"a": str(base)}, "noises": {"clean": None}, "losses": {"CE": {"type": "CE"}},
    }  # fmt: skip
    return make_plan(build_grid({**grid, **changes}), tmp_path / "x")


def test_a_trained_cell_is_scored_on_test_data_without_training(tmp_path, monkeypatch):
    plan = plan_of(tmp_path)
    (cell,) = prepare(plan)
    folder = plan.folder_of(cell)
    main(folder, "last", "val", 1, "keep")
    before = json.loads((folder / "result.json").read_text())
    assert before["test"] is None
    assert state(plan, cell) == "done"

    monkeypatch.setattr(training, "train", lambda *_, **__: pytest.fail("trains again"))
    plan = plan_of(tmp_path, evaluate="test", select="best")
    assert state(plan, cell) == "untested"
    assert prepare(plan) == [cell]
    main(folder, "best", "test", 1, "delete")
    after = json.loads((folder / "result.json").read_text())
    assert after["test"]["mIoU"] > 0
    assert {**after, "test": None} == {**before, "tested": after["tested"]}
    assert state(plan, cell) == "done"
    assert json.loads((folder / "examples" / "examples.json").read_text())["checkpoint"] == "best"
    assert not list(folder.glob("*.pth"))


class Sleep(Hook):
    """Take time where a training does not."""

    def after_val_iter(self, *_, **__):
        time.sleep(0.05)

    def after_val_epoch(self, *_, **__):
        time.sleep(0.25)

    def before_checkpoint(self, *_, **__):
        time.sleep(0.25)


class SlowStep(Hook):
    """Take time within an iteration."""

    priority = "VERY_HIGH"

    def after_train_iter(self, *_, **__):
        time.sleep(0.05)


@pytest.mark.parametrize("log_interval", [1, 3])
def test_time_is_of_iterations_alone(tmp_path, log_interval):
    hooks = [Sleep(), SlowStep()]
    changes = {"custom_hooks": hooks, "log_interval": log_interval, "num_pictures": 0}
    config = complete(tiny_training.config(tmp_path, **changes))
    began = time.monotonic()
    result = training.train(config)
    whole = time.monotonic() - began
    seconds = training_seconds(result.folder, config["train_cfg"])
    # 8 iterations; two validations of three batches, and two checkpoints, take 1.3 s.
    assert 0.4 <= seconds < whole - 1.25
