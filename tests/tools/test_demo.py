"""The demonstration, shortened to two iterations a run."""

import pytest
from PIL import Image

from segnoise import cli

pytestmark = pytest.mark.slow


def test_the_demo_prints_one_table_and_draws_one_picture(tmp_path, capsys):
    arguments = ["demo", "--work-dir", str(tmp_path / "demo"), "--cfg-options",
                 "train_cfg.max_iters=2", f"data_root={tmp_path / 'data'}",
                 "train_data.num_images=16", "val_data.num_images=8"]  # fmt: skip
    assert cli.main(arguments) == 0
    printed = capsys.readouterr().out
    for words in ("recipe robust", "Realised noise", "| CE, noisy |", "auto, noisy |", "best iter"):
        assert words in printed
    assert Image.open(tmp_path / "demo" / "demo.png").width > 1000
    assert cli.main(arguments) == 0, "a second run shows the same without training anew"
    assert capsys.readouterr().out.split("Scores on")[1] == printed.split("Scores on")[1]
