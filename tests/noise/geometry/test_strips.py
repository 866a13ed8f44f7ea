import numpy as np
import pytest

from segnoise.noise import (
    BoundaryClosing,
    BoundaryDilation,
    BoundaryErosion,
    BoundaryOpening,
    DistanceMorphology,
    generator,
)
from segnoise.noise.geometry import strips as module
from segnoise.noise.geometry.strips import strips


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (97, 31)])
def test_strips_cover_the_image_with_their_surroundings(monkeypatch, shape):
    for reach in [0, 1, 7, 1000]:
        monkeypatch.setattr(module, "_PIXELS", 300)
        height = shape[0]
        rows = np.arange(height)
        seen = []
        for strip in strips(shape, reach):
            own = rows[strip.rows]
            assert rows[strip.window][strip.inner].tolist() == own.tolist()
            first, last = max(own[0] - reach, 0), min(own[-1] + reach, height - 1)
            assert rows[strip.window].tolist() == list(range(first, last + 1))
            seen += own.tolist()
        assert seen == rows.tolist()


@pytest.mark.parametrize(
    "noise",
    [
        BoundaryErosion(2),
        BoundaryErosion(3, fill="void", classes=(0, 2)),
        BoundaryDilation(3, classes=(1, 3)),
        BoundaryOpening(2),
        BoundaryClosing(2, classes=(1, 3)),
        DistanceMorphology(3.5, 3.5),
    ],
    ids=str,
)
def test_seams_do_not_show(monkeypatch, patches, noise):
    masks = [patches(0, (60, 40), dtype=dtype) for dtype in (np.uint8, np.int32)]
    wholes = [noise(mask, generator(0)) for mask in masks]
    monkeypatch.setattr(module, "_PIXELS", 1)
    for mask, whole in zip(masks, wholes, strict=True):
        np.testing.assert_array_equal(noise(mask, generator(0)), whole)
