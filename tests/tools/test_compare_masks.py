"""The comparison of two folders of masks, as a user runs it."""

import json

import numpy as np
import pytest
from PIL import Image

from segnoise import cli as command
from segnoise.noise import NoiseReport, realised_noise


@pytest.fixture
def folders(tmp_path):
    """Black-and-white masks: a square, and the square moved."""
    masks = {}
    for name, shift in (("gold", 0), ("drawn", 2)):
        mask = np.zeros((20, 30), np.uint8)
        mask[5:15, 5 + shift : 15 + shift] = 255
        (tmp_path / name).mkdir()
        for i in range(3):
            Image.fromarray(mask).save(tmp_path / name / f"{i}.png")
        masks[name] = mask // 255
    return tmp_path / "gold", tmp_path / "drawn", realised_noise(masks["gold"], masks["drawn"], 2)


def run(*arguments):
    return command.main(["compare_masks", *map(str, arguments)])


def test_table_and_json(folders, tmp_path, capsys):
    *paths, report = folders
    out = tmp_path / "new" / "report.json"
    options = ["--classes", "no", "yes", "--value-map", "0=0", "255=1", "--workers", "1"]
    assert run(*paths, *options, "--out", out) == 0
    printed = capsys.readouterr().out
    assert (report + report + report).table(["no", "yes"]) in printed
    assert "| IoU of yes " in printed
    assert str(out) in printed
    data = json.loads(out.read_text())
    assert data["classes"] == ["no", "yes"]
    assert NoiseReport.from_dict(data["report"]) == report + report + report
    assert list(data["samples"]) == ["0", "1", "2"]
    assert [p.name for p in out.parent.iterdir()] == ["report.json"]


def test_classes_of_a_file(folders, tmp_path, capsys):
    (tmp_path / "classes.txt").write_text("nothing\nsomething\n")
    options = ["--classes", tmp_path / "classes.txt", "--value-map", "0=0", "255=1"]
    assert run(*folders[:2], *options) == 0
    assert "| something |" in capsys.readouterr().out


def test_void_is_left_out(folders, capsys):
    options = ["--classes", "a", "b", "--value-map", "0=0", "255=7", "--ignore-index", "7"]
    assert run(*folders[:2], *options) == 0
    assert "of 1,500 valid pixels" in capsys.readouterr().out


def test_black_and_white_masks_are_not_mistaken_silently(folders, capsys):
    note = "black and white (0/255), give --value-map 0=0 255=1 1=1."
    assert run(*folders[:2], "--classes", "a", "b") == 0
    assert note in capsys.readouterr().out
    assert run(*folders[:2], "--classes", "a", "b", "--value-map", "0=0", "255=1") == 0
    assert note not in capsys.readouterr().out
    for path in folders[0].iterdir():
        Image.fromarray(np.zeros((20, 30), np.uint8)).save(path)
    assert run(folders[0], folders[0], "--classes", "a", "b") == 0
    assert note not in capsys.readouterr().out, "an empty mask is nothing strange"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--classes", "a", "b", "--value-map", "0:0"], "wants each VALUE=ID once"),
        (["--classes", "a", "b", "--value-map", "0=0", "0=1"], "not '0=1'"),
        (["--classes", "a", "b", "--value-map", "0=0"], "value 255 at row 5, column 5"),
        (["--classes", "a", "b", "--value-map", "0=0", "255=5"], "class ids are 0..1"),
        (["--classes", "a", "b", "--ignore-index", "1"], "ignore_index=1"),
        (["--classes", "nowhere.txt"], "nowhere.txt"),
        (["--classes", "a", "b", "a"], "--classes names a more than once"),
        (["--classes", "a", "b", "--out", "."], "--out . is a folder: name a file"),
        (["--classes", "a", "b", "--out", f"{__file__}/x/y.json"], "is a file, not a folder"),
    ],
)
def test_bad_options(folders, capsys, options, message):
    assert run(*folders[:2], *options) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_bad_folders(folders, tmp_path, capsys):
    gold, drawn = folders[:2]
    options = ["--classes", "a", "b", "--value-map", "0=0", "255=1"]
    assert run(gold, tmp_path / "nowhere", *options) == 2
    assert "nowhere: folder not found" in capsys.readouterr().err
    (drawn / "1.png").unlink()
    assert run(gold, drawn, *options) == 2
    assert f"{drawn / '1.*'}: missing, the partner of" in capsys.readouterr().err
    assert run(gold, drawn, *options, "--allow-missing") == 0
    assert "in 2 masks" in capsys.readouterr().out
