"""Calibration as a user runs it."""

import ast
from pathlib import Path

import pytest

from segnoise import cli

CONFIG = Path(__file__).parents[2] / "configs" / "phantoms" / "unet_r18_phantoms_200.py"


def run(tmp_path, capsys, *arguments, code=0):
    options = [f"data_root={tmp_path}", "train_data.num_images=8"]
    assert cli.main(["calibrate", str(CONFIG), *arguments, "--cfg-options", *options]) == code
    return capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "words", "found"),
    [
        (["SymmetricFlip(rate=0.4)", "--target", "0.25"], "pixel_rate 0.25", {"rate": 0.25}),
        (["Shift(distance=2)", "--target", "0.7", "--measure", "miou"], "miou 0.70", {}),
        (["t-loss-50-70(alpha=0.4)", "--target", "0.03"], "pixel_rate 0.0", {"alpha": 0.4}),
        # The dose itself may be left out.
        (["RegionSwap", "--target", "0.05"], "pixel_rate 0.0", {}),
        (["BoundaryErosion(fill=0)", "--target", "0.05"], "pixel_rate 0.0", {}),
        (["SymmetricFlip()", "--target", "0.05"], "pixel_rate 0.0", {}),
    ],
)
def test_a_noise_at_a_dose(tmp_path, capsys, arguments, words, found):
    printed = run(tmp_path, capsys, "--noise", *arguments).out
    assert words in printed
    noise = ast.literal_eval(printed.split("noise = ")[1])
    assert {name: noise[name] for name in found} == pytest.approx(found, abs=0.01)


def test_a_missed_dose_is_a_warning(tmp_path, capsys):
    target = ["--target", "0.01", "--sample", "3"]
    printed = run(tmp_path, capsys, "--noise", "Omission(rate=0.5)", *target)
    assert "noise = {" in printed.out
    assert "warning: missed: pixel_rate 0." in printed.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the config has no noise: name one with --noise"),
        (["--cfg-options", "noise={'type': 'NoisyCopy', 'folder': 'nowhere'}"],
         "is of files (NoisyCopy), which has no dose: name a model with --noise"),
        (["--noise", "Shift(distance=-2)"], "distance must be at least 0"),
        (["--noise", "Shiftt(distance=2)"], "did you mean Shift"),
        (["--noise", "Shift(distance="], "is no noise model: write it like"),
        (["--noise", "coco-n-eazy"], "did you mean coco-n-easy?"),
        (["--noise", "SymmetricFlip(**x)"], "write out the parameters that **x stands for"),
        (["--noise", "BoundaryErosion(width=x)"], "the value of width, x, is no literal"),
        (["--noise", "BoundaryErosion(width=f(1))"], "the value of width, f(1), is no literal"),
        (["--noise", "HullMask", "--target", "0.9"], "reaches a pixel_rate of"),
    ],
)  # fmt: skip
def test_bad_input(tmp_path, capsys, arguments, message):
    printed = run(tmp_path, capsys, *arguments, code=2)
    assert message in printed.err
    assert len(printed.err.strip().splitlines()) == 1
