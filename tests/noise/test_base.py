import dataclasses
import json
import pickle

import numpy as np
import pytest

from segnoise.noise import (
    NOISES,
    AsymmetricFlip,
    BoundaryErosion,
    Compose,
    Noise,
    SymmetricFlip,
    build_noise,
    generator,
    register,
)

NESTED = Compose(
    [
        BoundaryErosion(2, "void", (1, 2)),
        Compose([SymmetricFlip(0.1, 3), AsymmetricFlip.pair(3, 0.2)]),
    ]
)


def test_table_names_every_model():
    assert set(NOISES) >= {"SymmetricFlip", "AsymmetricFlip", "BoundaryErosion", "Compose"}
    for name, model in NOISES.items():
        assert model.__name__ == name
        assert issubclass(model, Noise)
        assert model.__dataclass_params__.frozen


def test_nested_round_trip():
    data = json.loads(json.dumps(NESTED.to_dict()))
    assert build_noise(data) == NESTED
    assert Noise.from_dict(data) == NESTED
    assert build_noise(data).to_dict() == NESTED.to_dict()
    assert pickle.loads(pickle.dumps(NESTED)) == NESTED
    assert hash(build_noise(data)) == hash(NESTED)


@pytest.mark.parametrize(
    "given",
    [
        ("SymmetricFlip", {"rate": 0.4, "num_classes": 3}),
        (SymmetricFlip, {"rate": 0.4, "num_classes": 3}),
        ({"type": "SymmetricFlip", "rate": 0.4, "num_classes": 3}, {}),
        ({"type": SymmetricFlip, "rate": 0.1}, {"rate": 0.4, "num_classes": 3}),
        ("segnoise.noise.models.flips.SymmetricFlip", {"rate": 0.4, "num_classes": 3}),
        (SymmetricFlip(0.4, 3), {}),
    ],
)
def test_ways_to_build(given):
    assert build_noise(given[0], **given[1]) == SymmetricFlip(0.4, 3)


FLIP = {"type": "SymmetricFlip", "rate": 0, "num_classes": 3}


@pytest.mark.parametrize(
    ("build", "given", "more", "message"),
    [
        (build_noise, "symmetricflip", {}, "did you mean SymmetricFlip?"),
        (build_noise, "BoundryErosion", {}, "did you mean BoundaryErosion?"),
        (build_noise, "xyz", {}, "no noise called 'xyz'; known: "),
        (build_noise, "other.SymmetricFlip", {}, "no module other"),
        (build_noise, 3, {}, "must be a class or a name, not 3"),
        (build_noise, int, {}, "int is no noise: derive it from"),
        (build_noise, {"rate": 0.4}, {}, 'lacks "type"'),
        (build_noise, FLIP, {"rat": 0.4}, r"no parameter 'rat': did you mean rate\? Known: rate, "),
        (build_noise, "SymmetricFlip", {"rate": 0.4}, "SymmetricFlip needs a value for 'num_cl"),
        (build_noise, SymmetricFlip(0.4, 3), {"rate": 0.5}, "is built already"),
        (BoundaryErosion.from_dict, FLIP, {}, "'SymmetricFlip' is no BoundaryErosion"),
        (Compose, "SymmetricFlip", {}, "must be a list or tuple of models"),
        (Compose, [3], {}, "noises holds 3"),
        (Compose, [{"type": "Compos"}], {}, "did you mean Compose"),
    ],
)
def test_wrong_builds(build, given, more, message):
    with pytest.raises((TypeError, ValueError), match=message):
        build(given, **more)


def test_compose_applies_in_order_from_one_generator(patches):
    mask, rng = patches(0, num_classes=3), generator(4)
    first, second = SymmetricFlip(0.3, 3), BoundaryErosion(1, fill=0)
    expected = second(first(mask, rng), rng)
    np.testing.assert_array_equal(Compose([first, second])(mask, generator(4)), expected)
    assert (Compose([second, first])(mask, generator(4)) != expected).any()


def test_empty_compose_is_the_identity(patches):
    mask = patches(0)
    noisy = Compose([])(mask, generator(0))
    np.testing.assert_array_equal(noisy, mask)
    assert not np.shares_memory(noisy, mask)


def test_compose_checks_the_fit_of_all():
    NESTED.check_fit(3, 255)
    with pytest.raises(ValueError, match="SymmetricFlip has num_classes=3, but the data has 4"):
        NESTED.check_fit(4, 255)
    with pytest.raises(ValueError, match="AsymmetricFlip has num_classes=3, but the data has 4"):
        Compose([AsymmetricFlip.pair(3, 0.2)]).check_fit(4, 255)


def test_own_models_can_be_registered():
    @register
    @dataclasses.dataclass(frozen=True)
    class Blank(Noise):
        label: int = 0

        def _corrupt(self, mask, rng, sources):
            return np.full_like(mask, self.label)

    try:
        noise = build_noise({"type": "Blank", "label": 2})
        assert noise(np.ones((1, 2), np.uint8), generator(0)).tolist() == [[2, 2]]
        assert Noise.from_dict(noise.to_dict()) == noise
        assert register(Blank) is Blank
        with pytest.raises(ValueError, match="there is a noise Blank already"):
            register(dataclasses.make_dataclass("Blank", [], bases=(Blank,), frozen=True))
    finally:
        del NOISES["Blank"]


@pytest.mark.parametrize("noise", [SymmetricFlip(0.4, 3), BoundaryErosion(1), NESTED])
@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (np.zeros((2, 2)), TypeError, "mask has dtype float64, not one of uint8, uint16, int32"),
        (np.zeros((2, 2), bool), TypeError, "mask has dtype bool"),
        (np.zeros((2, 2), np.int8), TypeError, "mask has dtype int8"),
        (np.zeros((2, 2, 1), np.uint8), ValueError, r"shape \(2, 2, 1\), not \(height, width\)"),
        (np.zeros(4, np.uint8), ValueError, r"shape \(4,\)"),
        ([[0, 1]], TypeError, "mask is a list, not a NumPy array"),
    ],
)
def test_wrong_masks(noise, mask, error, message):
    with pytest.raises(error, match=message):
        noise(mask, generator(0))


@pytest.mark.parametrize("rng", [None, 0, np.random, np.random.RandomState(0)])
def test_wrong_generators(rng):
    with pytest.raises(TypeError, match=r"must be a numpy\.random\.Generator"):
        SymmetricFlip(0.4, 3)(np.zeros((2, 2), np.uint8), rng)
