import numpy as np
import pytest


@pytest.fixture
def patches():
    """Return a function that draws masks of rectangular regions, with or without void."""

    def draw(seed, shape=(17, 23), num_classes=4, void=True, dtype=np.uint8, offset=0):
        rng = np.random.default_rng(seed)
        mask = np.zeros(shape, dtype)
        labels = [offset + label for label in range(num_classes)] + ([255] if void else [])
        for _ in range(12):
            top, left = rng.integers(0, shape[0]), rng.integers(0, shape[1])
            height, width = rng.integers(1, 9, size=2)
            mask[top : top + height, left : left + width] = rng.choice(labels)
        return mask

    return draw
