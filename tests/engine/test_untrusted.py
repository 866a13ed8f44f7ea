"""Configs of others: data runs no code, code is announced, and what fails is one line."""

import json
import os
import re
from pathlib import Path

import pytest
import tiny_training

from segnoise import cli as command
from segnoise.benchmark import doses
from segnoise.benchmark.grid import load_grid
from segnoise.engine import config_files
from segnoise.engine.config import dump_config, load_config
from segnoise.engine.evaluate import evaluate, stored_config
from segnoise.engine.resume import as_json
from segnoise.engine.schema import complete
from segnoise.engine.train import train
from segnoise.errors import CheckpointError, ConfigError, RecordError

EVIL = "evil_module_of_a_test"


@pytest.fixture
def evil(tmp_path, monkeypatch):
    """A module that leaves a mark when it is imported, and the mark."""
    mark = tmp_path / "ran"
    (tmp_path / f"{EVIL}.py").write_text(
        f"from pathlib import Path\nPath({str(mark)!r}).touch()\n"
        "from segnoise.noise import SymmetricFlip as Mine\n"
        "def run(*_, **__):\n    raise SystemExit(5)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield mark
    __import__("sys").modules.pop(EVIL, None)


PLACES = [
    {"noise": {"type": f"{EVIL}.run"}},
    {"noise": {"type": "Compose", "noises": [{"type": f"{EVIL}.run"}]}},
    {"train_data": {"type": f"{EVIL}.run"}},
    {"train_transform": {"type": f"{EVIL}.run"}},
    {"model": {"type": f"{EVIL}.run"}},
    {"model": {"network": {"type": f"{EVIL}.run"}}},
    {"losses": [{"type": f"{EVIL}.run"}]},
    {"methods": {"type": "ObjectTeacher", "loss": {"type": f"{EVIL}.run"}}},
    {"optim_wrapper": {"optimizer": {"type": f"{EVIL}.run"}}},
    {"optim_wrapper": {"type": f"{EVIL}.run", "optimizer": {"type": "SGD"}}},
    {"optim_wrapper": {"constructor": f"{EVIL}.run", "optimizer": {"type": "SGD"}}},
    {"param_scheduler": [{"type": f"{EVIL}.run"}]},
    {"ema": {"ema_type": f"{EVIL}.run"}},
    {"custom_hooks": [{"type": f"{EVIL}.run"}]},
    {"custom_hooks": [{"type": "PrepareTTAHook", "tta_cfg": {"type": f"{EVIL}.run"}}]},
    {"custom_imports": {"imports": [EVIL]}},
    {"custom_imports": [EVIL]},
]


@pytest.mark.parametrize("config", PLACES, ids=lambda c: json.dumps(c).replace(EVIL, "x")[:50])
def test_a_config_that_is_data_runs_nothing(tmp_path, evil, config):
    path = tmp_path / "leaf.json"
    path.write_text(json.dumps(config))
    with pytest.raises(ConfigError, match=rf"may not import .*--allow-imports {EVIL}") as error:
        load_config(path)
    assert str(error.value).startswith(f"{path}: ")
    assert not evil.exists()


@pytest.mark.parametrize("name", ["CheckpointHook", "mmengine.hooks.CheckpointHook"])
def test_a_hook_that_writes_anywhere_must_be_allowed(tmp_path, name):
    path = tmp_path / "leaf.json"
    path.write_text(json.dumps({"custom_hooks": [{"type": name, "out_dir": "/somewhere"}]}))
    with pytest.raises(ConfigError, match=r"may not import 'mmengine.hooks.CheckpointHook'"):
        load_config(path)
    assert load_config(path, allow_imports=["mmengine"])["custom_hooks"][0]["type"] == name


@pytest.mark.parametrize("suffix", ["json", "yaml", "yml"])
def test_what_is_allowed_may_be_named(tmp_path, evil, suffix):
    path = tmp_path / f"leaf.{suffix}"
    path.write_text(json.dumps({"noise": {"type": f"{EVIL}.Mine", "rate": 0.5}}))  # YAML too
    assert load_config(path, allow_imports=[EVIL])["noise"]["rate"] == 0.5
    assert evil.exists()
    with pytest.raises(ConfigError, match=r"--allow-imports: .*there is no module nowhere_at_all"):
        load_config(path, allow_imports=["nowhere_at_all"])
    # Whoever types a command may name anything.
    path.write_text("{}")
    named = {"noise": {"type": f"{EVIL}.Mine", "rate": 0.4}}
    assert load_config(path, named)["noise"]["rate"] == 0.4


KEYS = {
    "x': __import__('pathlib').Path(MARK).touch(), 'y": {"lr_mult": 1.0},
    '{{$NOT_SET:\\\'+str(__import__("pathlib").Path(MARK).touch())#"}}': {"lr_mult": 1.0},
    "a\nb": {"lr_mult": 1.0},
    "{{ fileDirname }}": {"lr_mult": 1.0},
}


def test_a_config_that_is_data_stays_data_in_the_runs_folder(tmp_path):
    """A run's config.py is run when it is read again, so nothing in it may be more than a value."""
    mark = tmp_path / "ran"
    keys = {key.replace("MARK", repr(str(mark))): value for key, value in KEYS.items()}
    given = {
        "optim_wrapper": {"optimizer": {"type": "SGD"}, "paramwise_cfg": {"custom_keys": keys}}
    }
    clip = {"max_norm": 1.0, "norm_type": float("inf")}
    (tmp_path / "theirs.json").write_text(json.dumps(given))
    config = load_config(tmp_path / "theirs.json", {"optim_wrapper.clip_grad": clip})
    (tmp_path / "config.py").write_text(dump_config(config))
    assert load_config(tmp_path / "config.py") == config
    assert not mark.exists()


def test_a_config_that_was_stored_is_data_that_loads(tmp_path):
    plain = tiny_training.config(
        tmp_path,
        model={"network": {"type": "torch.nn.Conv2d", "in_channels": 3, "kernel_size": 1}},
        losses=[{"type": "torch.nn.CrossEntropyLoss"}],
        noise={"type": "segnoise.noise.models.flips.SymmetricFlip", "rate": 0.5},
        optim_wrapper={"optimizer": {"type": "torch.optim.Adam", "lr": 0.1}},
    )
    stored = json.loads(as_json(complete(plain)))
    path = tmp_path / "leaf.json"
    path.write_text(json.dumps(stored))
    assert json.loads(as_json(load_config(path))) == stored
    for name in ("torch.load", "torch.nn.init.os.system", "torch.hub.load", "segnoise.files.Path"):
        path.write_text(json.dumps({**stored, "noise": {"type": name}}))
        with pytest.raises(ConfigError, match="may not import"):
            load_config(path)


def test_what_our_own_configs_store_is_data_that_loads():
    """They import a class from its room, `segnoise.models`, which is not where it is defined."""
    leaves = sorted(Path("configs").glob("[!_]*/*_*_*.py"))
    assert len(leaves) == 11
    for leaf in leaves:
        stored = json.loads(as_json(load_config(leaf)))
        assert config_files.trusted(stored, str(leaf)) == stored
    for name in ("segnoise.files.os.system", "segnoise..models", "mmengine.optim.os", "segnoise."):
        with pytest.raises(ConfigError, match="may not import"):
            config_files.trusted({"noise": {"type": name}}, "theirs.json")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", b"[]", "a config is an object with keys"),
        ("a.json", b"{", "no JSON"),
        ("a.json", b'{"seed": NaN}', "NaN is no JSON"),
        ("a.json", b'{"model": ' + b"[" * 5000 + b"]" * 5000 + b"}", "nested too deeply"),
        ("a.json", b'{"_base_": "other.py"}', "has no _base_"),
        ("a.json", b"\xff\xfe", "not UTF-8"),
        ("a.yaml", b"a: &x [1]\nb: *x", "aliases"),
        ("a.yaml", b"a: &x [*x]", "aliases"),
        ("a.yaml", b"seed: 2020-01-01", "seed is a date"),
        ("a.yaml", b"model: !!python/object/apply:os.system [ls]", "could not determine a constr"),
        ("a.yaml", b"{", "expected"),
        ("a.yaml", b"\xff\xfe\x00", "utf-8"),
        ("a.yaml", b"model: " + b"[" * 5000, "recursion"),
        ("a.py", b"import sys\nsys.exit()\n", r"calls sys.exit\(None\)"),
        ("a.py", b"raise SystemExit(0)\n", r"calls sys.exit\(0\)"),
        ("a.py", b"x = 1 / 0\n", "ZeroDivisionError"),
        ("a.py", b"x = (\n", "SyntaxError"),
        ("a.py", b"\xff", "a.py: "),
        ("a.py", b"seed = 0\x00", "a.py: "),
        ("a.py", b"def f():\n    f()\nf()\n", "RecursionError"),
    ],
)
def test_files_that_do_not_load_are_one_line(tmp_path, capsys, name, content, words):
    (tmp_path / name).write_bytes(content)
    for tool in ("train", "check_dataset"):
        assert command.main([tool, str(tmp_path / name)]) == 2
        error = capsys.readouterr().err.rstrip().splitlines()[-1]
        assert error.startswith("error: ")
        assert re.search(words, error), error
        assert str(tmp_path / name) in error


def test_a_grid_that_is_data_names_no_code(tmp_path, evil):
    (tmp_path / "leaf.py").write_text(f"import {EVIL}\n")
    (tmp_path / "leaf.json").write_text(json.dumps({"noise": {"type": f"{EVIL}.Mine", "rate": 1}}))
    shipped = "configs/phantoms/unet_r18_phantoms_200.py"
    grid = {"noises": {"clean": None}, "losses": {"CE": {"type": "CE"}}}
    path = tmp_path / "grid.json"
    path.write_text(json.dumps({**grid, "datasets": {"a": str(tmp_path / "leaf.py")}}))
    with pytest.raises(ConfigError, match=r"datasets\.a: a grid that is data may not run"):
        load_grid(path)
    path.write_text(json.dumps({**grid, "losses": {"x": {"type": f"{EVIL}.run"}}, "datasets": {}}))
    with pytest.raises(ConfigError, match="may not import"):
        load_grid(path)
    imports = {"custom_imports": [EVIL]}
    for own in ({"options": imports, "datasets": {"a": shipped}},
                {"datasets": {"a": {"config": shipped, "options": imports}}}):  # fmt: skip
        path.write_text(json.dumps({**grid, **own}))
        with pytest.raises(ConfigError, match=r"options\.custom_imports: .*may not import"):
            load_grid(path)
    assert not evil.exists()
    path.write_text(
        json.dumps({**grid, "datasets": {"a": shipped, "b": str(tmp_path / "leaf.json")}})
    )
    found = load_grid(path, [EVIL])
    assert found.allow_imports == (EVIL,)
    assert load_grid(path).datasets["a"]["config"] == shipped


def test_a_stored_dose_imports_nothing(tmp_path, evil):
    path = tmp_path / "noises" / "a" / "x.json"
    path.parent.mkdir(parents=True)
    found = {"request": "{}", "measure": "miou", "target": 0.1, "reached": 0.1, "hit": True}
    wanted = {"dose": 0.1, "noise": {"type": "SymmetricFlip"}}
    for noise, words in (
        ({"type": f"{EVIL}.run"}, f"its noise is '{EVIL}.run', which the grid does not name"),
        ({"type": "Nothing"}, "Nothing"),
        ({}, "lacks"),
    ):
        path.write_text(json.dumps({**found, "noise": noise}))
        with pytest.raises(RecordError, match=words) as error:
            doses.stored_dose(tmp_path, "a", "x", wanted, {})
        assert str(error.value).startswith(f"{path}: damaged: ")
    assert not evil.exists()


@pytest.mark.parametrize(
    ("mode", "owner", "words"),
    [
        (0o644, True, ""),
        (0o666, True, "can be written by everyone"),
        (0o664, True, "can be written by the group"),
        (0o644, False, "belongs to "),
    ],
)
def test_code_that_others_can_have_written_is_announced(
    tmp_path, capsys, monkeypatch, mode, owner, words
):
    path = tmp_path / "leaf.py"
    path.write_text("seed = 3\n")
    path.chmod(mode)
    monkeypatch.setattr(config_files, "_is_own_group", lambda status: False)
    if not owner:
        monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    assert load_config(path)["seed"] == 3
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == (f"{path} is a Python config, which runs as code" in said)
    assert bool(said) == bool(words)
    assert load_config("configs/phantoms/unet_r18_phantoms_200.py")
    assert capsys.readouterr().err == "", "our own configs are no one else's"


READ_BASE = "from mmengine.config import read_base\nwith read_base():\n    from "


@pytest.mark.parametrize(
    "leaf", [f"{READ_BASE}..own.base import *\n", "_base_ = ['../own/deep.py']\n"]
)
def test_files_that_a_config_reads_are_announced_too(tmp_path, capsys, leaf):
    texts = {
        "leaf/leaf.py": leaf, "own/base.py": f"{READ_BASE}.deep import *\n",
        "own/deep.py": "seed = 3\n",
    }  # fmt: skip
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o666 if name == "own/deep.py" else 0o600)
    assert load_config(tmp_path / "leaf" / "leaf.py")["seed"] == 3
    (said,) = capsys.readouterr().err.splitlines()
    assert "own/deep.py is a Python config, which runs as code, and can be written by" in said


def test_a_checkpoint_is_tested_without_code_of_its_author(tmp_path, capsys):
    mine = tiny_training.config(tmp_path)
    conv = {"type": "torch.nn.Conv2d", "in_channels": 3, "out_channels": 5, "kernel_size": 1}
    mine["model"] = {"network": conv}
    folder = train(complete({**mine, "train_cfg": {"max_iters": 2}})).folder
    expected = evaluate(load_config(folder / "config.py"), folder / "best.pth")
    ran = folder / "ran"
    (folder / "config.py").write_text(f"open({str(ran)!r}, 'w')\n")
    for place in (folder, folder / "best.pth"):
        assert command.main(["test", str(place), "--overwrite"]) == 0
        assert json.loads((folder / "test_best.json").read_text()) == expected
    capsys.readouterr()
    assert not ran.exists()
    (folder / "best.pth").unlink()
    changed = ["--cfg-options", "test_data.num_images=2", "--json", str(tmp_path / "x.json")]
    assert command.main(["test", str(folder), "--split", "test", *changed]) == 0
    assert json.loads((tmp_path / "x.json").read_text())["samples"] == 2


def test_a_network_of_its_author_is_allowed_by_name(tmp_path):
    config = tiny_training.config(tmp_path, train_cfg={"max_iters": 1})
    folder = train(complete(config)).folder
    with pytest.raises(ConfigError, match=r"model\.network\.type: .*--allow-imports tiny_training"):
        stored_config(folder / "last.pth", {})
    found = stored_config(folder / "last.pth", {}, ["tiny_training"])
    assert evaluate(found, folder / "last.pth")["samples"] == 6


def test_weights_alone_want_a_config(tmp_path, capsys):
    import torch

    torch.save({"w": torch.ones(1)}, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"w\.pth: holds weights without a config: segnoise"):
        stored_config(tmp_path / "w.pth", {})
    for text in ("[]", "{", "7"):
        state = {"network.w": torch.ones(1)}
        torch.save({"state_dict": state, "meta": {"config": text}}, tmp_path / "w.pth")
        with pytest.raises(CheckpointError, match=r"w\.pth: its config is damaged"):
            stored_config(tmp_path / "w.pth", {})
