"""The benchmarks run, at a size that says nothing about speed."""

import json
import runpy
import sys
from pathlib import Path

import pytest

from segnoise import kernels
from segnoise.losses.names import short_names
from segnoise.methods import METHODS

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SMALL = ["--size", "64", "128", "--rounds", "1"]


@pytest.fixture
def main(monkeypatch):
    """Return a function that loads a benchmark and returns its main()."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setenv(kernels.VARIABLE, "auto")  # which they change
    return lambda name: runpy.run_path(str(BENCHMARKS / f"{name}.py"))["main"]


def test_noise_has_rows(main, tmp_path, capsys):
    main("noise")([*SMALL, "--json", str(tmp_path / "noise.json")])
    printed = capsys.readouterr().out
    result = json.loads((tmp_path / "noise.json").read_text())
    assert {"Compose", "realised_noise"} < {row["model"] for row in result["rows"]}
    assert all(row["ratio"] > 0 for row in result["rows"] + result["erosion_peers"])
    assert len(result["erosion_peers"]) == 2
    for row in result["rows"]:
        assert f"| {row['name']} | {row['model']} |" in printed
        assert row["model"] == "realised_noise" or row["changed"] > 0


def test_noise_measures_only_what_is_named(main, capsys):
    main("noise")([*SMALL, "--models", "SymmetricFlip", "to void"])
    lines = capsys.readouterr().out.splitlines()
    models = [line.split(" | ")[1] for line in lines if line.startswith("| ")]
    assert models == ["model", "SymmetricFlip", "SymmetricFlip", "BoundaryErosion"]


def test_noise_says_what_is_missing(main, monkeypatch, capsys):
    noise = main("noise")
    with pytest.raises(SystemExit, match="--models flop: no such row; there are: symmetric flip"):
        noise(["--models", "flop"])
    monkeypatch.setitem(noise.__globals__, "MODELS", {})
    with pytest.raises(SystemExit, match="no such row"):
        noise(["--models", "erosion"])
    assert "not measured: Annotators, AreaControlled" in capsys.readouterr().out


@pytest.mark.slow
def test_losses_has_a_row_for_every_loss_and_is_drawn(main, tmp_path, capsys):
    file, picture = tmp_path / "losses.json", tmp_path / "losses.svg"
    shape = ["--shape", "2", "3", "8", "8", "--rounds", "1", "--device", "cpu"]
    main("losses")([*shape, "--json", str(file)])
    printed = capsys.readouterr().out
    (table,) = json.loads(file.read_text())["tables"]
    assert {row["loss"] for row in table["rows"]} == {
        *(name for name in short_names() if name != "L1"),
        "ANL-CE, naive port",
        "BCE with logits",
    }
    assert all(row["both"] > 0 for row in table["rows"])
    for row in table["rows"]:
        assert f"| {row['loss']} | {row['kernels']} |" in printed
    main("plot_losses")([str(file), str(picture)])
    text = picture.read_text()
    assert all(word in text for word in ("ANL-CE, naive port", "F.cross_entropy", "floor"))


def test_losses_names_an_unknown_one(main):
    with pytest.raises(SystemExit, match="--losses NCEE: no such loss; there are: "):
        main("losses")(["--losses", "NCEE"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments", "rows"),
    [
        ("metrics", "--rounds 1 --shape 1 5 64 64", ["confusion_matrix_from_scores"]),
        ("upsampling", "--rounds 1 --shape 1 5 64 64", ["CE", "GCE", "NCE+AGCE", "ANL-CE"]),
        (
            "training_step",
            "--rounds 1 --size 64 --batch-size 1 --encoder timm-mobilenetv3_small_100",
            ["ANL-CE, naive port", "F.cross_entropy", "ANL-CE"],
        ),
    ],
)
def test_small_runs_have_their_rows(main, capsys, name, arguments, rows):
    main(name)([*arguments.split(), "--device", "cpu"])
    printed = capsys.readouterr().out
    for row in rows:
        assert f"\n| {row} | " in printed


def test_settings_of_anl_are_drawn(main, tmp_path):
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
    draw = main("plot_anl")
    draw(files)
    assert all(word in picture.read_text() for word in ("5:5 w, warm-up", "CE", "Dice"))
    (tmp_path / "full.csv").write_text(header)
    with pytest.raises(SystemExit, match="no finished run of CE on clean labels"):
        draw(files)


@pytest.mark.slow
def test_methods_has_a_row_for_every_method(main, monkeypatch, capsys):
    small = ["--size", "64", "--batch-size", "2", "--rounds", "1"]
    small += ["--encoder", "timm-mobilenetv3_small_100"]
    monkeypatch.setattr(sys, "argv", ["methods.py", *small])
    main("methods")()
    printed = capsys.readouterr().out
    for name in METHODS:
        assert f"| {name}" in printed
