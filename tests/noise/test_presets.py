import pytest

from segnoise.datasets.labels.noisy_labels import built_noise
from segnoise.engine.schema import complete
from segnoise.errors import ConfigError
from segnoise.noise import (
    NOISES,
    PRESETS,
    HullMask,
    Noise,
    Shift,
    Sometimes,
    build_noise,
    expanded,
)

METAINFO = {"classes": ("ground", "house", "tree"), "ignore_index": 255}


def test_every_preset_can_be_built():
    for name in PRESETS:
        noise = built_noise(name, METAINFO)
        assert isinstance(noise, Noise)
        assert build_noise(noise.to_dict()) == noise
        assert built_noise({"type": "Compose", "noises": [{"type": name}]}, METAINFO).noises == (
            noise,
        )


def test_names_do_not_clash():
    assert not set(PRESETS) & set(NOISES)


def test_parameters_can_be_changed():
    noise = build_noise("t-loss-50-70", beta=0.6)
    assert (type(noise).__name__, noise.alpha, noise.beta) == ("AreaControlled", 0.5, 0.6)
    assert build_noise({"type": "coco-n-hard", "num_classes": 3, "scale": 2}).scale == 2


def test_the_numbers_of_the_papers():
    hard = build_noise("coco-n-hard", num_classes=80)
    assert (hard.morphology, hard.jitter, hard.simplify) == (0.3, 0.3, 0.3)
    assert (hard.tolerance, hard.sigma, hard.kernel, hard.class_flip) == (15, 4, 7, 0.4)
    walk = build_noise("jsrt-clavicle-shrink")
    assert (walk.steps, walk.expand, walk.boundary_flip, walk.pixel_flip) == (100, 0.2, 0.02, 0.2)
    level = build_noise("cadis-20")
    assert level.rate == 0.67
    assert {part.width for part in level.noise.noises} == {5}


def test_in_a_training_config():
    config = complete({"noise": {"type": "t-loss-30-50"}, "train_cfg": {"max_iters": 1}})
    assert config["noise"] == {"type": "AreaControlled", "alpha": 0.3, "beta": 0.5}
    with pytest.raises(ConfigError, match="did you mean t-loss-30-50"):
        complete({"noise": {"type": "t-loss-3-50"}, "train_cfg": {"max_iters": 1}})


def test_expansion_leaves_its_argument_alone():
    config = {"type": "Sometimes", "rate": 0.5, "noise": {"type": "aio2-omission"}}
    assert expanded(config)["noise"]["type"] == "Omission"
    assert config["noise"] == {"type": "aio2-omission"}


@pytest.mark.parametrize(
    ("former", "today"),
    [
        ({"type": "Sometimes", "probability": 0.3}, {"type": "Sometimes", "rate": 0.3}),
        ({"type": "Shift", "per": "mask"}, {"type": "Shift", "regions": "mask"}),
        ({"type": "Rotate", "per": "object"}, {"type": "Rotate", "regions": "components"}),
        ({"type": Shift, "per": "instance"}, {"type": Shift, "regions": "instances"}),
        ({"type": "Omission", "instances": True}, {"type": "Omission", "regions": "instances"}),
        (
            {"type": "coco-n-hard", "instances": False},
            {"type": "coco-n-hard", "regions": "components"},
        ),
        (
            {"noises": [{"type": "segnoise.noise.models.coarse.BoxMask", "instances": True}]},
            {"noises": [{"type": "segnoise.noise.models.coarse.BoxMask", "regions": "instances"}]},
        ),
        ({"type": "mine.Shift", "per": "object"}, {"type": "mine.Shift", "per": "object"}),
    ],
)
def test_former_names_of_parameters_become_todays(former, today):
    assert expanded(former) == expanded(today)
    assert former != today or "mine" in today["type"]


def test_what_was_written_with_former_names_can_be_built():
    former = {
        "type": "Sometimes",
        "probability": 0.5,
        "noise": {"type": "HullMask", "instances": True},
    }
    noise = build_noise(former)
    assert noise == Sometimes(HullMask(regions="instances"), rate=0.5)
    assert noise.to_dict()["rate"] == 0.5
    with pytest.raises(ValueError, match=r"regions must be .* not 'pixel'"):
        build_noise("Shift", distance=1, per="pixel")
    with pytest.raises(TypeError, match="Shift has no parameter 'per'"):
        build_noise({"type": "Shift", "distance": 1, "per": "object"}, regions="mask")
