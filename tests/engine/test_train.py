"""Training: exact resume, honest records, and every way to stop."""

import json
import multiprocessing
import os
import signal
import sys
import threading

import numpy as np
import pytest
import tiny_training
import torch
from mmengine.hooks import Hook
from PIL import Image
from tiny_training import Stop, run
from torch import nn

from segnoise import cli
from segnoise.datasets import FolderDataset, Phantoms
from segnoise.engine import checkpoint, data
from segnoise.engine.config import load_config
from segnoise.engine.data import training_stream
from segnoise.engine.evaluate import evaluate
from segnoise.engine.loop import FirstInterrupt
from segnoise.engine.runner import Runner
from segnoise.engine.schema import complete
from segnoise.engine.train import summary, train
from segnoise.errors import CheckpointError, ConfigError, DataError, TrainingError
from segnoise.models import inference
from segnoise.output_folder import MARK

NOISE = {"type": "SymmetricFlip", "rate": 0.4}


class Poison(Hook):
    """Make the network's weights NaN before an iteration."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if batch_idx == 5:
            next(runner.network.parameters()).data.fill_(float("nan"))


STATEFUL = [
    {"type": "ELR"},
    {"type": "SR", "growth": 2.0, "class_weights": "batch_inverse_sqrt"},
    {"type": "TLoss"},
]


@pytest.mark.parametrize("moved", [False, True])
def test_losses_with_a_state_resume_to_the_last_digit(tmp_path, moved):
    changes = {"losses": STATEFUL, **({} if moved else {"train_transform": None})}
    whole = run(tmp_path / "whole", **changes)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", custom_hooks=[Stop(5)], **changes)
    assert run(tmp_path / "cut", resume=True, **changes).last == whole.last
    one, other = (
        checkpoint.load(r / "run" / "last.pth") for r in (tmp_path / "whole", tmp_path / "cut")
    )
    assert one["state_dict"].keys() == other["state_dict"].keys()
    for key, value in one["state_dict"].items():
        torch.testing.assert_close(value, other["state_dict"][key], rtol=0, atol=0, msg=key)
    assert one["state_dict"]["losses.tloss.log_nu"] != 0
    # Eight iterations of 2 out of 6 images: the last one is of the third epoch.
    assert one["state_dict"]["losses.sr.epoch"] == 2
    assert evaluate(load_config(whole.folder / "config.py"), whole.folder / "last.pth")


def test_a_resume_wants_the_state_of_its_losses(tmp_path):
    still = {"losses": STATEFUL, "train_transform": None}
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, custom_hooks=[Stop(5)], **still)
    path = tmp_path / "run" / "last.pth"
    saved = checkpoint.load(path)
    del saved["state_dict"]["losses.tloss.log_nu"]
    checkpoint.save(saved, path)
    with pytest.raises(CheckpointError, match=r"1 missing \(losses\.tloss\.log_nu\)"):
        run(tmp_path, resume=True, **still)


def test_another_training_may_start_from_its_weights(tmp_path):
    still = {"losses": STATEFUL, "train_transform": None}
    first = run(tmp_path / "first", **still)
    second = run(tmp_path / "second", load_from=str(first.folder / "last.pth"))
    third = run(tmp_path / "third", load_from=str(second.folder / "last.pth"), **still)
    assert third.last["iter"] == 8


def test_losses_that_remember_pixels_say_what_does_not_fit(tmp_path):
    with pytest.raises(ConfigError, match=r"losses\.0 .*ema.update_buffers cannot average"):
        run(tmp_path, losses=[{"type": "ELR"}], ema={"momentum": 0.1, "update_buffers": True})
    two = [{"type": "ELR", "stride": 2}, {"type": "ELR", "name": "other"}]
    with pytest.raises(ConfigError, match=r"losses\.0 stride=2 and losses\.1 stride=1: .* share"):
        run(tmp_path, losses=two)


def losses(folder):
    lines = (folder / "scalars.json").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    return {e["iter"]: e["loss"] for e in entries if "loss" in e}


@pytest.mark.parametrize(("ema", "workers"), [(None, 2), ({"momentum": 0.1}, 0)])
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_last_digit(tmp_path, ema, workers):
    changes = {"noise": NOISE, "ema": ema, "num_workers": workers}
    whole = run(tmp_path / "a", **changes)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "b", custom_hooks=[Stop(6)], **changes)
    resumed = run(tmp_path / "b", resume=True, **changes)
    # Iterations 5 and 6 ran twice; the second time counts.
    assert losses(resumed.folder) == losses(whole.folder)
    assert len(losses(whole.folder)) == 8
    assert resumed.best == whole.best
    assert resumed.last == whole.last
    ours, theirs = (checkpoint.load(r.folder / "last.pth") for r in (resumed, whole))
    for part in ("state_dict", "ema_state_dict") if ema else ("state_dict",):
        assert ours[part].keys() == theirs[part].keys()
        for name, value in ours[part].items():
            assert torch.equal(value, theirs[part][name]), name


class Interrupt(Hook):
    """Ctrl-C in a terminal, which sends SIGINT to the loader's processes too."""

    def __init__(self, iteration, where="after_train_iter", times=1):
        self.iteration, self.where, self.times = iteration, where, times

    def _at(self, runner, where):
        completed = runner.iter + (where == "after_train_iter")
        if where == self.where and completed == self.iteration:
            for _ in range(self.times):
                for child in multiprocessing.active_children():
                    os.kill(child.pid, signal.SIGINT)
                os.kill(os.getpid(), signal.SIGINT)
            self.where = None  # once

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self._at(runner, "after_train_iter")

    def before_val_iter(self, runner, batch_idx, data_batch=None):
        self._at(runner, "before_val_iter")

    def after_iteration(self, runner):
        self._at(runner, "after_iteration")


@pytest.fixture
def ctrl_c():
    """Ctrl-C as in the foreground, whatever the tests were started in."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize(
    ("iteration", "where", "kept", "accumulated", "workers"),
    [
        (3, "after_train_iter", 3, 1, 2),
        (4, "before_val_iter", 4, 1, 0),
        (5, "after_train_iter", 6, 2, 0),
        (3, "after_iteration", 4, 1, 0),
        (8, "after_iteration", 8, 1, 0),
    ],
    ids=["workers", "validation", "gradients wait", "between", "end"],
)
def test_an_interrupt_loses_nothing(tmp_path, capfd, iteration, where, kept, accumulated, workers):
    optimizer = {"type": "Adam", "lr": 0.01}
    changes = {
        "num_workers": workers,
        "optim_wrapper": {"optimizer": optimizer, "accumulative_counts": accumulated},
    }
    whole = run(tmp_path / "a", **changes)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "b", custom_hooks=[Interrupt(iteration, where)], **changes)
    assert signal.getsignal(signal.SIGINT) == before
    said = capfd.readouterr().err
    assert said.count("interrupted: going on until the training can be resumed") == 1
    assert "Traceback" not in said
    assert checkpoint.load(tmp_path / "b" / "run" / "last.pth")["meta"]["iter"] == kept
    resumed = run(tmp_path / "b", resume=True, **changes)
    assert losses(resumed.folder) == losses(whole.folder)
    assert (resumed.best, resumed.last) == (whole.best, whole.last)


@pytest.mark.usefixtures("ctrl_c")
def test_a_second_interrupt_stops_at_once(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, custom_hooks=[Interrupt(3, times=2)])
    assert not (tmp_path / "run" / "last.pth").exists()


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("case", ["several processes", "a thread", "ignored"])
def test_elsewhere_interrupts_are_as_ever(monkeypatch, case):
    before = signal.getsignal(signal.SIGINT)
    if case == "several processes":
        monkeypatch.setattr("torch.distributed.is_initialized", lambda: True)
        monkeypatch.setattr("torch.distributed.get_world_size", lambda: 2)
    if case == "ignored":
        before = signal.SIG_IGN
        signal.signal(signal.SIGINT, before)
    found = []

    def look():
        with FirstInterrupt("stopping"):
            found.append(signal.getsignal(signal.SIGINT))

    if case == "a thread":
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    else:
        look()
    assert found == [before]
    assert signal.getsignal(signal.SIGINT) == before


class Watch(Hook):
    """Keep the labels that training and validation see."""

    def __init__(self):
        self.train, self.val = [], {}

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.train.append((data_batch["clean_mask"], data_batch["mask"]))

    def before_val_iter(self, runner, batch_idx, data_batch=None):
        self.val.update(zip(data_batch["sample_id"], data_batch["mask"].numpy(), strict=True))


def test_training_labels_are_corrupted_and_validation_labels_never(tmp_path):
    watch = Watch()
    every_pixel = {"type": "SymmetricFlip", "rate": 1.0}
    config = complete(tiny_training.config(tmp_path, noise=every_pixel, custom_hooks=[watch]))
    train(config)
    for clean, noisy in watch.train:
        valid = clean != 255
        assert valid.any()
        assert (noisy[valid] != clean[valid]).all()
    clean = Phantoms(config["data_root"], "val", size=32, num_images=6)
    assert len(watch.val) == len(clean)
    for i in range(len(clean)):
        np.testing.assert_array_equal(watch.val[clean.sample_id(i)], clean.load_mask(i))


def test_no_folder_is_made_that_a_kill_would_leave(tmp_path, monkeypatch):
    monkeypatch.setattr(Runner, "build_logger", killed)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path)
    assert not [path for path in (tmp_path / "run").iterdir() if path.is_dir()]


def killed(*_, **__):
    raise KeyboardInterrupt


def test_each_validation_sample_goes_to_one_process(monkeypatch):
    parts = []
    for rank in range(2):
        monkeypatch.setattr(data, "get_dist_info", lambda rank=rank: (rank, 2))
        loader = data.eval_loader(list(range(5)), {"eval_batch_size": 2, "num_workers": 0})
        parts.append(list(loader.sampler))
    assert parts == [[0, 2, 4], [1, 3]], "shards may be uneven"


def test_seeds_decide_and_nothing_else_does(tmp_path):
    one = run(tmp_path / "a", noise=NOISE)
    torch.rand(7), np.random.random(3)  # what ran before in the process must not matter
    same = run(tmp_path / "b", noise=NOISE)
    other = run(tmp_path / "c", noise=NOISE, seed=1)
    assert losses(one.folder) == losses(same.folder)
    assert losses(one.folder) != losses(other.folder)


def test_the_run_folder_tells_all(tmp_path):
    result = run(tmp_path, noise=NOISE)
    folder = result.folder
    names = {p.name for p in folder.iterdir()}
    assert {
        "best.pth", "last.pth", "config.py", "versions.json", "data.json", "noise.json", "noise.md",
        "scores.json", "scalars.json", "tensorboard", "pictures", "train.log", "memorisation.json",
        MARK,
    } == names  # fmt: skip
    assert list((folder / "tensorboard").glob("events*"))
    assert [p.name for p in sorted((folder / "pictures").iterdir())] == ["iter_4.png", "iter_8.png"]
    noise = json.loads((folder / "noise.json").read_text())
    assert noise["pixel_rate"] == pytest.approx(0.4, abs=0.05)
    assert "symmetric" not in (folder / "noise.md").read_text()
    resolved = load_config(folder / "config.py")
    weights = resolved["losses"][0]["class_weights"]
    counts = np.array(result.check["histogram"], float)
    shares = np.array(weights) * np.sqrt(counts)
    np.testing.assert_allclose(shares, shares[0], rtol=1e-3)
    versions = json.loads((folder / "versions.json").read_text())
    assert versions["torch"] == torch.__version__.split("+")[0]
    text = summary(result)
    for part in (
        "mIoU",
        f"train {folder}/config.py --resume",
        f"test {folder}/config.py {folder}/best.pth",
        "vessel",
    ):
        assert part in text


def test_checkpoints_load_with_torch_alone_and_hold_weights_once(tmp_path):
    folder = run(tmp_path, ema={"momentum": 0.1}).folder
    best = torch.load(folder / "best.pth", weights_only=True)
    assert set(best) == {"meta", "state_dict"}
    assert set(best["meta"]["dataset"]) == {"classes", "palette", "ignore_index"}
    last = torch.load(folder / "last.pth", weights_only=True)
    assert last["meta"]["iter"] == 8
    assert not any("loss" in key for key in last["state_dict"])


def test_a_training_needs_no_matplotlib(tmp_path, monkeypatch):
    for name in ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, name, None)
    folder = run(tmp_path, train_cfg={"max_iters": 2}).folder
    assert len((folder / "scalars.json").read_text().splitlines()) > 2


def test_a_test_of_the_best_checkpoint_gives_the_best_score(tmp_path, monkeypatch):
    result = run(tmp_path, noise=NOISE)
    config = load_config(result.folder / "config.py")
    scores = evaluate(config, result.folder / "best.pth", split="val", out=tmp_path / "out")
    assert scores["mIoU"] == result.best["mIoU"]
    assert scores["classes"] == result.best["classes"]
    with monkeypatch.context() as without_maps:
        without_maps.setattr(inference, "greatest_class", None)
        assert evaluate(config, result.folder / "best.pth", split="val") == scores
    assert len(list((tmp_path / "out").glob("*.png"))) == 6
    with pytest.raises(ConfigError, match="holds predictions already"):
        evaluate(config, result.folder / "best.pth", split="val", out=tmp_path / "out")


def test_results_are_not_overwritten_unasked(tmp_path):
    run(tmp_path)
    with pytest.raises(ConfigError, match=r"--resume.*--work-dir.*--overwrite"):
        run(tmp_path)
    again = run(tmp_path, overwrite=True, train_cfg={"max_iters": 2})
    assert again.last["iter"] == 2
    assert len(losses(again.folder)) == 2


def test_resuming_a_finished_run_trains_no_more(tmp_path):
    whole = run(tmp_path)
    before = (whole.folder / "last.pth").read_bytes()
    again = run(tmp_path, resume=True)
    assert again.last == whole.last
    assert (whole.folder / "last.pth").read_bytes() == before


def test_resuming_before_the_first_checkpoint_starts_over(tmp_path, capsys):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, custom_hooks=[Stop(2)])
    assert "nothing to resume" not in capsys.readouterr().out
    assert run(tmp_path, resume=True).last["iter"] == 8
    said = capsys.readouterr().out
    assert f"nothing to resume in {tmp_path / 'run'}: from the beginning" in said


@pytest.mark.parametrize(
    ("changes", "end"),
    [({}, "best.pth"), ({"test_data": None}, "--split val"), ({"val_data": None}, "last.pth")],
)
def test_the_summary_names_a_command_that_works(tmp_path, changes, end):
    result = run(tmp_path, train_cfg={"max_iters": 2}, **changes)
    line = next(line for line in summary(result).splitlines() if line.startswith("test "))
    assert line.endswith(end)
    assert cli.main(line.removeprefix("test").split()[1:]) == 0


def test_the_summary_names_no_test_without_data_for_it(tmp_path):
    result = run(tmp_path, train_cfg={"max_iters": 2}, val_data=None, test_data=None)
    assert "segnoise test" not in summary(result)


def test_a_batch_larger_than_the_set_is_noted(tmp_path, capsys):
    run(tmp_path, train_cfg={"max_iters": 1}, batch_size=8)
    assert "Note: batch_size=8 is more than the 6 samples" in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["cut", "missing", "weights"])
def test_resuming_from_what_cannot_be_resumed(tmp_path, damage):
    result = run(tmp_path)
    last = result.folder / "last.pth"
    if damage == "cut":
        last.write_bytes(last.read_bytes()[:-100])
        words = r"last\.pth: damaged"
    elif damage == "missing":
        last.unlink()
        words = "no checkpoint"
    else:
        last.write_bytes((result.folder / "best.pth").read_bytes())
        words = "weights only"
    with pytest.raises(CheckpointError, match=words):
        run(tmp_path, resume=True)


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, custom_hooks=[Stop(6)])
    save = torch.save

    def full(*arguments, **_):
        save(*arguments)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        run(tmp_path, resume=True)
    folder = tmp_path / "run"
    assert checkpoint.load(folder / "last.pth")["meta"]["iter"] == 4
    assert [path.name for path in folder.glob(".*")] == [MARK]


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    with pytest.raises(TrainingError, match=r"iteration 6: .*nan.*samples: train_\d+, train_\d+"):
        run(tmp_path, custom_hooks=[Poison()])
    saved = checkpoint.load(tmp_path / "run" / "last.pth")
    assert saved["meta"]["iter"] == 4
    assert all(torch.isfinite(v).all() for v in saved["state_dict"].values())


def test_amp_on_a_cpu_is_refused(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU, where AMP is at home")
    with pytest.raises(ConfigError, match=r"--amp bf16 needs a CUDA device"):
        run(tmp_path, amp="bf16")
    assert not (tmp_path / "run").exists()


def test_bad_data_stop_the_run_before_it_begins(tmp_path):
    config = complete(tiny_training.config(tmp_path))
    train(config)
    masks = [p for p in (tmp_path / "data").rglob("train_0003.png") if p.parent.name == "masks"]
    picture = Image.open(masks[0])
    picture.putpixel((3, 4), 37)
    picture.save(masks[0])
    config["work_dir"] = str(tmp_path / "second")
    with pytest.raises(DataError, match=r"train_0003\.png.*37"):
        train(config)
    assert not (tmp_path / "second" / "last.pth").exists()


def test_weights_of_another_run_start_a_new_one(tmp_path):
    first = run(tmp_path / "a")
    zero = {"optimizer": {"type": "SGD", "lr": 0.0}}
    second = run(
        tmp_path / "b", load_from=str(first.folder / "last.pth"), optim_wrapper=zero,
        train_cfg={"max_iters": 1, "val_interval": 1},
    )  # fmt: skip
    weights = checkpoint.load(second.folder / "last.pth")["state_dict"]
    for name, value in checkpoint.load(first.folder / "last.pth")["state_dict"].items():
        if "running" not in name and "num_batches" not in name:
            assert torch.equal(weights[name], value), name


def test_epochs_become_iterations(tmp_path):
    result = run(tmp_path, train_cfg={"max_epochs": 3, "val_interval": 100}, batch_size=4)
    assert result.last["iter"] == 5  # ceil(3 epochs * 6 images / 4)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run that is only looked at."""
    root = tmp_path_factory.mktemp("finished")
    return root, run(root).folder


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"noise": {"type": "SymmetricFlip", "rate": 0.6}}, r"noise \(was null, is .*0\.6"),
        ({"seed": 1}, r"seed \(was 0, is 1\)"),
        ({"batch_size": 3}, "batch_size"),
        ({"train_cfg": {"max_iters": 12, "val_interval": 4}}, "train_cfg"),
        ({"optim_wrapper": {"optimizer": {"type": "Adam", "lr": 1.0}}}, "optim_wrapper"),
        ({"ema": {"momentum": 0.1}}, "ema"),
        ({"losses": [{"type": "CE"}]}, "losses"),
        ({"model": {"encoder": "resnet18", "encoder_weights": None}}, "model"),
    ],
)
def test_a_run_does_not_go_on_under_another_config(finished, changes, words):
    root, folder = finished
    before = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    with pytest.raises(ConfigError, match=rf"of another run: .*{words}.*load_from="):
        run(root, resume=True, **changes)
    assert {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()} == before


def test_a_run_goes_on_from_its_own_config_and_with_other_loading(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, noise=NOISE, custom_hooks=[Stop(6)])
    config = load_config(tmp_path / "run" / "config.py", {"num_workers": 1, "custom_hooks": []})
    assert train(config, resume=True).last["iter"] == 8


def test_overwriting_deletes_nothing_before_all_is_known_to_be_good(tmp_path):
    folder = run(tmp_path, noise=NOISE).folder
    bad = [
        {"optim_wrapper": {"optimizer": {"type": "Adam", "lr": "abc"}}},
        {"losses": [{"type": "CE", "class_weights": [1.0]}]},
        {"train_data": {"type": "Phantoms", "size": 3}},
        {"load_from": str(tmp_path / "nowhere.pth")},
    ]
    for changes in bad:
        with pytest.raises((CheckpointError, ConfigError, DataError)):
            run(tmp_path, overwrite=True, **changes)
        assert (folder / "last.pth").exists()
    run(tmp_path, overwrite=True)
    assert not (folder / "noise.json").exists(), "a clean run documents no noise"
    assert len(list((folder / "tensorboard").glob("events*"))) == 1
    with pytest.raises(ConfigError, match="give one"):
        run(tmp_path, overwrite=True, resume=True)


class BadGradient(Hook):
    """Make the weights NaN after an iteration whose loss was finite, as a bad gradient does."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if batch_idx == 3:
            next(runner.network.parameters()).data.fill_(float("nan"))


def test_weights_that_are_not_finite_are_neither_scored_nor_kept(tmp_path):
    with pytest.raises(TrainingError, match=r"weights are not finite at iteration 4"):
        run(tmp_path, custom_hooks=[BadGradient()], checkpoint_interval=2)
    folder = tmp_path / "run"
    assert checkpoint.load(folder / "last.pth")["meta"]["iter"] == 2
    assert not (folder / "scores.json").exists()


class Initialised(nn.Conv2d):
    """A network with a method of mmengine's name, as timm's transformers have."""

    def init_weights(self):
        nn.init.zeros_(self.weight)


def test_a_networks_own_weights_are_left_alone(tmp_path):
    network = {"type": Initialised, "in_channels": 3, "out_channels": 5, "kernel_size": 1}
    still = {"optimizer": {"type": "SGD", "lr": 0.0}}
    result = run(tmp_path, model={"network": network}, optim_wrapper=still)
    assert checkpoint.load(result.folder / "last.pth")["state_dict"]["network.weight"].any()


CONV = {"type": "torch.nn.Conv2d", "in_channels": -1, "out_channels": 5, "kernel_size": 1}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"optim_wrapper": {}}, "optim_wrapper"),
        ({"optim_wrapper": {"optimizer": {"type": "Adam", "lr": "abc"}}}, "optim_wrapper"),
        ({"optim_wrapper": {"optimizer": {"type": "Adam", "lr": -1}}}, "lr must be at least 0"),
        (
            {"optim_wrapper": {"optimizer": {"type": "Adam"}, "clip_grad": {"max_nrm": 5}}},
            "did you mean max_norm",
        ),
        (
            {"optim_wrapper": {"optimizer": {"type": "Adam"}, "accumulative_counts": 3}},
            "multiple",
        ),
        ({"param_scheduler": [{"type": "PolyLR", "power": "x"}]}, r"param_scheduler\.0"),
        ({"param_scheduler": [{"type": "ReduceOnPlateauLR"}]}, "PolyLR"),
        ({"param_scheduler": ["PolyLR"]}, r"param_scheduler\.0 must be a dict"),
        ({"ema": {"momentm": 0.1}}, r"ema\.momentm; did you mean momentum"),
        (
            {"custom_hooks": [{"type": "EMAHook", "momentm": 0.1, "priority": "LOW"}]},
            r"custom_hooks\.0\.momentm; did you mean momentum",
        ),
        (
            {"custom_hooks": [{"type": "EMAHook", "begin_iter": 9}]},
            r"custom_hooks\.0\.begin_iter=9 is after the last, 8",
        ),
        ({"ema": {"momentum": 2}}, "momentum"),
        ({"ema": {"begin_iter": 9}}, "ema.begin_iter=9 is after the last, 8"),
        ({"ema": {"begin_epoch": 2}}, "trainings run by iteration; write begin_iter"),
        ({"ema": {"ema_type": 7}}, "ema: type must be a str"),
        (
            {"optim_wrapper": {"optimizer": {"type": "Adam"}, "paramwise_cfg": {"bias_lr": 1}}},
            r"paramwise_cfg\.bias_lr; did you mean bias_lr_mult",
        ),
        (
            {"optim_wrapper": {"optimizer": {"type": "Adam"}, "paramwise_cfg": {"custom_keys": 7}}},
            r"paramwise_cfg\.custom_keys must be a dict, got 7",
        ),
        (
            {
                "optim_wrapper": {
                    "optimizer": {"type": "Adam"},
                    "paramwise_cfg": {"custom_keys": {"encodr": {"lr_mult": 0.1}}},
                }
            },
            r"custom_keys: no parameter's name holds 'encodr'; one is 'network",
        ),
        ({"losses": [{"type": "CE", "weight": -1}]}, r"losses\.0\.weight must be at least 0"),
        ({"model": {"network": CONV}}, "model: RuntimeError: .* negative dimension -1"),
        (
            {"losses": [{"type": "ER", "prior": {}}]},
            r"losses\.0: prior must be \"uniform\" or a list",
        ),
        (
            {"train_transform": {"type": "RandomScaleCrop", "crop_size": 16, "ignore_index": 0}},
            r"train_transform\.ignore_index=0, and the data set's void is 255: leave it out",
        ),
        ({"ema": 1}, "ema must be of type dict, not 1"),
        ({"seed": "abc"}, "seed must be an integer, not 'abc'"),
        ({"losses": []}, "losses is empty"),
        ({"losses": None}, "losses must be of type"),
        ({"losses": ["CE"]}, r"losses\.0 must be a dict"),
        ({"log_interval": 0}, "log_interval"),
        ({"model": 5}, "model must be of type dict"),
        ({"inference": None}, "inference must be of type dict"),
        ({"sync_bn": "torhc"}, "'torhc'"),
        ({"train_cfg": {"val_interval": 4}}, "either max_iters or max_epochs"),
        ({"model": {"network": {"type": "torch.nn.Conv2d", "in_chanels": 3}}}, "in_chanels"),
        ({"model": {"network": {"type": "torch.nn.ReLU"}, "encoder": "resnet18"}}, "drop encoder"),
    ],
)
def test_wrong_values_are_named_before_anything_is_written(tmp_path, changes, words):
    with pytest.raises(ConfigError, match=words):
        run(tmp_path, **changes)
    assert not (tmp_path / "run").exists()


def test_what_a_crop_pads_is_the_void_of_the_data_set(tmp_path):
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
        picture = np.ones((8, 8) + (3,) * (folder == "images"), np.uint8)
        Image.fromarray(picture).save(tmp_path / folder / "a.png")
    clean = FolderDataset(tmp_path, classes=["a", "b"], ignore_index=99)
    transform = {"type": "RandomScaleCrop", "crop_size": 32, "scale": (1.0, 1.0)}
    stream = training_stream(clean, {"train_transform": transform, "seed": 0})
    assert set(np.unique(stream[0]["mask"])) == {1, 99}


def test_checkpoints_are_written_with_every_validation_by_default(tmp_path):
    config = complete({**tiny_training.config(tmp_path), "train_cfg": {"max_iters": 8}})
    assert config["train_cfg"]["val_interval"] == 2000
    train(config)
    assert (tmp_path / "run" / "last.pth").exists()


def test_a_run_without_validation(tmp_path):
    result = run(tmp_path, val_data=None)
    assert result.best is None
    text = summary(result)
    assert "best.pth" not in text
    assert f"{result.folder}/last.pth" in text
