import numpy as np
import pytest

from segnoise.noise import MarkovBoundary, generator
from segnoise.noise.geometry.boundary_walk import Hits, walk
from segnoise.noise.models import markov

WEIGHTS = np.array([39, 57, 64, 57, 39])


def test_every_class_walks_on_its_own_from_its_clean_region(patches):
    """Without a vote the result is the walks of all classes, put on one another."""
    for seed in range(4):
        mask = patches(seed, (30, 34), void=False)
        steps, expand, flip = 10, 0.9, 0.2
        noisy = MarkovBoundary(steps, expand, flip, blur=False, fill=200)(mask, generator(seed))
        rng = generator(seed)
        labels, counts = np.unique(mask, return_counts=True)
        expected = np.full_like(mask, 200)
        order = sorted(range(len(labels)), key=lambda i: (-counts[i], labels[i]))
        expected[mask == labels[order[0]]] = labels[order[0]]
        for label in labels[order[1:]]:
            grows = rng.random(steps) < expand
            region = mask == label
            rows, columns = region.any(1).nonzero()[0], region.any(0).nonzero()[0]
            reach = np.count_nonzero(grows)
            top, left = max(rows[0] - reach - 1, 0), max(columns[0] - reach - 1, 0)
            window = slice(top, rows[-1] + 2 + reach), slice(left, columns[-1] + 2 + reach)
            walked = walk(region[window], grows, Hits(flip, rng))
            expected[window][walked] = label
        np.testing.assert_array_equal(noisy, expected)


def hits(shape, probability, rng):
    drawn = np.frombuffer(rng.bytes(shape[0] * shape[1]), np.uint8)
    hit = drawn < int(256 * probability)
    close = np.flatnonzero(drawn == int(256 * probability))
    hit[close] = rng.random(len(close)) < 256 * probability - int(256 * probability)
    return hit.reshape(shape)


def mirrored(i, size):
    while not 0 <= i < size:
        i = 0 if size == 1 else -i if i < 0 else 2 * (size - 1) - i
    return i


def outvoted(mask, flipped, listed):
    """The vote by its definition, pixel by pixel."""
    height, width = mask.shape
    lost = np.zeros(mask.shape, bool)
    for y, x in np.ndindex(*mask.shape):
        own = total = 0
        for dy in range(-2, 3):
            for dx in range(-2, 3):
                place = mirrored(y + dy, height), mirrored(x + dx, width)
                weight = WEIGHTS[dy + 2] * WEIGHTS[dx + 2]
                own += weight * ((mask[place] == mask[y, x]) != flipped[place])
                total += weight
        lost[y, x] = 2 * own < total or (2 * own == total and mask[y, x] not in listed)
    return lost


@pytest.mark.parametrize("shape", [(20, 24), (1, 30), (30, 1), (2, 3), (1, 1)])
def test_flips_and_vote_of_two_classes_equal_the_definition(patches, shape):
    for rate in [0.0, 0.2, 0.6, 1.0]:
        for seed in range(4):
            mask = patches(seed, shape, num_classes=2, void=False)
            steps = 3
            noise = MarkovBoundary(steps, 0.5, 0.0, rate, classes=[1])
            rng = generator(seed)
            if mask.any():
                rng.random(steps)
            flipped = hits(shape, rate, rng) if rate else np.zeros(shape, bool)
            both = len(np.unique(mask)) == 2
            lost = outvoted(mask, flipped, [1]) & both
            np.testing.assert_array_equal(
                noise(mask, generator(seed)), np.where(lost, 1 - mask, mask)
            )
            grain = MarkovBoundary(steps, 0.5, 0.0, rate, blur=False, classes=[1])
            expected = np.where(flipped & both, 1 - mask, mask)
            np.testing.assert_array_equal(grain(mask, generator(seed)), expected)


def test_vote_of_many_classes(patches):
    for seed in range(4):
        mask = patches(seed, (24, 30), void=False)
        steps, rate, listed = 2, 0.25, [1, 3]
        noisy = MarkovBoundary(steps, 0.5, 0.0, rate, classes=listed)(mask, generator(seed))
        rng = generator(seed)
        for label in listed:
            if (mask == label).any():
                rng.random(steps)
        lost = outvoted(mask, hits(mask.shape, rate, rng), listed)
        assert ((noisy != mask) <= lost).all()
        # Whoever loses to another class becomes something that is near; the other classes lose
        # to the listed ones only.
        assert np.isin(noisy[(noisy != mask) & ~np.isin(mask, listed)], listed).all()
        assert (noisy != mask)[lost & np.isin(mask, listed)].all()
        assert (noisy != mask).any()


def test_the_number_of_specks_does_not_grow_with_the_classes():
    """Far from boundaries a pixel is outvoted as often with many classes as with two."""
    two, many = np.zeros((200, 200), np.uint8), np.zeros((200, 200), np.uint8)
    two[:, 100:] = 1
    for label in range(1, 9):
        many[25 * (label - 1) : 25 * label, 100:] = label
    shares = [
        np.mean([MarkovBoundary(1, 0.5, 0, 0.3)(m, generator(s))[:, 10:90] != 0 for s in range(8)])
        for m in (two, many)
    ]
    assert 0.004 < shares[0] < 0.03
    assert shares[1] == pytest.approx(shares[0], rel=0.15)


def test_the_image_border_is_no_boundary():
    mask = np.ones((8, 20), np.uint8)
    mask[:, :10] = 0
    for seed in range(5):
        noisy = MarkovBoundary(4, 0.5, 1.0, blur=False)(mask, generator(seed))
        assert (noisy[:, :5] == 0).all()
        assert (noisy[:, 15:] == 1).all()


def test_classes_that_are_not_listed_do_not_change_among_themselves(patches):
    for seed in range(6):
        mask = patches(seed, (40, 50))
        noisy = MarkovBoundary(30, 0.6, 0.2, 0.3, classes=[2])(mask, generator(seed))
        changed = noisy != mask
        assert changed.any()
        assert ((mask == 2) | (noisy == 2))[changed].all()
        assert (noisy[mask == 255] == 255).all()


def test_void_hides_the_walk_and_nothing_else():
    """A region reaches over void to what is behind it."""
    mask = np.zeros((5, 21), np.uint8)
    mask[:, 9:12] = 1
    mask[:, 12:14] = 255
    noisy = MarkovBoundary(6, 1.0, 1.0, blur=False)(mask, generator(0))
    assert noisy[2].tolist() == [0] * 3 + [1] * 9 + [255] * 2 + [1] * 5 + [0] * 2


def test_dose_counts_steps():
    noise = MarkovBoundary(180, 0.8, 0.05, 0.2)
    assert noise.dose == 180
    assert noise.with_dose(20.6) == MarkovBoundary(21, 0.8, 0.05, 0.2)


def test_many_classes_vote_as_each_one_does():
    for seed in range(30):
        rng = np.random.default_rng(seed)
        shape = tuple(rng.integers(1, 12, 2)) if seed % 2 else (60, 50)
        ranks = rng.integers(0, rng.integers(1, 6), shape).astype(np.uint8)
        flipped = rng.random(shape) < 0.2
        expected = markov._outvoted(ranks, flipped, 2)
        np.testing.assert_array_equal(markov._outvoted_at_once(ranks, flipped, 2), expected)
    with pytest.raises(ValueError, match="steps must be at least 0 and at most 4096"):
        MarkovBoundary(10**6, 0.5, 0.1)
