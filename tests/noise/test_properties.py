"""What must hold for every noise model and any mask."""

import json
import pickle
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segnoise.noise import (
    NOISES,
    AsymmetricFlip,
    BoundaryErosion,
    Compose,
    OneOf,
    PerClass,
    Sometimes,
    SymmetricFlip,
    build_noise,
    generator,
)

K = 4
MODELS = {
    "symmetric": SymmetricFlip(0.5, K),
    "symmetric, self": SymmetricFlip(0.9, K, include_self=True),
    "asymmetric": AsymmetricFlip(
        [[0.5, 0.5, 0, 0], [0, 1, 0, 0], [0.2, 0.2, 0.2, 0.4], [1, 0, 0, 0]]
    ),
    "erosion": BoundaryErosion(2),
    "erosion to 1": BoundaryErosion(1, fill=1),
    "erosion to void": BoundaryErosion(1, fill="void"),
    "erosion of 2": BoundaryErosion(3, classes=(2,)),
    "composed": Compose([BoundaryErosion(1), SymmetricFlip(0.5, K)]),
    "one of": OneOf([BoundaryErosion(1), SymmetricFlip(0.5, K)], weights=[1, 2]),
    "sometimes": Sometimes(SymmetricFlip(0.5, K), 0.5),
    "per class": PerClass({1: BoundaryErosion(1), 3: SymmetricFlip(0.5, K)}),
}  # fmt: skip
# Models that make pixels void on purpose, and those that do not draw at random.
MAKES_VOID = {"erosion to void"}
NOT_RANDOM = {"erosion", "erosion to 1", "erosion to void", "erosion of 2"}
LAYOUTS = {
    "plain": lambda m: m,
    "transposed": lambda m: np.asfortranarray(m),
    "strided": lambda m: np.repeat(np.repeat(m, 2, 0), 3, 1)[::2, ::3],
    "reversed": lambda m: m[::-1, ::-1].copy()[::-1, ::-1],
    "read-only": lambda m: np.frombuffer(m.tobytes(), m.dtype).reshape(m.shape),
}

masks = hnp.arrays(
    dtype=st.sampled_from([np.uint8, np.uint16, np.int32, np.int64]),
    shape=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    elements=st.sampled_from([*range(K), 255]),
)


def sources(mask):
    """All that a model may look at: an image with the regions in it, instances, other masks."""
    shades = np.array([20, 90, 160, 230, 128], np.uint8)[np.minimum(mask, 4).astype(int)]
    texture = np.arange(mask.size, dtype=np.uint8).reshape(mask.shape) % 7
    image = np.stack([shades + texture, shades, 255 - shades], axis=-1)
    instances = np.where(mask == 255, 0, mask.astype(np.int32) * 10 + 1)
    others = [mask, np.full((4, 6), 2, np.uint8), np.eye(7, dtype=np.uint8) * 3]
    return {"image": image, "instances": instances, "others": others, "sample_id": "a"}


def test_every_model_is_covered():
    assert {type(noise).__name__ for noise in MODELS.values()} == set(NOISES)


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=40, deadline=None)
@given(mask=masks, layout=st.sampled_from(sorted(LAYOUTS)), seed=st.integers(0, 2**32))
def test_contract(name, mask, layout, seed):
    noise = MODELS[name]
    given_mask = LAYOUTS[layout](mask)
    states = np.random.get_state()[1].copy(), random.getstate()
    noisy = noise(given_mask, generator(seed), **sources(mask))

    assert noisy.shape == mask.shape
    assert noisy.dtype == mask.dtype
    assert noisy.flags.c_contiguous
    assert noisy.flags.writeable
    assert not np.shares_memory(noisy, given_mask)
    np.testing.assert_array_equal(given_mask, mask)
    assert set(np.unique(noisy)) <= {*range(K), 255}
    assert (noisy[mask == 255] == 255).all()
    if name not in MAKES_VOID:
        assert (noisy[mask != 255] != 255).all()

    # The layout and the global generators play no part; the same keys give the same mask.
    np.random.seed(seed % 1000)
    random.seed(seed)
    np.testing.assert_array_equal(noise(mask, generator(seed), **sources(mask)), noisy)
    np.random.set_state(("MT19937", states[0], *np.random.get_state()[2:]))
    random.setstate(states[1])


@pytest.mark.parametrize("name", MODELS)
def test_global_random_state_is_not_changed(name, patches):
    before = np.random.get_state(), random.getstate()
    MODELS[name](patches(0), generator(0), **sources(patches(0)))
    after = np.random.get_state(), random.getstate()
    assert before[0][2:] == after[0][2:]
    assert (before[0][1] == after[0][1]).all()
    assert before[1] == after[1]


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=25, deadline=None)
@given(mask=masks, seed=st.integers(0, 2**32))
def test_nothing_happens_at_the_least_dose(name, mask, seed):
    noise = MODELS[name].with_dose(MODELS[name].dose_range[0])
    noisy = noise(mask, generator(seed), **sources(mask))
    np.testing.assert_array_equal(noisy, mask)
    assert not np.shares_memory(noisy, mask)


@pytest.mark.parametrize("name", MODELS)
def test_dose_is_declared(name, patches):
    noise = MODELS[name]
    low, high = noise.dose_range
    assert low <= noise.dose <= high
    mask = np.kron(patches(0, void=False), np.ones((3, 3), np.uint8))
    stronger = noise.with_dose(min(high, 1.5 * noise.dose))

    def changed(model):
        return sum(
            np.count_nonzero(model(mask, generator(seed), **sources(mask)) != mask)
            for seed in range(20)
        )

    assert 0 < changed(noise) <= 1.05 * changed(stronger)


@pytest.mark.parametrize("name", MODELS)
def test_json_and_pickle_round_trip(name):
    noise = MODELS[name]
    data = json.loads(json.dumps(noise.to_dict()))
    assert build_noise(data) == noise
    assert hash(build_noise(data)) == hash(noise)
    assert pickle.loads(pickle.dumps(noise)) == noise
    assert str(noise) == str(build_noise(data))
    noise.check_fit(K, 255)


@pytest.mark.parametrize("name", sorted(NOT_RANDOM))
@pytest.mark.parametrize("label", [0, 3, 255])
def test_a_single_class_is_left_alone(name, label):
    mask = np.full((5, 7), label, np.uint8)
    np.testing.assert_array_equal(MODELS[name](mask, generator(0), **sources(mask)), mask)


@pytest.mark.parametrize("name", MODELS)
def test_void_only(name):
    mask = np.full((5, 7), 255, np.uint8)
    np.testing.assert_array_equal(MODELS[name](mask, generator(0), **sources(mask)), mask)


@pytest.mark.parametrize("name", [name for name in MODELS if name not in NOT_RANDOM])
def test_random_models_depend_on_the_generator(name, patches):
    mask = patches(0, (40, 40))
    noisy = [MODELS[name](mask, generator(seed), **sources(mask)) for seed in range(8)]
    assert any((other != noisy[0]).any() for other in noisy)
