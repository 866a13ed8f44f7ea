"""What must hold for every noise model and any mask."""

import dataclasses
import doctest
import json
import pickle
import random

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segnoise.noise import (
    NOISES,
    Annotators,
    AreaControlled,
    AsymmetricFlip,
    BoundaryClosing,
    BoundaryDilation,
    BoundaryErosion,
    BoundaryJitter,
    BoundaryOpening,
    BoxMask,
    CoarsePolygon,
    Compose,
    DistanceMorphology,
    Elastic,
    FeatureDependent,
    HullMask,
    MarkovBoundary,
    Noise,
    Omission,
    OneOf,
    PerClass,
    PolygonNoise,
    RegionSwap,
    Rotate,
    Shift,
    Sometimes,
    SpuriousObjects,
    SymmetricFlip,
    VoidDropout,
    build_noise,
    generator,
)
from segnoise.noise.geometry import cells, resampling, strips
from segnoise.noise.models import jitter

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
    "erosion, fractional": BoundaryErosion(1.5),
    "dilation": BoundaryDilation(2),
    "dilation, fractional": BoundaryDilation(0.5),
    "dilation of 2": BoundaryDilation(3, classes=(2,)),
    "opening": BoundaryOpening(2),
    "opening, fractional": BoundaryOpening(1.5, classes=(1, 2)),
    "closing": BoundaryClosing(2),
    "closing, fractional": BoundaryClosing(2.5, classes=(1, 2)),
    "jitter": BoundaryJitter(2, 4),
    "jitter, biased": BoundaryJitter(1, 20, bias=-1.5, classes=(1, 2)),
    "jitter, bias only": BoundaryJitter(0, 0, bias=2),
    "distance": DistanceMorphology(1, 3),
    "distance of 1": DistanceMorphology(2, 2, classes=(1,)),
    "composed": Compose([BoundaryErosion(1), SymmetricFlip(0.5, K)]),
    "one of": OneOf([BoundaryErosion(1), SymmetricFlip(0.5, K)], weights=[1, 2]),
    "sometimes": Sometimes(SymmetricFlip(0.5, K), 0.5),
    "per class": PerClass({1: BoundaryErosion(1), 3: SymmetricFlip(0.5, K)}),
    "region swap": RegionSwap(0.5, K),
    "region swap, matrix": RegionSwap(
        0.8, K, "instances", [[0.5, 0.5, 0, 0], [0, 1, 0, 0], [0.2, 0.2, 0.2, 0.4], [1, 0, 0, 0]]
    ),
    "region swap, superpixels": RegionSwap(0.5, K, "superpixels", size=4, classes=(0, 2)),
    "omission": Omission(0.3),
    "omission of 2": Omission(0.6, fill=0, classes=(2, 3), regions="instances", vary=True),
    "omission to void": Omission(0.6, fill="void", max_area=400),
    "spurious": SpuriousObjects(2),
    "spurious 2": SpuriousObjects(3, classes=(2, 3), donors=3),
    "void pixels": VoidDropout(0.3),
    "void components": VoidDropout(0.5, "components", classes=(0, 1)),
    "void instances": VoidDropout(0.5, "instances"),
    "void superpixels": VoidDropout(0.5, "superpixels", size=4),
    "shift": Shift(2),
    "shift of 2": Shift(1.5, classes=(1, 2), fill=0),
    "shift of objects": Shift(2, "components"),
    "shift to void": Shift(2, "instances", fill="void"),
    "rotation": Rotate(30),
    "rotation of objects": Rotate(40, "components", classes=(1, 2, 3)),
    "rotation to void": Rotate(20, fill="void"),
    "elastic": Elastic(2, 6),
    "elastic of 2": Elastic(1.5, 1, classes=(1, 2)),
    "polygons": build_noise("coco-n-hard", num_classes=K),
    "polygons, matrix": PolygonNoise(
        K, 0.4, 0.3, 0.3, kernel=5, sigma=1, tolerance=2, regions="instances",
        class_flip=[[0.5, 0.5, 0, 0], [0, 1, 0, 0], [0.2, 0.2, 0.2, 0.4], [1, 0, 0, 0]],
    ),
    "polygons to void": PolygonNoise(K, kernel=5, fill="void", classes=(1, 2)),
    "coarse": CoarsePolygon(4, regions="instances"),
    "coarse, some": CoarsePolygon(4, rate=0.5, fill=0, classes=(0, 1, 3)),
    "coarse to void": CoarsePolygon(2, fill="void"),
    "boxes": BoxMask(regions="instances"),
    "boxes, some": BoxMask(0.5, classes=(1, 2, 3), regions="instances"),
    "hulls": HullMask(regions="instances"),
    "hulls, some": HullMask(0.5, classes=(1, 2, 3), regions="instances"),
    "feature-dependent": FeatureDependent(0.1, length=4),
    "feature-dependent, near": FeatureDependent(0.05, depth=0, reach=2.5, length=4),
    "area": AreaControlled(0.8, 0.5),
    "area, eroded to void": AreaControlled(0.5, 0.6, ("erode",), (1, 2), fill="void"),
    "area, moved": AreaControlled(1, 0.7, ("affine",), fill=3, max_angle=90),
    "annotators": Annotators(3, wobble=0.2, tail=0.3),
    "annotators, px": Annotators(2, 1, 0.5, 1, 1, 5, 1, omission=0.1, unit="pixel", classes=(1, 2)),
    "annotators to void": Annotators(omission=0.3, fill="void", regions="instances"),
    "markov": MarkovBoundary(20, 0.7, 0.1, 0.2),
    "markov, shrinking": MarkovBoundary(30, 0.2, 0.1, classes=(1, 2), fill=3),
    "markov to void": MarkovBoundary(10, 0.3, 0.2, 0.1, blur=False, fill="void"),
}  # fmt: skip


def of_the_example(model):
    """The object of the example in a model's docstring, for as many classes as the masks have."""
    used, names = [], {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Noise, "__call__", lambda self, mask, *_, **__: used.append(self) or mask)
        for example in doctest.DocTestParser().get_examples(model.__doc__):
            exec(example.source, names)
    noise = next(noise for noise in used if type(noise) is model)
    fit = {"num_classes": K, "classes": None}
    return dataclasses.replace(noise, **{name: fit[name] for name in fit if name in vars(noise)})


# A model without a row is tested as its docstring shows it.
ROWS = frozenset(MODELS)
MODELS |= {
    name: of_the_example(model)
    for name, model in NOISES.items()
    if model not in map(type, MODELS.values())
}
# Models whose rows name void make pixels void on purpose; these do not draw at random.
NOT_RANDOM = {
    "coarse", "coarse to void", "boxes", "hulls", "erosion", "erosion to 1", "erosion to void",
    "erosion of 2", "dilation", "dilation of 2", "opening", "closing", "jitter, bias only",
}  # fmt: skip
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


def test_a_model_without_a_row_is_tested_as_its_docstring_shows_it():
    assert of_the_example(RegionSwap) == RegionSwap(0.5, K)
    assert of_the_example(Sometimes) == Sometimes(BoundaryErosion(1), 0.3)


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=25, deadline=None)
@given(mask=masks, layout=st.sampled_from(sorted(LAYOUTS)), seed=st.integers(0, 2**32))
def test_contract(name, mask, layout, seed):
    noise = MODELS[name]
    given_mask = LAYOUTS[layout](mask)
    states = np.random.get_state(), random.getstate()
    noisy = noise(given_mask, generator(seed), **sources(mask))

    assert noisy.shape == mask.shape
    assert noisy.dtype == mask.dtype
    assert noisy.flags.c_contiguous
    assert noisy.flags.writeable
    assert not np.shares_memory(noisy, given_mask)
    np.testing.assert_array_equal(given_mask, mask)
    assert set(np.unique(noisy)) <= {*range(K), 255}
    assert (noisy[mask == 255] == 255).all()
    if "void" not in name:
        assert (noisy[mask != 255] != 255).all()

    after = np.random.get_state()
    assert (after[1] == states[0][1]).all()
    assert (after[2:], random.getstate()) == (states[0][2:], states[1])
    # The layout and the global generators play no part; the same keys give the same mask.
    np.random.seed(seed % 1000)
    random.seed(seed)
    np.testing.assert_array_equal(noise(mask, generator(seed), **sources(mask)), noisy)
    np.random.set_state(states[0])
    random.setstate(states[1])


@pytest.mark.parametrize("name", MODELS)
def test_dtypes_threads_and_strips_play_no_part(name, patches, monkeypatch):
    mask = np.kron(patches(3, (30, 20)), np.ones((3, 3), np.uint8))
    noise, given = MODELS[name], sources(mask)
    expected = noise(mask, generator(1), **given)
    for dtype in (np.uint16, np.int32, np.int64):
        np.testing.assert_array_equal(noise(mask.astype(dtype), generator(1), **given), expected)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(4)
    try:
        np.testing.assert_array_equal(noise(mask, generator(1), **given), expected)
    finally:
        cv2.setNumThreads(threads)
    if getattr(noise, "pixel_flip", 0):
        return  # each strip draws its own
    for module, pixels in ((strips, "_PIXELS"), (resampling, "_PIXELS_AT_ONCE"),
                           (cells, "_PIXELS_AT_ONCE"), (jitter, "_STRIP_PIXELS")):  # fmt: skip
        monkeypatch.setattr(module, pixels, 1)
    np.testing.assert_array_equal(noise(mask, generator(1), **given), expected)


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_is_checked_and_every_source_asked_for(name):
    noise = MODELS[name]
    for field in dataclasses.fields(noise):
        with pytest.raises((TypeError, ValueError), match="object object"):
            dataclasses.replace(noise, **{field.name: object()})
    mask = np.zeros((2, 3), np.uint8)
    for source in noise.needs:
        given = {name: value for name, value in sources(mask).items() if name != source}
        with pytest.raises(ValueError, match=f"needs {source}"):
            noise(mask, generator(0), **given)


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=10, deadline=None)
@given(mask=masks, seed=st.integers(0, 2**32))
def test_nothing_happens_at_the_least_dose(name, mask, seed):
    noise = MODELS[name].with_dose(MODELS[name].dose_range[0])
    noisy = noise(mask, generator(seed), **sources(mask))
    np.testing.assert_array_equal(noisy, mask)
    assert not np.shares_memory(noisy, mask)


def test_dose_is_declared(patches):
    mask = np.kron(patches(0, void=False), np.ones((3, 3), np.uint8))

    def changed(model):
        return sum(
            np.count_nonzero(model(mask, generator(seed), **sources(mask)) != mask)
            for seed in range(20)
        )

    for name, noise in MODELS.items():
        low, high = noise.dose_range
        assert low <= noise.dose <= high, name
        stronger = noise.with_dose(min(high, 1.5 * noise.dose))
        assert 0 < changed(noise) <= 1.05 * changed(stronger), name


def test_json_and_pickle_round_trip():
    for noise in MODELS.values():
        data = json.loads(json.dumps(noise.to_dict()))
        assert build_noise(data) == noise
        assert hash(build_noise(data)) == hash(noise)
        assert pickle.loads(pickle.dumps(noise)) == noise
        assert str(noise) == str(build_noise(data))
        noise.check_fit(K, 255)


def test_a_single_class_is_left_alone():
    for name in sorted(NOT_RANDOM):
        for label in [0, 3, 255]:
            mask = np.full((5, 7), label, np.uint8)
            noisy = MODELS[name](mask, generator(0), **sources(mask))
            np.testing.assert_array_equal(noisy, mask, err_msg=name)


def test_random_models_depend_on_the_generator(patches):
    mask = patches(0, (40, 40))
    for name in ROWS - NOT_RANDOM:
        noisy = [MODELS[name](mask, generator(seed), **sources(mask)) for seed in range(8)]
        assert any((other != noisy[0]).any() for other in noisy), name
