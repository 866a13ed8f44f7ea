"""The benchmarks run, at a size that says nothing about speed."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from segnoise.losses import LOSSES
from segnoise.methods import METHODS
from segnoise.noise import NOISES

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SMALL = ["--size", "64", "128", "--rounds", "1"]


def run(*command):
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)


def test_noise_has_a_row_for_every_model(tmp_path):
    done = run(str(BENCHMARKS / "noise.py"), *SMALL, "--json", str(tmp_path / "noise.json"))
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "noise.json").read_text())
    assert {row["model"] for row in result["rows"]} == {*NOISES, "realised_noise"}
    assert all(row["ratio"] > 0 for row in result["rows"] + result["erosion_peers"])
    assert len(result["erosion_peers"]) == 2
    for row in result["rows"]:
        assert f"| {row['name']} | {row['model']} |" in done.stdout
        assert row["model"] == "realised_noise" or row["changed"] > 0


@pytest.fixture
def here(monkeypatch):
    """Return a function that loads a benchmark into this process, for what measures nothing."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return lambda name: runpy.run_path(str(BENCHMARKS / f"{name}.py"))


def test_noise_measures_only_what_is_named():
    done = run(str(BENCHMARKS / "noise.py"), *SMALL, "--models", "SymmetricFlip", "to void")
    assert done.returncode == 0, done.stderr
    models = [line.split(" | ")[1] for line in done.stdout.splitlines() if line.startswith("| ")]
    assert models == ["model", "SymmetricFlip", "SymmetricFlip", "BoundaryErosion"]


def test_noise_says_what_is_missing(here, monkeypatch):
    main = here("noise")["main"]
    with pytest.raises(SystemExit, match="--models flop: no such row; there are: symmetric flip"):
        main(["--models", "flop"])
    monkeypatch.setitem(main.__globals__, "MODELS", {})
    with pytest.raises(SystemExit, match="no row for "):
        main([])


@pytest.mark.slow
def test_losses_has_a_row_for_every_loss(tmp_path):
    done = run(
        str(BENCHMARKS / "losses.py"),
        *("--shape", "2", "3", "8", "8", "--rounds", "1", "--device", "cpu"),
        *("--json", str(tmp_path / "losses.json")),
    )
    assert done.returncode == 0, done.stderr
    (table,) = json.loads((tmp_path / "losses.json").read_text())["tables"]
    short = {name for name in LOSSES if not name.endswith(("Loss", "Regularizer"))}
    assert {row["loss"] for row in table["rows"]} == {
        *short,
        "ANL-CE, naive port",
        "BCE with logits",
    }
    assert all(row["both"] > 0 for row in table["rows"])
    for row in table["rows"]:
        assert f"| {row['loss']} | {row['kernels']} |" in done.stdout


def test_losses_names_an_unknown_one(here):
    with pytest.raises(SystemExit, match="--losses NCEE: no such loss; there are: "):
        here("losses")["main"](["--losses", "NCEE"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments", "rows"),
    [
        ("metrics", "--rounds 1 --shape 1 5 64 64", ["confusion_matrix_from_scores"]),
        ("upsampling", "--rounds 1 --shape 1 5 64 64", ["CE", "GCE", "NCE+AGCE", "ANL-CE"]),
        (
            "training_step",
            "--rounds 1 --size 64 --batch-size 1 --encoder resnet18",
            ["ANL-CE, naive port", "F.cross_entropy", "ANL-CE"],
        ),
    ],
)
def test_small_runs_have_their_rows(name, arguments, rows):
    done = run(str(BENCHMARKS / f"{name}.py"), *arguments.split(), "--device", "cpu")
    assert done.returncode == 0, done.stderr
    for row in rows:
        assert f"\n| {row} | " in done.stdout


@pytest.mark.slow
def test_losses_are_drawn(tmp_path):
    table, picture = tmp_path / "losses.json", tmp_path / "losses.svg"
    measured = run(
        str(BENCHMARKS / "losses.py"),
        *("--shape", "1", "3", "8", "8", "--rounds", "1", "--device", "cpu"),
        *("--losses", "CE", "ANL-CE", "--json", str(table)),
    )
    assert measured.returncode == 0, measured.stderr
    drawn = run(str(BENCHMARKS / "plot_losses.py"), str(table), str(picture))
    assert drawn.returncode == 0, drawn.stderr
    text = picture.read_text()
    assert all(word in text for word in ("ANL-CE, naive port", "F.cross_entropy", "floor"))


def test_settings_of_anl_are_drawn(tmp_path):
    header = "dataset,noise,loss,method,seed,status,mIoU_last\n"
    rows = [
        f"phantoms,{n},{{}},{{}},{seed},done,5{seed}.5" for n in ("clean", "swap") for seed in "01"
    ]
    tables = {"anl": [("5:5 w", "warm-up")], "full": [("CE", "plain"), ("Dice", "plain")]}
    for name, kinds in tables.items():
        lines = [row.format(*kind) for kind in kinds for row in rows]
        (tmp_path / f"{name}.csv").write_text(header + "\n".join(lines))
    picture = tmp_path / "anl.svg"
    files = [str(tmp_path / "anl.csv"), str(tmp_path / "full.csv"), str(picture)]
    drawn = run(str(BENCHMARKS / "plot_anl.py"), *files)
    assert drawn.returncode == 0, drawn.stderr
    assert all(word in picture.read_text() for word in ("5:5 w, warm-up", "CE", "Dice"))
    (tmp_path / "full.csv").write_text(header)
    drawn = run(str(BENCHMARKS / "plot_anl.py"), *files)
    assert "no finished run of CE on clean labels" in drawn.stderr


@pytest.mark.slow
def test_methods_has_a_row_for_every_method():
    small = ["--size", "64", "--batch-size", "2", "--rounds", "1"]
    done = run(str(BENCHMARKS / "methods.py"), *small)
    assert done.returncode == 0, done.stderr
    for name in METHODS:
        assert f"| {name}" in done.stdout
