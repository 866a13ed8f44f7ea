import hashlib
import os
import random
import subprocess
import sys

import numpy as np
import pytest

from segnoise.noise import generator

GOLDEN_RAW = [296896024430167240, 9091626770615795703, 10179576608930442494]
GOLDEN_BYTES = "0f7b39dc3fd3505e"


def test_stream_is_the_recorded_one():
    # Recorded once: a change here changes every noisy data set that anyone has made.
    raw = generator(2024, "noise", "aachen/aachen_000000_000019").bit_generator.random_raw(3)
    assert raw.tolist() == GOLDEN_RAW
    assert generator("a", -7, "ü", 2**80).bytes(8).hex() == GOLDEN_BYTES


def test_stream_follows_the_documented_construction():
    encoded = b"i" + (2).to_bytes(8, "little") + b"42" + b"s" + (2).to_bytes(8, "little") + b"ab"
    digest = hashlib.blake2b(encoded, digest_size=32).digest()
    expected = np.random.PCG64(np.random.SeedSequence(int.from_bytes(digest, "little")))
    assert generator(42, "ab").bit_generator.state == expected.state


def test_same_in_another_process_with_another_hash_seed():
    code = "from segnoise.noise import generator; print(generator(3, 'x').bytes(8).hex())"
    results = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("0", "1")
    }
    assert results == {generator(3, "x").bytes(8).hex()}


def test_different_keys_give_different_streams():
    keys = [
        (0,), (1,), (-1,), ("0",), ("",), ("", ""), (0, 0), (1, 2), (12,), ("1", 2), (1, "2"),
        ("ab", "c"), ("a", "bc"), ("abc",), ("c", "ab"), (2**64,), (10, 1), (1, 10), ("i1",),
    ]  # fmt: skip
    assert len({generator(*key).bytes(16) for key in keys}) == len(keys)


def test_numpy_integers_are_integers():
    assert generator(np.int64(5), np.uint8(7)).bytes(8) == generator(5, 7).bytes(8)


def test_undecodable_file_names_are_keys():
    assert generator(os.fsdecode(b"\xe9t\xe9.png")).bytes(8) != generator("été.png").bytes(8)


def test_neighbouring_keys_are_uncorrelated():
    draws = np.stack([generator(seed).random(20_000) for seed in range(8)])
    correlation = np.corrcoef(draws)[~np.eye(8, dtype=bool)]
    assert np.abs(correlation).max() < 4.5 / np.sqrt(draws.shape[1])


def test_global_random_state_plays_no_part():
    np.random.seed(1)
    random.seed(1)
    before = np.random.get_state()[1].copy(), random.getstate()
    first = generator(9).bytes(8)
    assert (np.random.get_state()[1] == before[0]).all()
    assert random.getstate() == before[1]
    np.random.seed(2)
    assert generator(9).bytes(8) == first


@pytest.mark.parametrize("key", [True, np.True_, 1.0, None, b"a", (1,)])
def test_other_keys_are_refused(key):
    with pytest.raises(TypeError, match="must be an int or a str"):
        generator(0, key)


def test_no_keys_are_refused():
    with pytest.raises(ValueError, match="at least one key"):
        generator()
