import numpy as np
import pytest

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
