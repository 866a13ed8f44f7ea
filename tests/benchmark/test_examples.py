"""Pictures of a cell's predictions, whatever its noise."""

import json

import pytest
import tiny_training
import torch

from segnoise.benchmark.examples import draw_examples
from segnoise.engine import checkpoint, data
from segnoise.engine.model import build_model
from segnoise.engine.schema import complete

FLIPS = {"type": "SymmetricFlip", "rate": 0.4}


@pytest.mark.parametrize(
    ("noise", "shown"),
    [
        (None, False),
        (FLIPS, True),
        ({"type": "NoisyCopy", "folder": "of_training_images"}, False),
        ({"type": "segnoise.datasets.NoisyCopy", "folder": "of_training_images"}, False),
        ({"type": "RaterMasks", "folders": ["first", "second"]}, False),
    ],
)
def test_noise_is_shown_where_it_does_not_hang_on_the_training_images(tmp_path, noise, shown):
    config = complete(tiny_training.config(tmp_path, noise=noise))
    torch.manual_seed(0)
    model = build_model(config, data.build_dataset(config, "val_data").metainfo)
    checkpoint.save({"state_dict": model.state_dict(), "meta": {}}, tmp_path / "last.pth")
    draw_examples(config, tmp_path / "last.pth", tmp_path / "examples", 2)
    drawn = {path.name for path in (tmp_path / "examples").glob("*.png")}
    assert {"0_image.png", "1_clean.png", "1_prediction.png"} <= drawn
    assert ("0_noisy.png" in drawn) == shown
    assert len(json.loads((tmp_path / "examples" / "examples.json").read_text())["samples"]) == 2
