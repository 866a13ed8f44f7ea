"""Random generators that depend on named keys and on nothing else."""

from __future__ import annotations

import hashlib
import operator
from typing import SupportsIndex

import numpy as np


def generator(*keys: SupportsIndex | str) -> np.random.Generator:
    """Return the random generator that belongs to a sequence of keys.

    The keys are encoded with their type and length, hashed with BLAKE2b to 256 bits, and these
    seed NumPy's `SeedSequence` and `PCG64`. The stream therefore depends on the keys and their
    order only: not on `PYTHONHASHSEED`, the process, the worker, the platform or what was drawn
    before. Different key sequences give independent streams: `("ab", "c")` and `("a", "bc")`
    differ, and so do `1` and `"1"`.

    Args:
        keys: Integers of any size and sign (NumPy's too) and strings, at least one,
            such as `(seed, "noise", sample_id)`.

    Returns:
        A new generator at the start of its stream.

    Raises:
        TypeError: If a key is neither an integer nor a string. Booleans and floats are refused,
            because `True == 1` and `1.0 == 1` would hide two spellings of one key.
        ValueError: If there is no key: an unkeyed generator would be the same everywhere.

    Example:
        >>> from segnoise.noise import generator
        >>> generator(0, "noise", "2007_000032").integers(0, 100, 5).tolist()
        [46, 0, 76, 23, 1]
        >>> generator(0, "noise", "2007_000033").integers(0, 100, 5).tolist()
        [45, 4, 2, 94, 24]
    """
    if not keys:
        raise ValueError("generator() needs at least one key, such as generator(seed, sample_id)")
    digest = hashlib.blake2b(b"".join(map(_encode, keys)), digest_size=32).digest()
    sequence = np.random.SeedSequence(int.from_bytes(digest, "little"))
    return np.random.Generator(np.random.PCG64(sequence))


def _encode(key: SupportsIndex | str) -> bytes:
    """Write one key as type tag, length and content, so that no two sequences collide."""
    if isinstance(key, str):
        # surrogatepass: file names that are not UTF-8 reach Python as lone surrogates.
        tag, content = b"s", key.encode("utf-8", "surrogatepass")
    elif isinstance(key, (bool, np.bool_)) or not hasattr(key, "__index__"):
        raise TypeError(f"a key must be an int or a str, not {key!r} ({type(key).__name__})")
    else:
        tag, content = b"i", str(operator.index(key)).encode("ascii")
    return tag + len(content).to_bytes(8, "little") + content
