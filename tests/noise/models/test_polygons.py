import json

import naive_objects as naive
import numpy as np
import pytest

from segnoise.noise import PolygonNoise, build_noise, generator
from segnoise.noise.geometry.components import connected_components
from segnoise.noise.geometry.outlines import trace

K, GAP = 4, 3
T = [[0.5, 0.5, 0, 0], [0, 1, 0, 0], [0.2, 0.2, 0.2, 0.4], [1, 0, 0, 0]]


def moved(pixels, shape, shift):
    """Dilate or erode a set of pixels by a square; beyond the image's border is no outside."""
    reach = range(-abs(shift), abs(shift) + 1)
    where = np.zeros(shape, bool)
    for y, x in np.ndindex(shape):
        square = {(y + i, x + j) for i in reach for j in reach}
        square = {p for p in square if 0 <= p[0] < shape[0] and 0 <= p[1] < shape[1]}
        where[y, x] = square & pixels if shift > 0 else square <= pixels
    return where


def flipped(noise, label, flip, target):
    """Return an object's class after the flip, given its two uniform numbers."""
    if isinstance(noise.class_flip, float):
        choices = noise.classes or range(noise.num_classes)
        others = [other for other in choices if other != label]
        if flip < noise.scale * noise.class_flip:
            return others[int(target * len(others))]
        return label
    row = [p if j != label else 0 for j, p in enumerate(noise.class_flip[label])]
    if flip < noise.scale * sum(row):
        return next(j for j in range(len(row)) if target * sum(row) < sum(row[: j + 1]))
    return label


def protocol(noise, mask, seed, instances=None):
    """Follow the definition object by object, vertex by vertex, with the same draws."""
    rng = generator(seed)
    found = naive.objects(mask, instances=instances)
    traced = connected_components(mask, 255, instances)
    draws = rng.random((5, len(found)))
    shapes = {}
    for n in sorted(range(len(found)), key=lambda n: len(found[n][1]) == 1):
        label, pixels = found[n]
        if noise.classes is not None and label not in noise.classes:
            continue
        fate, direction, rounding, flip, target = draws[:, n].tolist()
        lines = [line.reshape(-1, 2) for line in trace(traced, n)]
        where = naive.as_map(pixels, mask.shape)
        if fate < noise.morphology:
            shift = int(noise.scale * (noise.kernel - 1) / 2 + rounding)
            where = moved(pixels, mask.shape, shift if direction < 0.5 else -shift)
        elif fate < noise.morphology + noise.jitter:
            lines = [naive.simplified(line, noise.vertex_tolerance) for line in lines]
            lines = [
                np.rint(
                    np.array(line)
                    + noise.scale * noise.sigma * rng.standard_normal((len(line), 1, 2))[:, 0]
                )
                for line in lines
            ]
            where = naive.drawn(lines, mask.shape)
        elif fate < noise.morphology + noise.jitter + noise.simplify:
            lines = [naive.simplified(line, noise.scale * noise.tolerance) for line in lines]
            where = naive.drawn(lines, mask.shape)
        shapes[n] = (where, flipped(noise, label, flip, target))
    return naive.pile(mask, found, shapes, GAP)


@pytest.mark.parametrize(
    "parameters",
    [
        {"morphology": 1, "jitter": 0, "simplify": 0, "kernel": 5},
        {"morphology": 1, "jitter": 0, "simplify": 0, "kernel": 3, "scale": 1.7},
        {"morphology": 0, "jitter": 1, "simplify": 0, "sigma": 1.5},
        {"morphology": 0, "jitter": 1, "simplify": 0, "sigma": 3, "vertex_tolerance": 0},
        {"morphology": 0, "jitter": 0, "simplify": 1, "tolerance": 2},
        {"morphology": 0, "jitter": 0, "simplify": 0, "class_flip": 0.6},
        {"class_flip": 0.6, "classes": [0, 1, 3], "scale": 0.5},
        {"class_flip": T, "scale": 0.8, "kernel": 7},
        {"class_flip": T, "scale": 3.0, "classes": [0, 2]},
        {"scale": 0.0, "class_flip": T},
        {"regions": "instances", "class_flip": T, "jitter": 0.5},
    ],
)
def test_against_the_definition(patches, parameters):
    noise = PolygonNoise(K, **{"tolerance": 2, "sigma": 1, "fill": GAP, **parameters})
    changed = 0
    for seed in range(3):
        mask = np.kron(patches(seed, (7, 9)), np.ones((2, 2), np.uint8))
        instances = None
        if noise.regions == "instances":
            instances = np.where(patches(seed + 9, mask.shape) == 1, 5, 0)
        noisy = noise(mask, generator(seed), instances=instances)
        np.testing.assert_array_equal(noisy, protocol(noise, mask, seed, instances))
        changed += np.count_nonzero(noisy != mask)
    assert (changed > 0) == (noise.scale > 0)


def squares(count, side=5, gap=4):
    """Draw a chequer of objects of classes 1 to 3 on class 0."""
    tile = np.pad(np.ones((side, side), np.uint8), (gap, gap))
    labels = np.arange(count * count).reshape(count, count) % 3 + 1
    return np.kron(labels, tile).astype(np.uint8)


def regions_of(noisy, count):
    """Split an image of squares into those tiles."""
    side = noisy.shape[0] // count
    tiles = noisy.reshape(count, side, count, side).swapaxes(1, 2)
    return tiles.reshape(count * count, side, side)


def test_jitter_below_half_a_pixel_gives_back_the_object(patches):
    mask = np.kron(patches(0), np.ones((3, 3), np.uint8))
    noise = PolygonNoise(K, 0, 1, 0, sigma=0.05, vertex_tolerance=0)
    np.testing.assert_array_equal(noise(mask, generator(0)), mask)


def test_eroded_objects_lose_the_whole_band_to_what_is_around():
    mask = np.zeros((30, 40), np.uint8)
    mask[5:25, 8:28] = 1
    mask[10:20, 28:34] = 2
    noise = PolygonNoise(3, 1, 0, 0, kernel=7, classes=[1])
    noisy = next(
        noisy
        for noisy in (noise(mask, generator(seed)) for seed in range(20))
        if (noisy == 1).sum() < (mask == 1).sum()
    )
    assert (noisy == 1).sum() == 14 * 14
    assert noisy[15].tolist() == [0] * 11 + [1] * 14 + [2] * 9 + [0] * 6


def test_an_instance_in_two_parts_has_one_fate():
    mask = np.zeros((12, 30), np.uint8)
    mask[3:8, 3:8] = mask[3:8, 20:25] = 1
    instances = (mask * 4).astype(np.int32)
    noise = PolygonNoise(3, 1, 0, 0, class_flip=0.5, classes=[1, 2], regions="instances")
    for seed in range(10):
        noisy = noise(mask, generator(seed), instances=instances)
        np.testing.assert_array_equal(noisy[:, 1:12], noisy[:, 18:29])


def test_draws_are_shared_by_all_doses():
    count = 12
    mask = squares(count)
    noise = build_noise("coco-n-easy", num_classes=K, classes=[1, 2, 3])
    half = noise.with_dose(0.6)(mask, generator(3))
    full = noise.with_dose(1.0)(mask, generator(3))
    touched = [(regions_of(m, count) != regions_of(mask, count)).any((1, 2)) for m in (half, full)]
    assert touched[0].sum() > 20
    assert (touched[1] | ~touched[0]).mean() > 0.97


def test_flips_that_may_draw_the_true_class():
    count = 40
    mask = squares(count)
    noise = PolygonNoise(K, 0, 0, 0, class_flip=0.6, include_self=True, classes=[1, 2, 3])
    changed = np.mean((noise(mask, generator(0)) != mask)[mask > 0])
    assert abs(changed - 0.6 * 2 / 3) < 4 * np.sqrt(0.24 / count**2)
    alone = PolygonNoise(K, 0, 0, 0, class_flip=0.6, include_self=True, classes=[1])
    np.testing.assert_array_equal(alone(mask, generator(0)), mask)


def test_json_round_trip_of_a_matrix():
    noise = PolygonNoise(K, class_flip={"pair": K, "rate": 0.25}, classes=[2, 1])
    assert noise.class_flip[3] == (0.25, 0, 0, 0.75)
    assert build_noise(json.loads(json.dumps(noise.to_dict()))) == noise
    assert hash(noise) == hash(build_noise(noise.to_dict()))


def test_ids_out_of_range():
    with pytest.raises(ValueError, match="mask holds class id 4"):
        PolygonNoise(K)(np.full((3, 3), 4, np.uint8), generator(0))
