import hashlib
import tracemalloc

import numpy as np
import pytest
from scipy import stats

from segnoise.noise import (
    AsymmetricFlip,
    SymmetricFlip,
    confusions,
    generator,
    pair_flip,
    realised_noise,
)
from segnoise.noise.geometry.categorical import CategoricalTable


def symmetric_flip(size, rate, include_self=False):
    others = rate / (size if include_self else size - 1)
    return (1 - rate - (0 if include_self else others)) * np.eye(size) + others


UNEVEN = np.array(
    [[0.5, 0.3, 0.15, 0.05], [0.001, 0.999, 0, 0], [0, 1 / 3, 1 / 3, 1 / 3], [0, 0, 0, 1.0]]
)

DENSE = np.random.default_rng(3).dirichlet(np.full(19, 0.3), 19)


def exact_probabilities(table):
    """Enumerate a table: what it gives when all values of bits and numbers are equally likely."""
    rows, values = table.table.shape
    columns = len(table.remainder) // rows
    remainder = table.remainder.reshape(rows, columns) - (
        np.arange(rows, dtype=np.uint64)[:, None] << 32
    )
    rest = np.diff(remainder.astype(np.int64), axis=1, prepend=0) / 2**32
    counts = np.array([np.bincount(row, minlength=columns + 1) for row in table.table]) / values
    return counts[:, :-1] + counts[:, -1:] * rest


MATRICES = [
    UNEVEN, symmetric_flip(19, 0.4), symmetric_flip(300, 0.37), confusions("voc", 0.35), np.eye(3),
    pair_flip(2, 1.0), pair_flip(255, 1e-6), symmetric_flip(256, 1.0, True), UNEVEN[:1],
    np.full((1, 5000), 1 / 5000),
]  # fmt: skip


def test_table_holds_the_matrix_exactly():
    for matrix in MATRICES:
        exact = exact_probabilities(CategoricalTable.from_matrix(matrix))
        np.testing.assert_allclose(exact, matrix, rtol=0, atol=2**-32)
        assert ((exact > 0) <= (matrix > 0)).all()  # what is impossible stays impossible


class EveryNumber:
    """In place of a random generator: all 16-bit parts of words in turn, all numbers evenly."""

    def integers(self, low, high, size, dtype, endpoint):
        assert (low, high, endpoint) == (0, np.iinfo(dtype).max, True)
        if dtype is np.uint64:
            return np.arange(4 * size).astype("<u2").view("<u8").astype(np.uint64)
        return ((np.arange(size) + 0.5) / max(size, 1) * 2**32).astype(np.uint32)


def test_draws_follow_the_table():
    for matrix in MATRICES:
        table, draws = CategoricalTable.from_matrix(matrix), 1 << 16
        for row in (0, len(matrix) // 2, len(matrix) - 1):
            rows = np.full(draws, row, np.uint16)
            counts = np.bincount(table.draw(rows, EveryNumber()), minlength=matrix.shape[1])
            assert np.abs(counts - draws * matrix[row]).max() < 1.01
            assert ((counts > 0) <= (matrix[row] > 0)).all()


def requested_matrices():
    return {
        "symmetric": (SymmetricFlip(0.4, 4), symmetric_flip(4, 0.4)),
        "symmetric with self": (SymmetricFlip(0.4, 4, True), symmetric_flip(4, 0.4, True)),
        "uneven": (AsymmetricFlip(UNEVEN.tolist()), UNEVEN),
        "pair": (AsymmetricFlip.pair(4, 0.01), pair_flip(4, 0.01)),
    }


@pytest.mark.parametrize(
    ("noise", "matrix"),
    [
        *requested_matrices().values(),
        (SymmetricFlip(0.3, 19), symmetric_flip(19, 0.3)),
        (SymmetricFlip(0.9, 150, True), symmetric_flip(150, 0.9, True)),
        (AsymmetricFlip(DENSE), DENSE),
    ],
)
def test_realised_transitions_are_as_far_off_as_chance_makes_them(noise, matrix):
    # Pearson's statistic of all rows: too small would mean draws that are not independent.
    size = len(matrix)
    mask = np.random.default_rng(0).integers(0, size, (500, 600)).astype(np.uint8)
    seeds = [generator(seed, "chi") for seed in range(5)]
    report = sum(realised_noise(mask, noise(mask, rng), size) for rng in seeds)
    expected = report.confusion.sum(axis=1, keepdims=True) * matrix
    possible = expected > 0
    assert not report.confusion[~possible].any()
    statistic = ((report.confusion - expected)[possible] ** 2 / expected[possible]).sum()
    quantile = stats.chi2(np.count_nonzero(possible) - size).cdf(statistic)
    assert 1e-4 < quantile < 1 - 1e-4


def test_flips_of_neighbours_are_independent():
    mask = np.zeros((400, 500), np.uint8)
    flipped = SymmetricFlip(0.3, 19)(mask, generator(5)) != 0
    for dy, dx in [(0, 1), (1, 0), (1, 1), (0, 7)]:
        a = flipped[: 400 - dy, : 500 - dx].astype(float)
        b = flipped[dy:, dx:].astype(float)
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 4 / np.sqrt(a.size)


GOLDEN = {
    "symmetric": "b811f267fb481c98",
    "symmetric with self": "392afd433d33ad7f",
    "uneven": "9a94245c223061e1",
    "pair": "6914f64ed9966d0c",
}


def test_masks_are_the_recorded_ones(patches):
    # Recorded once: a change here changes every noisy data set that anyone has made.
    mask = patches(7, (300, 500))
    digests = {
        name: hashlib.sha256(noise(mask, generator(7, name)).tobytes()).hexdigest()[:16]
        for name, (noise, _) in requested_matrices().items()
    }
    assert digests == GOLDEN


def test_more_classes_than_a_byte():
    mask = np.arange(300, dtype=np.uint16).repeat(200).reshape(300, 200)
    mask[:, 0] = 1000
    noisy = SymmetricFlip(1.0, 300, ignore_index=1000)(mask, generator(0))
    assert (noisy[:, 0] == 1000).all()
    assert (noisy[:, 1:] != mask[:, 1:]).all()
    assert len(np.unique(noisy)) == 301
    assert noisy[:, 1:].max() == 299


def test_as_many_classes_as_16_bits_hold():
    mask = np.arange(1 << 16, dtype=np.uint16).repeat(4).reshape(512, 512)
    noisy = SymmetricFlip(0.5, 65535, ignore_index=65535)(mask, generator(0))
    assert (noisy[mask == 65535] == 65535).all()
    flipped = noisy[(noisy != mask)]
    assert abs(len(flipped) / (mask.size - 4) - 0.5) < 4 * 0.5 / np.sqrt(mask.size)
    assert (flipped != 65535).all()
    # Of n uniform labels, K (1 - (1 - 1/K)^n) differ on average.
    assert len(np.unique(flipped)) == pytest.approx(
        65535 * (1 - np.exp(-len(flipped) / 65535)), rel=0.01
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64])
@pytest.mark.parametrize("noise", [SymmetricFlip(0.9, 19), AsymmetricFlip.named("cityscapes", 0.9)])
def test_memory_beside_the_mask(noise, dtype):
    mask = np.random.default_rng(0).integers(0, 19, (1024, 2048)).astype(dtype)
    noise(mask[:2, :2], generator(0))  # builds the table
    tracemalloc.start()
    noise(mask, generator(0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.5 * mask.nbytes


@pytest.mark.parametrize("bits", [np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_any_bit_generator_serves(bits):
    mask = np.zeros((300, 500), np.uint8)
    flipped = SymmetricFlip(0.4, 19)(mask, np.random.Generator(bits(0))) != 0
    assert abs(flipped.mean() - 0.4) < 4 * np.sqrt(0.24 / mask.size)


@pytest.mark.parametrize("ignore_index", [-100, 4, 255, 70000])
def test_void_of_any_id_stays(ignore_index):
    mask = np.array([[0, 1, 2, 3, ignore_index]] * 50, np.int64)
    noisy = SymmetricFlip(1.0, 4, ignore_index=ignore_index)(mask, generator(0))
    assert (noisy[:, 4] == ignore_index).all()
    assert (noisy[:, :4] != mask[:, :4]).all()
    assert set(np.unique(noisy[:, :4])) == {0, 1, 2, 3}


def test_constructors_and_short_forms_agree():
    assert AsymmetricFlip.named("voc", 0.2) == AsymmetricFlip({"confusions": "voc", "rate": 0.2})
    assert AsymmetricFlip.pair(5, 0.2) == AsymmetricFlip({"pair": 5, "rate": 0.2})
    assert AsymmetricFlip.pair(5, 0.2) == AsymmetricFlip(pair_flip(5, 0.2))
    assert AsymmetricFlip.pair(5, 0.2) != AsymmetricFlip.pair(5, 0.3)
    assert len({AsymmetricFlip.pair(5, 0.2), AsymmetricFlip.pair(5, 0.2)}) == 1


def test_repr_of_a_large_matrix_is_short():
    text = repr(AsymmetricFlip(symmetric_flip(19, 0.4)))
    assert text.startswith("AsymmetricFlip(19 classes, 0->1: 0.02222, ")
    assert text.endswith("... 331 more, ignore_index=255)")
    assert (
        repr(AsymmetricFlip(np.eye(2))) == "AsymmetricFlip(2 classes, no flips, ignore_index=255)"
    )


@pytest.mark.parametrize("noise", [SymmetricFlip(0.4, 21), AsymmetricFlip.named("voc", 0.4)])
def test_a_label_out_of_range_is_named(noise):
    mask = np.array([[0, 37, 37, 99, 255]], np.uint8)
    message = r"class id 37 \(2 pixels\), but there are 21 classes \(0 to 20\) and void 255"
    with pytest.raises(ValueError, match=message):
        noise(mask, generator(0))
    with pytest.raises(ValueError, match="class id -1 "):
        noise(mask.astype(np.int32) - 1, generator(0))
