"""A training on a noisy copy is the training on the same noise made on the fly."""

import json

import pytest
import tiny_training

from segnoise.datasets import NoisyCopy, NoisyLabels, write_noisy_copy
from segnoise.engine import data
from segnoise.engine.config import load_config
from segnoise.engine.schema import complete
from segnoise.engine.train import train
from segnoise.errors import ConfigError, DataError

NOISE = {"type": "SymmetricFlip", "rate": 0.4}


@pytest.fixture
def copied(tmp_path):
    """A copy of the tiny training's masks; returns what a config says about it."""
    config = complete(tiny_training.config(tmp_path, noise=NOISE, noise_seed=3))
    noisy = data.with_noise(data.build_dataset(config, "train_data"), config)
    write_noisy_copy(noisy, tmp_path / "copy")
    return {"type": "NoisyCopy", "folder": str(tmp_path / "copy")}


def losses(folder):
    lines = (folder / "scalars.json").read_text().splitlines()
    return [entry["loss"] for entry in map(json.loads, lines) if "loss" in entry]


def test_trainings_are_identical_to_the_last_digit(tmp_path, copied):
    results = []
    for name, noise in (("fly", NOISE), ("copied", copied)):
        changes = {"noise": noise, "noise_seed": 3, "num_workers": 2}
        config = tiny_training.config(tmp_path, work_dir=str(tmp_path / name), **changes)
        results.append(train(complete(config)))
    assert losses(tmp_path / "fly") == losses(tmp_path / "copied")
    assert results[0].last == results[1].last
    checks = [{**result.check, "fingerprint": None} for result in results]
    assert checks[0] == checks[1]
    for name in ("noise.json", "noise.md"):
        assert (tmp_path / "fly" / name).read_text() == (tmp_path / "copied" / name).read_text()
    assert list((tmp_path / "copied" / "pictures").iterdir())
    stored = load_config(tmp_path / "copied" / "config.py")
    assert stored["noise"]["folder"] == copied["folder"]


def test_a_run_goes_on_and_trusts_only_the_same_copy(tmp_path, copied):
    def run(iterations, **options):
        training = {"train_cfg": {"max_iters": iterations, "val_interval": 4}}
        config = tiny_training.config(tmp_path, noise=copied, **training)
        return train(complete(config), **options)

    first = run(8)
    assert run(8, resume=True).check == first.check
    config = complete(tiny_training.config(tmp_path, noise=copied))
    dataset = data.with_noise(data.build_dataset(config, "train_data"), config)
    before = data.fingerprint(config, dataset)
    noisy = NoisyLabels(dataset.dataset, NOISE, seed=4)
    write_noisy_copy(noisy, copied["folder"], overwrite=True)
    other = data.with_noise(dataset.dataset, config)
    assert data.fingerprint(config, other) != before


def test_the_class_itself_and_its_dotted_name(tmp_path, copied):
    config = tiny_training.config(tmp_path, noise={**copied, "type": NoisyCopy})
    path = tiny_training.write(tmp_path / "leaf.py", config)
    stored = load_config(path)
    assert stored["noise"]["type"] == "segnoise.datasets.labels.noisy_copy.NoisyCopy"
    dataset = data.with_noise(data.build_dataset(stored, "train_data"), stored)
    assert isinstance(dataset, NoisyCopy)


@pytest.mark.parametrize(
    ("noise", "words"),
    [
        ({"type": "NoisyCopy", "folder": "nowhere"}, r"nowhere/manifest.json: no such file"),
        ({"type": "NoisyCopy"}, "folder"),
        ({"type": "NoisyCopi", "folder": "x"}, "did you mean NoisyCopy"),
        (
            {"type": "NoisyCopy", "folder": "x", "dataset": 1},
            r"unknown config key noise.dataset; known: \['folder', 'type'\]",
        ),
        ({"type": "NoisyCopy", "folder": "x", "width": 1}, r"give all of it: .*\"noise=\{'type'"),
        ({"type": "Compose", "noises": [{"type": "NoisyCopy", "folder": "x"}]}, "NoisyCopy"),
    ],
)
def test_wrong_arguments(tmp_path, noise, words):
    with pytest.raises((ConfigError, DataError), match=words):
        train(complete(tiny_training.config(tmp_path, noise=noise)))
    assert not (tmp_path / "run").exists()
