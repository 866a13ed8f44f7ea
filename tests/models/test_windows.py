"""Windows over an image of any size: blended as the formula says, in bounded memory."""

import math

import pytest
import torch

from segnoise.errors import ConfigError
from segnoise.models.windows import BLENDS, Windows, ahead, blended_rows


def network(images):
    """Class probabilities that depend on the place in the window, as a network's do."""
    height, width = images.shape[-2:]
    rows = torch.linspace(0, 1, height)[:, None].expand(height, width)
    return torch.stack((images[:, 0], images[:, 1] * rows), 1)


def naive(image, windows):
    """The definition: all windows in memory, weighted sums, division."""
    height, width = image.shape[-2:]
    h, w = min(windows.size, height), min(windows.size, width)
    weight = torch.ones(h, w)
    for y in range(h):
        for x in range(w):
            for place, side in ((y, h), (x, w)):
                at = (place + 0.5) / side
                value = {
                    "gaussian": math.exp(-((at - 0.5) ** 2) / (2 * 0.125**2)),
                    "cosine": math.sin(math.pi * at) ** 2,
                    "constant": 1.0,
                }[windows.blend]
                weight[y, x] *= max(value, 1e-3)
    total, count = torch.zeros(2, height, width), torch.zeros(height, width)
    for top in windows.starts(height):
        for left in windows.starts(width):
            part = image[None, :, top : top + h, left : left + w]
            total[:, top : top + h, left : left + w] += network(part)[0] * weight
            count[top : top + h, left : left + w] += weight
    return total / count


@pytest.mark.parametrize("blend", BLENDS)
@pytest.mark.parametrize(
    ("shape", "size", "overlap"),
    [
        ((37, 53), 16, 4),
        ((16, 16), 16, 8),
        ((9, 40), 16, 12),
        ((40, 9), 16, 0),
        ((1, 1), 8, 0),
    ],
)
def test_rows_are_what_the_definition_gives(blend, shape, size, overlap):
    image = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
    windows = Windows(size, overlap, blend)
    for batch_size in (1, 3, 64):
        parts = list(blended_rows(lambda r, c: image[:, r, c], shape, network, windows, batch_size))
        assert [top for top, _ in parts] == [
            sum(rows.shape[1] for _, rows in parts[:n]) for n in range(len(parts))
        ]
        assert torch.cat([rows for _, rows in parts], 1).allclose(naive(image, windows), atol=1e-5)


@pytest.mark.parametrize("first", [1, 12, 13, 25, 36])
def test_an_interrupted_image_goes_on_with_the_same_rows(first):
    image = torch.rand(2, 37, 20, generator=torch.Generator().manual_seed(0))
    calls = []

    def read(rows, columns):
        calls.append(rows.stop)
        return image[:, rows, columns]

    windows = Windows(16, 4)
    whole = torch.cat([r for _, r in blended_rows(read, (37, 20), network, windows)], 1)
    calls.clear()
    parts = list(blended_rows(read, (37, 20), network, windows, first=first))
    assert parts[0][0] == first
    assert torch.equal(torch.cat([rows for _, rows in parts], 1), whole[:, first:])
    assert min(calls) > first  # windows above it are not computed again


def test_what_does_not_count_is_not_computed():
    image = torch.rand(2, 40, 40, generator=torch.Generator().manual_seed(0))
    seen = []

    def read(rows, columns):
        return None if rows.start >= 20 or columns.start >= 20 else image[:, rows, columns]

    def counted(images):
        seen.append(len(images))
        return network(images)

    parts = list(blended_rows(read, (40, 40), counted, Windows(10, 0), batch_size=3))
    assert sum(seen) == 4
    assert [rows is None for _, rows in parts] == [False] * 4  # known by then how many classes
    whole = torch.cat([rows for _, rows in parts], 1)
    assert whole[:, 20:].eq(0).all()
    assert whole[:, :, 20:].eq(0).all()
    assert whole[:, :20, :20].allclose(naive(image[:, :20, :20], Windows(10, 0)), atol=1e-6)
    assert [r for _, r in blended_rows(lambda r, c: None, (30, 9), network, Windows(10, 0))] == [
        None
    ] * 3


def test_loading_is_one_item_ahead_and_its_errors_arrive():
    done = []
    items = ahead(lambda n: done.append(n) or 1 / (3 - n), range(5))
    assert next(items) == pytest.approx(1 / 3)
    assert next(items) == 0.5
    assert next(items) == 1
    with pytest.raises(ZeroDivisionError):
        next(items)


def test_arguments():
    for change in ({"size": 0}, {"overlap": 512}, {"overlap": -1}, {"blend": "hann"}):
        with pytest.raises(ConfigError):
            Windows(**change)
