"""Calibration as a user runs it."""

import ast
from pathlib import Path

import pytest

from segnoise import cli

CONFIGS = Path(__file__).parents[2] / "configs" / "phantoms"


def run(tmp_path, capsys, config, *arguments):
    options = [f"data_root={tmp_path}", "train_data.num_images=8"]
    command = ["calibrate", str(CONFIGS / config), *arguments, "--cfg-options", *options]
    code = cli.main(command)
    return code, capsys.readouterr()


def test_the_configs_noise(tmp_path, capsys):
    code, printed = run(
        tmp_path,
        capsys,
        "unet_r18_phantoms_200.py",
        "--noise",
        "SymmetricFlip(rate=0.4)",
        "--target",
        "0.25",
    )
    assert code == 0
    assert "pixel_rate 0.25" in printed.out
    found = ast.literal_eval(printed.out.split("noise = ")[1])
    assert found["type"] == "SymmetricFlip"
    assert found["rate"] == pytest.approx(0.25, abs=0.01)


def test_another_noise_and_measure(tmp_path, capsys):
    code, printed = run(
        tmp_path, capsys, "unet_r18_phantoms_200.py",
        "--noise", "Shift(distance=2)", "--target", "0.7", "--measure", "miou",
    )  # fmt: skip
    assert code == 0
    assert "miou 0.70" in printed.out or "miou 0.69" in printed.out


def test_presets_are_noises(tmp_path, capsys):
    code, printed = run(
        tmp_path, capsys, "unet_r18_phantoms_200.py",
        "--noise", "t-loss-50-70(alpha=0.4)", "--target", "0.03",
    )  # fmt: skip
    assert code == 0
    assert ast.literal_eval(printed.out.split("noise = ")[1])["alpha"] == 0.4


def test_a_missed_dose_is_a_warning(tmp_path, capsys):
    code, printed = run(
        tmp_path, capsys, "unet_r18_phantoms_200.py",
        "--noise", "Omission(rate=0.5)", "--target", "0.01", "--sample", "3",
    )  # fmt: skip
    assert code == 0
    assert "noise = {" in printed.out
    assert "warning: missed: pixel_rate 0." in printed.err


@pytest.mark.parametrize("noise", ["RegionSwap", "BoundaryErosion(fill=0)", "SymmetricFlip()"])
def test_the_dose_itself_may_be_left_out(tmp_path, capsys, noise):
    code, printed = run(
        tmp_path, capsys, "unet_r18_phantoms_200.py", "--noise", noise, "--target", "0.05"
    )
    assert code == 0
    assert "pixel_rate 0.0" in printed.out


def test_a_copy_has_no_dose(tmp_path, capsys):
    copy = "noise={'type': 'NoisyCopy', 'folder': 'nowhere'}"
    config = "unet_r18_phantoms_200.py"
    code, printed = run(tmp_path, capsys, config, "--cfg-options", copy)
    assert code == 2
    assert "is of files (NoisyCopy), which has no dose: name a model with --noise" in printed.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the config has no noise: name one with --noise"),
        (["--noise", "Shift(distance=-2)"], "distance must be at least 0"),
        (["--noise", "Shiftt(distance=2)"], "did you mean Shift"),
        (["--noise", "Shift(distance="], "is no noise model: write it like"),
        (["--noise", "coco-n-eazy"], "did you mean coco-n-easy?"),
        (["--noise", "SymmetricFlip(**x)"], "write out the parameters that **x stands for"),
        (["--noise", "BoundaryErosion(width=x)"], "the value of width, x, is no literal"),
        (["--noise", "BoundaryErosion(width=f(1))"], "the value of width, f(1), is no literal"),
        (["--noise", "HullMask", "--target", "0.9"], "reaches a pixel_rate of"),
    ],
)
def test_bad_input(tmp_path, capsys, arguments, message):
    code, printed = run(tmp_path, capsys, "unet_r18_phantoms_200.py", *arguments)
    assert code == 2
    assert message in printed.err
    assert len(printed.err.strip().splitlines()) == 1
