import dataclasses

import numpy as np
import pytest

from segnoise.noise.report.counts import Counts


@dataclasses.dataclass(frozen=True, eq=False)
class Seen(Counts):
    SHAPES = {"pairs": ("K", "K"), "pixels": ("K",), "near": (3,), "masks": ()}  # noqa: RUF012

    pairs: np.ndarray
    pixels: np.ndarray
    near: np.ndarray
    masks: int


def seen(seed, size=2):
    rng = np.random.default_rng(seed)
    draw = rng.integers
    return Seen(draw(9, size=(size, size)), draw(9, size=size), draw(9, size=3), int(draw(9)))


def test_sums_do_not_depend_on_the_order():
    parts = [seen(i) for i in range(5)]
    total = sum(parts)
    assert total == sum(reversed(parts), Seen.empty(2))
    assert hash(total) == hash(sum(reversed(parts)))
    np.testing.assert_array_equal(total.pairs, sum(part.pairs for part in parts))
    assert total.masks == sum(part.masks for part in parts)
    assert type(total.masks) is int
    assert total.num_classes == 2
    with pytest.raises(ValueError, match="cannot add reports on 2 and 3 classes"):
        total + seen(0, 3)
    with pytest.raises(TypeError):
        total + 1


def test_equality_takes_every_count():
    one = seen(0)
    for name in Seen.SHAPES:
        other = dataclasses.replace(one, **{name: getattr(one, name) + 1})
        assert other != one, name
    assert dataclasses.replace(one) == one
    assert one != 3


def test_arrays_are_copied_and_read_only():
    pixels = np.array([1, 2], np.int32)
    one = dataclasses.replace(seen(0), pixels=pixels)
    pixels[0] = 7
    assert one.pixels.tolist() == [1, 2]
    assert one.pixels.dtype == np.int64
    with pytest.raises(ValueError, match="read-only"):
        one.pixels[0] = 7


def test_round_trip():
    one = seen(0)
    assert Seen.from_dict({**one.to_counts(), "rate": 0.3}) == one


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pixels": [1, 2, 3]}, r"pixels must be integers of shape \(K\)"),
        ({"pairs": [1, 2]}, r"pairs must be integers of shape \(K, K\)"),
        ({"near": [1, 2]}, r"near must be integers of shape \(3\) .* not int64 of shape \(2,\)"),
        ({"near": [1.0, 2, 3]}, "near must be integers"),
        ({"masks": -1}, "masks must be at least 0"),
    ],
)
def test_counts_that_do_not_fit(change, message):
    with pytest.raises(ValueError, match=message):
        Seen.from_dict({**seen(0).to_counts(), **change})


def test_a_report_of_another_version_says_so():
    with pytest.raises(ValueError, match=r"lacks pairs, near: .*another version .*measure .*again"):
        Seen.from_dict({"pixels": [1, 2], "masks": 1, "near_boundary": 4})
    with pytest.raises(TypeError, match="masks must be an integer"):
        Seen.from_dict({**seen(0).to_counts(), "masks": 1.5})
