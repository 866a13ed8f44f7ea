"""What a command line names: in the notation of calls, instead of what the config says."""

import argparse

import pytest
import tiny_training

from segnoise import cli as command
from segnoise.benchmark.grid import load_grid
from segnoise.engine import cli
from segnoise.engine.config import load_config
from segnoise.engine.notation import LONGEST, part, title
from segnoise.errors import ConfigError


@pytest.fixture
def leaf(tmp_path):
    return tiny_training.write(tmp_path / "leaf.py", tiny_training.config(tmp_path, work_dir=None))


def parsed(*arguments):
    given = cli.parser("A tool.")
    cli.add_options(given)
    cli.add_parts(given, "loss", "noise", "method", "recipe")
    return given.parse_args(arguments)


@pytest.mark.parametrize(
    ("text", "config"),
    [
        ("NCE+AGCE", {"type": "NCE+AGCE"}),
        (" GCE ( q = 0.5 ) ", {"type": "GCE", "q": 0.5}),
        ("torch.nn.CrossEntropyLoss()", {"type": "torch.nn.CrossEntropyLoss"}),
        ("CE(class_weights=[1, 2.5])", {"type": "CE", "class_weights": [1, 2.5]}),
        ("LogitClip(base='CE(x)', tau=-1)", {"type": "LogitClip", "base": "CE(x)", "tau": -1}),
    ],
)
def test_calls(text, config):
    assert part(text, "loss") == config


@pytest.mark.parametrize(
    "text", ["", "CE(", "CE(1)", "CE)(", "CE()()", "CE, GCE", "-CE", "CE(type='GCE')", "CE(q=x y)"]
)
def test_what_is_no_call(text):
    with pytest.raises(ConfigError, match=r"is no loss: write it like CE, \"ANL-CE"):
        part(text, "loss")


def test_changes_come_before_options(leaf):
    arguments = parsed(
        "--loss", "GCE(q=0.6)", "--loss", "Dice(weight=2)", "--noise", "SymmetricFlip(rate=0.2)",
        "--method", "ObjectTeacher(background=0)",
        "--cfg-options", "noise.rate=0.3", "losses.0.q=0.7",
    )  # fmt: skip
    config = load_config(leaf, cli.changes(arguments))
    assert config["losses"] == [{"type": "GCE", "q": 0.7}, {"type": "Dice", "weight": 2}]
    assert config["noise"] == {"type": "SymmetricFlip", "rate": 0.3}
    assert config["methods"] == [{"type": "ObjectTeacher", "background": 0}]


def test_a_recipe_takes_the_place_of_losses_and_a_loss_that_of_a_recipe(leaf):
    config = load_config(leaf, cli.changes(parsed("--recipe", "auto")))
    assert (config["recipe"], config["losses"]) == ("auto", [])
    leaf.write_text(f"{leaf.read_text()}\nrecipe = 'auto'\nlosses = []\n")
    config = load_config(leaf, cli.changes(parsed("--loss", "CE", "--noise", "none")))
    assert (config["recipe"], config["losses"], config["noise"]) == (None, [{"type": "CE"}], None)
    with pytest.raises(ConfigError, match="leave out --loss and --method"):
        cli.changes(parsed("--recipe", "auto", "--loss", "CE"))


def test_names_of_runs():
    assert title("unet", []) == "unet"
    long = [title("unet", [f"CE(class_weights={[number] * 99})"]) for number in (1, 2)]
    assert long[0] != long[1]
    assert all(len(name) == LONGEST + 9 for name in long)
    assert cli.run_name("unet", argparse.Namespace(noise="none")) == "unet_none"


def test_a_training_says_what_it_was_told(leaf, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = ["--loss", "NCE+RCE", "--noise", "SymmetricFlip(rate=0.2)"]
    assert command.main(["train", str(leaf), *flags]) == 0
    written = load_config(tmp_path / "work_dirs/leaf_NCE+RCE_SymmetricFlip_rate=0.2/config.py")
    assert written["losses"] == [{"type": "NCE+RCE"}]
    assert written["noise"] == {"type": "SymmetricFlip", "rate": 0.2}


def test_a_grid_of_a_training_config(leaf, capsys):
    named = {
        "losses": {"CE": [{"type": "CE"}], "recipe auto": {"recipe": "auto"}},
        "noises": {"clean": None},
        "methods": {"plain": {}, "teacher": {"methods": [{"type": "ObjectTeacher"}]}},
        "seeds": [3, 4],
    }
    cells = [str(cell) for cell in load_grid(leaf, named=named).cells()]
    assert cells == [
        f"leaf / clean / {trained} / seed {seed}"
        for seed in (3, 4)
        for trained in ("CE / plain", "CE / teacher", "recipe auto / plain")
    ]
    assert command.main(["benchmark", str(leaf), "--dry-run", "--loss", "CE"]) == 2
    assert "name what to compare, with --loss" in capsys.readouterr().err


def test_flags_take_the_place_of_a_grid_and_its_skip(tmp_path):
    grid = tmp_path / "grid.py"
    grid.write_text(
        f"datasets = dict(a={str(tmp_path / 'leaf.py')!r})\nnoises = dict(clean=None)\n"
        "losses = dict(CE=[dict(type='CE')])\nskip = [dict(loss='CE')]\n"
    )
    found = load_grid(grid, named={"losses": {"GCE": [{"type": "GCE"}]}, "seeds": None})
    assert (found.baseline, [str(c) for c in found.cells()]) == (
        "GCE",
        ["a / clean / GCE / plain / seed 0"],
    )


def test_flags_leave_a_grids_own_mistakes_to_be_named(tmp_path):
    grid = tmp_path / "grid.py"
    grid.write_text("datasets = dict(a='leaf.py')\nnoises = dict(clean=None)\n")
    with pytest.raises(ConfigError, match="losses is missing"):
        load_grid(grid, named={"seeds": [1]})
    grid.write_text(f"{grid.read_text()}losses = dict(GCE=[dict(type='GCE')])\nbaseline = 'CE'\n")
    with pytest.raises(ConfigError, match="baseline 'CE' is none of the losses"):
        load_grid(grid, named={"seeds": [1]})


def test_long_names_that_are_not_ascii_fit_a_file_system():
    for name in (title("ü" * 300, ["CE"]), title("unet", [f"CE(name='{'界' * 300}')"])):
        assert len(name.encode()) <= LONGEST + 9
