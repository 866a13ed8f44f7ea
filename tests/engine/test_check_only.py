"""`segnoise train CONFIG --check`: what can be known before the first iteration, and no file."""

import pytest
import tiny_training
from trees import tree

from segnoise import cli
from segnoise.output_folder import MARK


def leaf(tmp_path, **changes):
    path = tiny_training.write(tmp_path / "leaf.py", tiny_training.config(tmp_path, **changes))
    return str(path)


def test_it_says_what_it_found_and_writes_nothing(tmp_path, capsys):
    config = leaf(tmp_path, recipe="auto", losses=[], noise={"type": "SymmetricFlip", "rate": 0.2})
    before = tree(tmp_path)
    assert cli.main(["train", config, "--check"]) == 0
    printed = capsys.readouterr().out
    for words in ("6 samples", "Changed: ", "recipe dice", "dry run of a training step"):
        assert words in printed
    assert tree(tmp_path) == before, "neither results nor the phantoms that are missing"
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_used_is_named(tmp_path, capsys):
    config = leaf(tmp_path, train_cfg={"max_iters": 1})
    assert cli.main(["train", config]) == 0
    before = tree(tmp_path)
    for files, words in ((0, "holds a run already (last.pth"), (1, "which segnoise has not put")):
        if files:
            (tmp_path / "run" / MARK).unlink()
        assert cli.main(["train", config, "--check"]) == 2
        assert words in capsys.readouterr().err
        assert tree(tmp_path) == before


def test_what_is_wrong_is_one_line(tmp_path, capsys):
    config = leaf(tmp_path)
    assert cli.main(["train", config, "--check", "--cfg-options", "losses.0.type=Hill"]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: losses.0")
    assert not (tmp_path / "run").exists()


def test_flags_that_have_no_meaning_beside_it(capsys):

    for flag in ("--resume", "--overwrite", "--extend"):
        with pytest.raises(SystemExit, match="2"):
            cli.main(["train", "leaf.py", "--check", flag])
        assert f"{flag} has no meaning" in capsys.readouterr().err
