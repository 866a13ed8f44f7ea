"""Numbers and paths on the command line: in bounds, or one line and exit code 2."""

import importlib

import pytest
import tiny_training

from segnoise import cli
from segnoise.engine.schema import complete
from segnoise.engine.train import train
from segnoise.errors import ConfigError

WRONG = ("True", "-1", "nan", "inf", str(2**40), "x", "None", "")
# Each tool's numeric flags, beside what it must be given, and the values of WRONG that they take.
FLAGS = [
    ("benchmark", ["grid.py"], "--jobs", ()),
    ("browse_noise", ["c.py"], "--images", ()),
    ("browse_noise", ["c.py"], "--sample", ()),
    ("browse_noise", ["c.py"], "--seed", ()),
    ("browse_noise", ["c.py"], "--target", ()),
    ("calibrate", ["c.py"], "--target", ()),
    ("calibrate", ["c.py"], "--sample", ()),
    ("check_dataset", ["c.py"], "--images", ()),
    ("check_dataset", ["c.py"], "--max-problems", ()),
    ("compare_masks", ["a", "b", "--classes", "x"], "--workers", ()),
    ("compare_masks", ["a", "b", "--classes", "x"], "--ignore-index", ("-1",)),
    ("convert_sbd", ["a", "b"], "--workers", ()),
    ("corrupt", ["c.py", "--dry-run"], "--sample", ()),
    ("corrupt", ["c.py", "--dry-run"], "--workers", ()),
    ("test", ["c.py", "x.pth"], "--scales", ()),
]


def message(capsys, tool, *arguments):
    """The one line of a tool that leaves with exit code 2 before it does anything."""
    with pytest.raises(SystemExit) as stop:
        importlib.import_module(f"segnoise.tools.{tool}").main([*arguments])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize(("tool", "needed", "flag", "taken"), FLAGS)
def test_numbers(capsys, tool, needed, flag, taken):
    for value in set(WRONG) - set(taken):
        line = message(capsys, tool, *needed, f"{flag}={value}")
        assert line.startswith(f"error: argument {flag}: must be "), line
        assert "--help" in line


@pytest.mark.parametrize(
    ("tool", "needed", "flag"),
    [
        ("train", ["c.py"], "--work-dir"),
        ("test", ["c.py", "x.pth"], "--out"),
        ("corrupt", ["c.py"], "--out"),
        ("compare_masks", ["a", "b", "--classes", "x"], "--out"),
    ],
)
def test_paths(capsys, tool, needed, flag):
    assert "no such user" in message(capsys, tool, *needed, f"{flag}=~nobody-at-all/x")
    assert "''" in message(capsys, tool, *needed, f"{flag}=")
    assert "no text in UTF-8" in message(capsys, tool, *needed, f"{flag}=r\udcff")
    assert "NUL" in message(capsys, tool, *needed, f"{flag}=a\0b")


def test_a_number_in_bounds_is_taken():
    from segnoise.engine import cli

    assert cli.integer(1, 8)("8") == 8
    assert cli.number(above=0, most=16)("0.75") == 0.75
    assert cli.seed(str(2**32 - 1)) == 2**32 - 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["corrupt", "", "--dry-run"], "no config"),
        (["test", "configs/phantoms/unet_r18_phantoms_200.py", "."], "."),
        (["train", "."], "no config ."),
        (["calibrate", "nowhere.py", "--noise", "a.b()"], "no config nowhere.py"),
    ],
)
def test_odd_names_are_one_line(capsys, arguments, words):
    from segnoise import cli

    assert cli.main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert line.startswith("error: ")
    assert words in line
    assert "Traceback" not in line


def test_paths_of_a_config_know_the_home_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    changes = {"train_cfg": {"max_iters": 2, "val_interval": 2}, "num_pictures": 0}
    first = tiny_training.config(tmp_path, **changes, work_dir="~/run")
    train(complete(first))
    assert (tmp_path / "home" / "run" / "last.pth").exists()
    second = {**first, "work_dir": "~/second", "load_from": "~/run/last.pth"}
    assert train(complete(second)).folder == tmp_path / "home" / "second"
    assert not (tmp_path / "~").exists()
    with pytest.raises(ConfigError, match="this machine knows no such user"):
        train(complete({**first, "work_dir": "~no-such-user/run"}))


@pytest.mark.parametrize(
    ("tool", "flag"), [("train", "--noise"), ("train", "--recipe"), ("benchmark", "--recipe")]
)
def test_a_flag_that_is_empty_is_not_left_out(tool, flag, capsys):
    config = "configs/phantoms/unet_r18_phantoms_200.py"
    assert cli.main([tool, config, flag, ""]) == 2
    assert f"error: {flag} is empty: name one" in capsys.readouterr().err
