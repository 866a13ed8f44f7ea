"""The benchmarks run, at a size that says nothing about speed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_noise_measures_only_what_is_named():
    done = run(str(BENCHMARKS / "noise.py"), *SMALL, "--models", "SymmetricFlip", "to void")
    assert done.returncode == 0, done.stderr
    models = [line.split(" | ")[1] for line in done.stdout.splitlines() if line.startswith("| ")]
    assert models == ["model", "SymmetricFlip", "SymmetricFlip", "BoundaryErosion"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("main(['--models', 'flop'])", "--models flop: no such row; there are: symmetric flip"),
        ("MODELS.clear(); main([])", "no row for "),
    ],
)
def test_noise_says_what_is_missing(code, message):
    done = run("-c", f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r}); import noise; "
               f"from noise import MODELS, main; {code}")  # fmt: skip
    assert done.returncode == 1
    assert message in done.stderr
