import hashlib
import json

import numpy as np
import pytest

from segnoise.noise import (
    AsymmetricFlip,
    SymmetricFlip,
    build_noise,
    confusions,
    generator,
    pair_flip,
    realised_noise,
)
from segnoise.noise.categorical import CategoricalTable
from segnoise.noise.transitions import symmetric_flip

UNEVEN = np.array(
    [[0.5, 0.3, 0.15, 0.05], [0.001, 0.999, 0, 0], [0, 1 / 3, 1 / 3, 1 / 3], [0, 0, 0, 1.0]]
)


def exact_probabilities(table):
    """Enumerate a table: what it gives when each byte and uniform is equally likely."""
    first, second = table.bytes_tables
    size = len(first) - 1
    remainder = table.remainder.reshape(size, size) - np.arange(size)[:, None]
    rest = np.diff(remainder, axis=1, prepend=0)
    result = np.zeros((size, size))
    for row in range(size):
        counts = [np.bincount(t[row], minlength=size + 2) / 256 for t in (first, second)]
        last = counts[1][:size] + counts[1][size + 1] * rest[row]
        result[row] = counts[0][:size] + counts[0][size + 1] * last
    return result


@pytest.mark.parametrize(
    "matrix",
    [UNEVEN, symmetric_flip(19, 0.4), symmetric_flip(300, 0.37), confusions("voc", 0.35),
     np.eye(3), pair_flip(2, 1.0), pair_flip(255, 1e-6), symmetric_flip(256, 1.0, True)],
)  # fmt: skip
def test_table_holds_the_matrix_exactly(matrix):
    table = CategoricalTable.from_matrix(matrix)
    exact = exact_probabilities(table)
    np.testing.assert_allclose(exact, matrix, rtol=0, atol=1e-12)
    assert ((exact > 0) <= (matrix > 0)).all()  # what is impossible stays impossible
    size = len(matrix)
    for byte_table in table.bytes_tables:
        assert (byte_table[size] == size).all()


def requested_matrices():
    return {
        "symmetric": (SymmetricFlip(0.4, 4), symmetric_flip(4, 0.4)),
        "symmetric with self": (SymmetricFlip(0.4, 4, True), symmetric_flip(4, 0.4, True)),
        "uneven": (AsymmetricFlip(UNEVEN.tolist()), UNEVEN),
        "pair": (AsymmetricFlip.pair(4, 0.01), pair_flip(4, 0.01)),
    }


@pytest.mark.parametrize("name", requested_matrices())
@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
def test_realised_transitions_within_four_sigma(name, dtype):
    noise, matrix = requested_matrices()[name]
    mask = np.random.default_rng(0).integers(0, 4, (300, 400)).astype(dtype)
    report = sum(realised_noise(mask, noise(mask, generator(seed)), 4) for seed in range(20))
    totals = report.confusion.sum(axis=1, keepdims=True)
    sigma = np.sqrt(totals * matrix * (1 - matrix))
    assert (np.abs(report.confusion - totals * matrix) <= 4 * sigma).all()
    # Over many cells the deviations must also be as large as chance makes them.
    free = sigma > 0
    if free.sum() >= 8:
        assert np.mean(((report.confusion - totals * matrix)[free] / sigma[free]) ** 2) > 0.2


def test_flips_of_neighbours_are_independent():
    mask = np.zeros((400, 500), np.uint8)
    flipped = SymmetricFlip(0.3, 19)(mask, generator(5)) != 0
    for dy, dx in [(0, 1), (1, 0), (1, 1), (0, 7)]:
        a = flipped[: 400 - dy, : 500 - dx].astype(float)
        b = flipped[dy:, dx:].astype(float)
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 4 / np.sqrt(a.size)


def test_every_dtype_and_block_boundary_gives_the_same_labels(patches):
    # 300 x 500 pixels span three of the draw's blocks.
    mask = patches(1, (300, 500))
    noise = AsymmetricFlip(UNEVEN.tolist())
    expected = noise(mask, generator(1))
    for dtype in (np.uint16, np.int32, np.int64):
        np.testing.assert_array_equal(noise(mask.astype(dtype), generator(1)), expected)
    assert (expected != mask).any()
    np.testing.assert_array_equal(expected == 255, mask == 255)


GOLDEN = {
    "symmetric": "a571ff3e7a5f5499",
    "symmetric with self": "c9147d058b219ca2",
    "uneven": "fe7a91be49fbb36c",
    "pair": "57b152723e4ceb4e",
}


def test_masks_are_the_recorded_ones(patches):
    # Recorded once: a change here changes every noisy data set that anyone has made.
    mask = patches(7, (64, 64))
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


@pytest.mark.parametrize("ignore_index", [-100, 4, 255, 70000])
def test_void_of_any_id_stays(ignore_index):
    mask = np.array([[0, 1, 2, 3, ignore_index]] * 50, np.int64)
    noisy = SymmetricFlip(1.0, 4, ignore_index=ignore_index)(mask, generator(0))
    assert (noisy[:, 4] == ignore_index).all()
    assert (noisy[:, :4] != mask[:, :4]).all()
    assert set(np.unique(noisy[:, :4])) == {0, 1, 2, 3}


def test_rate_one_moves_every_pixel_of_a_pair():
    mask = np.array([[0, 1, 2, 255]], np.uint8)
    assert AsymmetricFlip.pair(3, 1.0)(mask, generator(0)).tolist() == [[1, 2, 0, 255]]


def test_constructors_and_short_forms_agree():
    assert AsymmetricFlip.named("voc", 0.2) == AsymmetricFlip({"confusions": "voc", "rate": 0.2})
    assert AsymmetricFlip.pair(5, 0.2) == AsymmetricFlip({"pair": 5, "rate": 0.2})
    assert AsymmetricFlip.pair(5, 0.2) == AsymmetricFlip(pair_flip(5, 0.2))
    assert AsymmetricFlip.pair(5, 0.2) != AsymmetricFlip.pair(5, 0.3)
    assert len({AsymmetricFlip.pair(5, 0.2), AsymmetricFlip.pair(5, 0.2)}) == 1


def test_json_round_trip():
    for noise in (SymmetricFlip(1 / 3, 21, True, 254), AsymmetricFlip.named("cityscapes", 1 / 3)):
        data = json.loads(json.dumps(noise.to_dict()))
        assert data["type"] == type(noise).__name__
        assert build_noise(data) == noise
        assert type(noise).from_dict(data) == noise


def test_repr_of_a_large_matrix_is_short():
    text = repr(AsymmetricFlip(symmetric_flip(19, 0.4)))
    assert text.startswith("AsymmetricFlip(19 classes, 0->1: 0.02222, ")
    assert text.endswith("... 331 more, ignore_index=255)")
    assert (
        repr(AsymmetricFlip(np.eye(2))) == "AsymmetricFlip(2 classes, no flips, ignore_index=255)"
    )


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: SymmetricFlip(1.1, 3), ValueError, "rate must be from 0 to 1, not 1.1"),
        (lambda: SymmetricFlip(-0.1, 3), ValueError, "rate must be from 0 to 1, not -0.1"),
        (lambda: SymmetricFlip(float("nan"), 3), ValueError, "not nan"),
        (lambda: SymmetricFlip("0.4", 3), TypeError, "not '0.4'"),
        (lambda: SymmetricFlip(True, 3), TypeError, "not True"),
        (lambda: SymmetricFlip(0.1, 1), ValueError, "num_classes must be at least 2, not 1"),
        (lambda: SymmetricFlip(0.1, 2.0), TypeError, "num_classes must be an integer, not 2.0"),
        (lambda: SymmetricFlip(0.1, 3, 1), TypeError, "include_self must be true or false, not 1"),
        (lambda: SymmetricFlip(0.1, 3, ignore_index=2), ValueError, "ignore_index=2 is one of"),
        (lambda: AsymmetricFlip([[0.5, 0.4], [0, 1]]), ValueError, "row 0 .* sums to 0.9"),
        (lambda: AsymmetricFlip(np.eye(3), ignore_index=0), ValueError, "ignore_index=0 is one"),
    ],
)
def test_wrong_parameters(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("noise", [SymmetricFlip(0.4, 21), AsymmetricFlip.named("voc", 0.4)])
def test_a_label_out_of_range_is_named(noise):
    mask = np.array([[0, 37, 37, 99, 255]], np.uint8)
    message = r"class id 37 \(2 pixels\), but there are 21 classes \(0 to 20\) and void 255"
    with pytest.raises(ValueError, match=message):
        noise(mask, generator(0))
    with pytest.raises(ValueError, match="class id -1 "):
        noise(mask.astype(np.int32) - 1, generator(0))


def test_a_dtype_too_narrow_for_the_classes_is_named():
    with pytest.raises(ValueError, match=r"num_classes - 1=299 does not fit .* uint8"):
        SymmetricFlip(0.4, 300, ignore_index=300)(np.zeros((2, 2), np.uint8), generator(0))
