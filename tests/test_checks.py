"""Numbers and choices: one form of message, and bounds for every number of a config."""

import math

import numpy as np
import pytest
import tiny_training

from segnoise.checks import KindError, check_choice, check_integer, check_number, check_sides
from segnoise.engine.config import with_options
from segnoise.engine.keys import KEYS
from segnoise.engine.schema import complete
from segnoise.errors import ConfigError

WRONG = (True, -1, math.nan, math.inf, 2**40, "x", None)
# Which of these a key takes.
TAKEN = {
    "checkpoint_interval": (None,),  # with every validation
    "optim_wrapper.optimizer.lr": (2**40,),
    "optim_wrapper.optimizer.weight_decay": (2**40,),
    "optim_wrapper.optimizer.eps": (2**40,),
    "optim_wrapper.clip_grad.max_norm": (2**40,),
    "losses.0.weight": (2**40,),
}
BESIDE = {
    "train_cfg.max_epochs": {"train_cfg": {}},
    "optim_wrapper.optimizer.momentum": {"optim_wrapper.optimizer": {"type": "SGD", "lr": 0.1}},
    "optim_wrapper.optimizer.dampening": {"optim_wrapper.optimizer": {"type": "SGD", "lr": 0.1}},
    "optim_wrapper.clip_grad.max_norm": {"optim_wrapper.clip_grad": {"max_norm": 1.0}},
}


def test_every_number_of_a_config_has_bounds(tmp_path):
    for key in [*(k for k, key in KEYS.items() if key.integer or key.number), "losses.0.weight"]:
        base = tiny_training.config(tmp_path)
        base["model"] = {**base["model"], "preprocessor": {"size_divisor": 1}}
        base["ema"] = {"momentum": 0.1}
        base = {**base, "train_cfg": {"max_iters": 8, "val_interval": 4}}
        for value in WRONG:
            options = {**BESIDE.get(key, {}), key: value}
            if any(value is taken for taken in TAKEN.get(key, ())) or (
                value in TAKEN.get(key, ()) and not isinstance(value, bool)
            ):
                assert with_options(base, options)
                continue
            with pytest.raises(ConfigError) as error:
                with_options(base, options)
            assert str(error.value).startswith(f"{key} must be "), error.value
            assert str(error.value).endswith(f"not {value!r}")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"seed": 2**32}, "seed must be at least 0 and at most 4294967295, not 4294967296"),
        ({"noise_seed": -1}, "noise_seed must be at least 0"),
        ({"batch_size": 10**9}, "batch_size must be at least 1 and at most 65536"),
        ({"num_workers": 10**6}, "num_workers must be at least 0 and at most 256"),
        ({"optim_wrapper": {"optimizer": {"type": "SGD", "lr": 1, "foreach": math.nan}}},
         "optim_wrapper.optimizer.foreach must be finite, not nan"),
        ({"methods": [{"type": "WarmUp", "end": math.inf}]}, "methods.0.end must be finite"),
        ({"train_transform": {"type": "RandomScaleCrop", "crop_size": 8, "scale": [0.5, math.inf]}},
         "train_transform.scale.1 must be finite, not inf"),
        ({"data_root": "a\0b"}, "data_root='a\\x00b' holds a byte that is no text"),
        ({"work_dir": "r\udcff"}, "work_dir='r\\udcff' holds a byte that is no text"),
        ({"amp": "bf8"}, "amp must be None, 'bf16' or 'fp16', not 'bf8'"),
        ({"check_data": True}, "check_data must be of type str"),
    ],
)  # fmt: skip
def test_values_that_cannot_be_meant(config, words):
    with pytest.raises(ConfigError) as error:
        complete(config)
    assert words in str(error.value)


def test_the_norm_of_clipped_gradients_may_be_infinite():
    clip = {"max_norm": 1.0, "norm_type": math.inf}
    assert complete({"optim_wrapper": {"clip_grad": clip}})["optim_wrapper"]["clip_grad"] == clip


def test_numpy_numbers_are_numbers():
    assert check_integer("n", np.int64(3), 1, 3) == 3
    assert type(check_number("x", np.float32(0.5))) is float
    assert type(check_number("x", np.uint8(5))) is int


def test_kinds_are_type_errors_too():
    for call in (check_integer, check_number, check_sides):
        with pytest.raises(KindError) as error:
            call("x", "3")
        assert isinstance(error.value, (TypeError, ValueError, ConfigError))
        assert str(error.value).endswith(", not '3'") or str(error.value).endswith("not '3'")


@pytest.mark.parametrize("value", [True, 1.0, "1"])
def test_a_choice_is_of_the_same_type(value):
    with pytest.raises(ConfigError, match="x must be 0 or 1, not"):
        check_choice("x", value, (0, 1))
