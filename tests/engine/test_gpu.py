"""What only a GPU can show: mixed precision, memory, resumes, processes that share it."""

import os
import subprocess

import pytest
import tiny_training
import tool_runs
import torch
from mmengine.hooks import Hook
from on_gpu import CUDA, DEVICE, cuda_only, on_gpu

from segnoise.engine import checkpoint, data
from segnoise.engine.config import load_config
from segnoise.engine.evaluate import evaluate
from segnoise.engine.model import build_model
from segnoise.engine.schema import complete
from segnoise.engine.train import train
from segnoise.errors import TrainingError

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what deterministic mode asks for


@pytest.fixture(autouse=True)
def _choices_are_kept_apart(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield
    torch.use_deterministic_algorithms(False)


def weights(folder):
    return checkpoint.load(folder / "last.pth")["state_dict"]


@on_gpu
@pytest.mark.parametrize(
    "amp", [None, pytest.param("bf16", marks=cuda_only), pytest.param("fp16", marks=cuda_only)]
)
@pytest.mark.parametrize("channels_last", [False, True])
def test_training_validates_saves_and_scores(tmp_path, amp, channels_last):
    model = {"network": {"type": tiny_training.network}, "channels_last": channels_last}
    config = complete(tiny_training.config(tmp_path, amp=amp, model=model, ema={"momentum": 0.1}))
    whole = train(config)
    assert whole.last["iter"] == 8
    saved = weights(whole.folder)
    assert all(value.device.type == "cpu" for value in saved.values())
    assert all(value.isfinite().all() for value in saved.values())
    scores = evaluate(config, whole.folder / "last.pth", split="val")
    assert scores["mIoU"] == pytest.approx(whole.last["mIoU"], abs=0.5)


class Stop(Hook):
    """End a training after four iterations, as an interrupt does."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        runner.train_loop.stop_training = batch_idx == 3


@on_gpu
@pytest.mark.parametrize(
    "amp", [None, pytest.param("bf16", marks=cuda_only), pytest.param("fp16", marks=cuda_only)]
)
def test_a_deterministic_run_is_repeated_and_resumed_to_the_bit(tmp_path, amp):
    found = []
    for name in ("one", "other", "resumed"):
        changes = {"deterministic": True, "amp": amp, "work_dir": str(tmp_path / name)}
        config = tiny_training.config(tmp_path, **changes)
        if name == "resumed":
            stopped = train(complete({**config, "custom_hooks": [Stop()]}))
            assert stopped.last["iter"] == 4
        result = train(complete(config), resume=name == "resumed")
        assert result.last["iter"] == 8
        found.append((result.last, weights(result.folder)))
    for last, state in found[1:]:
        assert last == found[0][0]
        for name, value in state.items():
            assert torch.equal(value, found[0][1][name]), name


@on_gpu
def test_a_resumed_run_ends_as_a_whole_one(tmp_path):
    """With the loss as it is timed and chosen, and kernels that may add up in any order."""
    whole = train(complete(tiny_training.config(tmp_path)))
    config = tiny_training.config(tmp_path, work_dir=str(tmp_path / "resumed"))
    train(complete({**config, "custom_hooks": [Stop()]}))
    resumed = train(complete(config), resume=True)
    one, other = weights(whole.folder), weights(resumed.folder)
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=1e-3, atol=1e-3, msg=name)
    assert resumed.last["mIoU"] == pytest.approx(whole.last["mIoU"], abs=0.5)


@on_gpu
def test_a_loss_that_is_not_finite_stops_the_run_one_iteration_later(tmp_path):
    begun = []

    class Poison(Hook):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            begun.append(batch_idx)
            if batch_idx == 5:
                next(runner.network.parameters()).data.fill_(float("nan"))

    config = complete(tiny_training.config(tmp_path, custom_hooks=[Poison()]))
    with pytest.raises(TrainingError, match="iteration 6"):
        train(config)
    assert begun[-1] == (6 if CUDA else 5)  # a GPU is not waited for


@on_gpu
def test_batches_come_in_pinned_memory_and_are_copied_without_waiting(tmp_path):
    config = complete(tiny_training.config(tmp_path, num_workers=2))
    dataset = data.build_dataset(config, "train_data")
    model = build_model(config, dataset.metainfo).to(DEVICE)
    batch = next(iter(data.train_loader(data.training_stream(dataset, config), config, 1)))
    for name in ("image", "mask"):
        assert batch[name].is_pinned() == CUDA
    torch.cuda.synchronize() if CUDA else None
    torch.cuda.set_sync_debug_mode("error") if CUDA else None
    try:
        there = model.data_preprocessor(batch, True)
    finally:
        torch.cuda.set_sync_debug_mode("default") if CUDA else None
    assert there["image"].device.type == there["mask"].device.type == DEVICE
    assert there["image"].dtype == torch.float32


@on_gpu
def test_two_processes_share_a_gpu(tmp_path):
    """They train as one process with twice the batch does."""
    folders = {}
    for processes in (1, 2):
        root = tmp_path / str(processes)
        root.mkdir()
        config = tiny_training.config(
            root,
            batch_size=4 // processes,
            # Without batch norm and dropout, which see a process's own share of the batch.
            model={"network": {"type": "torch.nn.Conv2d", "in_channels": 3, "out_channels": 5,
                               "kernel_size": 5, "padding": 2}},
            train_cfg={"max_iters": 6, "val_interval": 3},
            # SGD, since Adam would not notice gradients that are too large by a factor.
            optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.05}},
            losses=[{"type": "ANL-CE"}],
        )  # fmt: skip
        path = tiny_training.write(root / "leaf.py", config)
        if processes == 1:
            train(load_config(path))
        else:
            helper = str(tool_runs.HELPERS / "two_on_one_gpu.py")
            command = [*tool_runs._launch(2), helper, DEVICE, str(path)]
            done = subprocess.run(
                command, env=tool_runs.environment(), capture_output=True, text=True, timeout=250,
                check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr[-2000:]
        folders[processes] = root / "run"
    one, two = (weights(folders[n]) for n in (1, 2))
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=1e-3, msg=name)
