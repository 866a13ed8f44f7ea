"""What users bring of their own works wherever ours does: noise by path, name or function."""

import importlib
import json
import sys

import numpy as np
import pytest
import tiny_training

from segnoise import cli
from segnoise.benchmark.doses import check_dose
from segnoise.datasets import NoisyCopy, NoisyLabels
from segnoise.engine import data
from segnoise.engine.config import load_config
from segnoise.engine.schema import complete
from segnoise.engine.train import train
from segnoise.errors import ConfigError, DataError
from segnoise.noise import NOISES, FunctionNoise, build_noise, generator

MODULE = '''
import dataclasses

import numpy as np

from segnoise.noise import Dose, Noise, register


@register
@dataclasses.dataclass(frozen=True)
class Speckle(Noise):
    """Each pixel becomes class 0 with a probability."""

    rate: float = 0.1
    ignore_index: int = 255
    DOSE = Dose("rate", high=1.0)

    def _corrupt(self, mask, rng, sources):
        hit = (rng.random(mask.shape) < self.rate) & (mask != self.ignore_index)
        return np.where(hit, 0, mask).astype(mask.dtype)


class Plain:
    def __init__(self, rate, ignore_index):
        self.rate, self.void = rate, ignore_index

    def __call__(self, mask, rng):
        mask[(rng.random(mask.shape) < self.rate) & (mask != self.void)] = 0
        return mask


def smear(mask, rng, columns=1):
    return np.roll(mask, columns, axis=1)


def none(mask, rng):
    mask[:] = 0


def broken(mask, rng):
    return mask[[10**6]]


class Bare(Noise):
    rate: float = 0.1

    def _corrupt(self, mask, rng, sources):
        return mask


@dataclasses.dataclass(frozen=True)
class InPlace(Noise):
    def _corrupt(self, mask, rng, sources):
        mask[:] = 0
        return mask
'''


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The module, importable by its dotted path."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "my_noises.py").write_text(MODULE)
    monkeypatch.syspath_prepend(folder)
    importlib.invalidate_caches()
    yield "my_noises"
    sys.modules.pop("my_noises", None)
    NOISES.pop("Speckle", None)


def clean_set(tmp_path):
    return data.build_dataset(complete(tiny_training.config(tmp_path)), "train_data")


def test_one_noise_in_every_spelling(own, tmp_path):
    """Dotted path, config, class, registered name, function of (mask, rng): the same pixels."""
    clean = clean_set(tmp_path)
    by_path = NoisyLabels(clean, {"type": f"{own}.Speckle", "rate": 0.3}, seed=2)
    mask, rng = clean.load_mask(0), generator(2, "noise", clean.sample_id(0))
    hit = (rng.random(mask.shape) < 0.3) & (mask != 255)
    expected = np.where(hit, 0, mask)
    np.testing.assert_array_equal(by_path[0]["mask"], expected)
    kind = sys.modules[own].Speckle
    for same in (kind(0.3), {"type": kind, "rate": 0.3}, {"type": "Speckle", "rate": 0.3},
                 {"type": f"{own}.Plain", "rate": 0.3}):  # fmt: skip
        np.testing.assert_array_equal(NoisyLabels(clean, same, seed=2)[0]["mask"], expected)
    np.testing.assert_array_equal(clean[0]["mask"], mask), "the clean mask is as it was"


def test_functions_and_classes_are_models(own):
    noise = build_noise(f"{own}.smear", columns=2)
    assert isinstance(noise, FunctionNoise)
    assert repr(noise) == "smear(columns=2)"
    assert noise.to_dict() == {"type": "my_noises.smear", "columns": 2}
    assert build_noise(json.loads(json.dumps(noise.to_dict()))) == noise
    rolled = noise(np.array([[1, 2, 3]], np.uint8), generator(0))
    assert rolled.tolist() == [[2, 3, 1]]
    nested = build_noise({"type": "Compose", "noises": [f"{own}.smear", f"{own}.smear"]})
    assert nested(np.array([[1, 2, 3]], np.uint8), generator(0)).tolist() == [[2, 3, 1]]
    with pytest.raises(TypeError, match="cannot be written down"):
        build_noise(lambda mask, rng: mask.copy()).to_dict()


@pytest.mark.parametrize(
    ("noise", "words"),
    [
        ({"type": "my_noises.Plain", "rate": 0.1, "rat": 1}, "'rat'; a noise is a class derived"),
        ({"type": "my_noises.smear", "width": 1}, "'width'; a noise is a class derived"),
        ({"type": "my_noises.Speckle", "rat": 1}, "no parameter 'rat': did you mean rate"),
        ({"type": "my_noises.Bare"}, "write @dataclasses.dataclass(frozen=True) above it"),
        ({"type": "my_noises.Speckl"}, "my_noises has no 'Speckl'; did you mean Speckle?"),
        ({"type": "os.getcwd"}, "cannot be called as getcwd(mask, rng)"),
        ({"type": "collections.OrderedDict"}, "OrderedDict is no noise: derive it from"),
        (lambda mask: mask, "a function of (mask, rng)"),
    ],
)
def test_what_is_no_noise(own, tmp_path, noise, words):
    with pytest.raises(ConfigError) as error:
        NoisyLabels(clean_set(tmp_path), noise)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("noise", "kind", "words"),
    [
        ("my_noises.none", ConfigError, "into None: it must return a NumPy array"),
        ("my_noises.InPlace", ConfigError, "must change and return a copy (mask.copy())"),
        (lambda mask, rng: mask.astype(float), ConfigError, "float64: it must return"),
        ("my_noises.broken", DataError, "IndexError: index 1000000 is out of bounds"),
    ],
)
def test_a_noise_that_breaks_its_contract(own, tmp_path, noise, kind, words):
    with pytest.raises(kind) as error:
        NoisyLabels(clean_set(tmp_path), noise)[0]
    assert words in str(error.value)


@pytest.fixture
def leaf(own, tmp_path):
    """Write a config with a noise."""

    def write(**changes):
        changes = {"num_pictures": 1, "train_cfg": {"max_iters": 2, "val_interval": 2}, **changes}
        return tiny_training.write(tmp_path / "leaf.py", tiny_training.config(tmp_path, **changes))

    return write


def test_the_tools_take_it(own, leaf, tmp_path, capsys):
    path = leaf()
    call = f"{own}.Speckle(rate=0.2)"
    assert cli.main(["calibrate", str(path), "--noise", call, "--target", "0.05"]) == 0
    assert "'type': 'my_noises.Speckle'" in capsys.readouterr().out
    out = tmp_path / "gallery"
    arguments = ["--noise", call, "--noise", f"{own}.Speckle(rate=0.4)", "--target", "0.05"]
    arguments += ["--images", "1", "--out", str(out)]
    assert cli.main(["browse_noise", str(path), *arguments]) == 0
    assert (out / "gallery.html").exists()
    assert cli.main(["calibrate", str(path), "--noise", f"{own}.smear", "--target", "0.05"]) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("error: my_noises.smear has no parameter that stands for its dose")
    wanted = {"dose": 0.05, "noise": {"type": f"{own}.Speckle"}}
    check_dose(wanted, clean_set(tmp_path).metainfo)
    with pytest.raises(ConfigError, match="no parameter that stands for its dose"):
        check_dose({"dose": 0.05, "noise": {"type": f"{own}.smear"}}, clean_set(tmp_path).metainfo)


def test_a_copy_trains_where_the_noise_is_not(own, leaf, tmp_path, monkeypatch, capsys):
    """The masks are files: the copy's noise is a label, and nothing imports its module."""
    path = leaf(noise={"type": f"{own}.Speckle", "rate": 0.3})
    assert cli.main(["corrupt", str(path), "--out", str(tmp_path / "copy"), "--workers", "1"]) == 0
    made = NoisyLabels(clean_set(tmp_path), {"type": "Speckle", "rate": 0.3})[0]["mask"]
    NOISES.pop("Speckle")
    sys.modules.pop(own)
    (tmp_path / "own" / "my_noises.py").unlink()
    copy = {"type": "NoisyCopy", "folder": str(tmp_path / "copy")}
    config = load_config(leaf(noise=copy))
    dataset = data.with_noise(clean_set(tmp_path), config)
    assert isinstance(dataset, NoisyCopy)
    assert dataset.noise is None
    np.testing.assert_array_equal(dataset[0]["mask"], made)
    assert train(config).last["iter"] == 2
    assert own not in sys.modules
    capsys.readouterr()


def test_a_registered_name_is_stored_as_its_path(own, leaf):
    importlib.import_module(own)
    text = leaf(noise={"type": "Speckle", "rate": 0.3}, custom_imports=[own]).read_text()
    assert "'my_noises.Speckle'" in text
    assert "custom_imports" in text
