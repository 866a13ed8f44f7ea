import cv2
import numpy as np
import pytest
from naive_objects import chamfer

from segnoise.noise import FeatureDependent, generator, save_top2
from segnoise.noise.geometry.drift import Boundaries, color_steps
from segnoise.noise.geometry.smooth_field import SmoothField

VOID = 255
DTYPES = [np.uint8, np.uint16, np.int32, np.int64]


def picture(mask, seed=0):
    """Return an image in which some classes look alike, with texture."""
    colors = np.array([[60, 60, 60], [70, 65, 60], [200, 90, 40], [50, 160, 90]])
    texture = np.random.default_rng(seed).normal(0, 6, (*mask.shape, 3))
    return np.clip(colors[np.minimum(mask, 3)] + texture, 0, 255).astype(np.uint8)


def candidates(mask, image, noise, rng):
    """Return {pixel: [(weakness, new label), ...]} by definition, one for each nearest boundary.

    Where boundary pixels are equally near, it is open which counts; weakness 0 is no candidate.
    """
    boundaries = Boundaries.of(mask)
    steps = color_steps(image, mask, boundaries, noise.depth)
    field = SmoothField(mask.shape, noise.length, rng).rows(0, mask.shape[0]).ravel()
    row, column = np.divmod(boundaries.at, mask.shape[1])
    found = {}
    for y, x in np.ndindex(mask.shape):
        own = boundaries.label == mask[y, x]
        if not own.any():
            continue
        distance = np.where(own, chamfer(row - y, column - x), np.inf)
        for q in np.flatnonzero(distance < distance.min() + 1e-3):
            push = field[boundaries.at[q]] * (1 if mask[y, x] < boundaries.rival[q] else -1)
            d = 1 + distance[q]
            weakness = max(push, 0) / (1 + steps[q]) / d if d <= noise.reach else 0
            found.setdefault((y, x), []).append((weakness, int(boundaries.rival[q])))
    return found


@pytest.mark.parametrize("rate", [0.01, 0.1, 1.0])
@pytest.mark.parametrize(
    "parameters", [{}, {"depth": 0, "reach": 3, "length": 3}, {"depth": 5, "reach": 1}]
)
def test_drift_equals_the_definition(patches, parameters, rate):
    noise = FeatureDependent(rate, **parameters)
    for seed in range(4):
        mask = patches(seed, (25, 31), void=False)
        image = picture(mask, seed)
        noisy = noise(mask, generator(seed), image=image)
        expected = candidates(mask, image, noise, generator(seed))
        changed = set(zip(*(part.tolist() for part in np.nonzero(noisy != mask)), strict=True))
        for pixel in changed:
            assert noisy[pixel] in {label for weakness, label in expected[pixel] if weakness > 0}
        certain = sum(min(ways)[0] > 0 for ways in expected.values())
        possible = sum(max(ways)[0] > 0 for ways in expected.values())
        count = int(rate * mask.size + 0.5)
        assert min(count, certain) <= len(changed) <= min(count, possible)
        # Nobody who stayed was weaker than anyone who flipped.
        flipped = [max(expected[p])[0] for p in changed]
        stayed = [min(ways)[0] for p, ways in expected.items() if p not in changed]
        assert min(flipped, default=np.inf) >= max(stayed, default=0) * (1 - 1e-5)


@pytest.mark.parametrize("rate", [0.001, 0.02, 0.1])
def test_the_share_is_exact(patches, rate):
    for seed in range(5):
        mask = np.kron(patches(seed, (20, 30)), np.ones((4, 4), np.uint8))
        noisy = FeatureDependent(rate)(mask, generator(seed), image=picture(mask))
        valid = np.count_nonzero(mask != VOID)
        assert np.count_nonzero(noisy != mask) == int(rate * valid + 0.5)
        np.testing.assert_array_equal(noisy == VOID, mask == VOID)


def test_beyond_the_candidates_all_of_them_flip(patches):
    mask = np.kron(patches(0, (20, 30), void=False), np.ones((4, 4), np.uint8))
    changed = [
        np.count_nonzero(
            FeatureDependent(rate, reach=3)(mask, generator(1), image=picture(mask)) != mask
        )
        for rate in (0.6, 0.8, 1.0)
    ]
    assert changed[0] == changed[1] == changed[2] > 0.05 * mask.size
    assert (FeatureDependent(1.0)(np.ones_like(mask), generator(0), image=picture(mask)) == 1).all()


@pytest.mark.parametrize(("rate", "share"), [(0.01, 0.03), (0.02, 0.1)])
def test_blurred_boundaries_flip_and_sharp_ones_stay(rate, share):
    mask = np.repeat([0, 1, 2], 60)[None].repeat(120, axis=0).astype(np.uint8)
    grey = np.array([60.0, 120.0, 180.0])[mask]
    blurred = cv2.GaussianBlur(grey, (0, 0), 12)
    image = np.where(np.arange(180) < 90, grey, blurred) + np.random.default_rng(0).normal(
        0, 2, mask.shape
    )
    image = np.clip(image, 0, 255).astype(np.uint8)
    at_sharp, at_blurred = 0, 0
    for seed in range(10):
        changed = FeatureDependent(rate)(mask, generator(seed), image=image) != mask
        at_sharp += np.count_nonzero(changed[:, :90])
        at_blurred += np.count_nonzero(changed[:, 90:])
    assert at_sharp + at_blurred == 10 * round(rate * mask.size)
    assert at_sharp < share * at_blurred


def test_boundaries_between_like_colours_flip_first():
    mask = np.repeat([0, 1, 2], 60)[None].repeat(120, axis=0).astype(np.uint8)
    image = np.array([[60, 60, 60], [60, 64, 60], [60, 60, 200]], np.uint8)[mask]
    changed = FeatureDependent(0.02)(mask, generator(0), image=image) != mask
    assert not changed[:, 90:].any()
    noisy = FeatureDependent(0.02)(mask, generator(0), image=image)
    # One side gives way at a time, and contiguously from the boundary on.
    for row in noisy[:, :90]:
        assert np.count_nonzero(np.diff(row.astype(int))) == 1


def test_void_rims_hide_no_boundary_and_do_not_flip():
    mask = np.zeros((60, 60), np.uint8)
    mask[17:43, 17:43] = VOID
    mask[21:39, 21:39] = 7
    image = np.full((60, 60), 90, np.uint8)
    noisy = FeatureDependent(0.05)(mask, generator(0), image=image)
    np.testing.assert_array_equal(noisy == VOID, mask == VOID)
    assert np.count_nonzero(noisy != mask) == round(0.05 * np.count_nonzero(mask != VOID))
    assert set(np.unique(noisy)) == {0, 7, VOID}


@pytest.fixture
def saved(tmp_path, patches):
    """Save predictions for a mask; returns the folder, the mask and the probabilities."""
    mask = patches(2, (20, 30))
    logits = np.random.default_rng(0).normal(0, 1, (4, 20, 30))
    logits += 2 * (mask == np.arange(4)[:, None, None])
    probabilities = (np.exp(logits) / np.exp(logits).sum(0)).astype(np.float32)
    save_top2(tmp_path / "city" / "a.npz", probabilities)
    return str(tmp_path), mask, probabilities


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.3, 1.0])
def test_predictions_replace_labels_with_the_most_probable_rival(saved, rate):
    for dtype in DTYPES:
        folder, mask, probabilities = saved
        noise = FeatureDependent(rate, folder, num_classes=4)
        noisy = noise(mask.astype(dtype), generator(0), sample_id="city/a")
        assert noisy.dtype == dtype
        rivals = {}
        for y, x in np.ndindex(mask.shape):
            if mask[y, x] != VOID:
                others = [(probabilities[c, y, x], c) for c in range(4) if c != mask[y, x]]
                rivals[y, x] = max(others)
        first = sorted(rivals, key=lambda p: -rivals[p][0])[: int(rate * len(rivals) + 0.5)]
        changed = list(zip(*np.nonzero(noisy != mask), strict=True))
        assert len(changed) == len(first)
        assert all(noisy[p] == rivals[p][1] for p in changed)
        # float16 ties some that float32 tells apart.
        expected = sum(np.float64(np.float16(rivals[p][0])) for p in first)
        assert sum(np.float64(np.float16(rivals[p][0])) for p in changed) == expected


def test_only_ties_are_random(saved, tmp_path):
    folder, mask, _ = saved
    noise = FeatureDependent(0.2, folder, num_classes=4)
    one, other = (noise(mask, generator(seed), sample_id="city/a") for seed in range(2))
    assert np.count_nonzero(one != other) <= 2
    save_top2(tmp_path / "flat.npz", np.full((4, 20, 30), 0.25))
    one, other = (noise(mask, generator(seed), sample_id="flat") for seed in range(2))
    assert np.count_nonzero((one != mask) != (other != mask)) > 0.1 * mask.size
    # Spread over the whole image, not the first rows.
    assert (one != mask)[10:].mean() > 0.1


def test_predictions_of_float32(tmp_path):
    mask = np.zeros((1, 4), np.uint8)
    labels = np.array([[[1, 0, 0, 1]], [[0, 1, 2, 2]]])
    probabilities = np.array([[[0.9, 0.5, 0.6, 0.8]], [[0.1, 0.4001, 0.4, 0.1]]], np.float32)
    np.savez(tmp_path / "a.npz", labels=labels, probabilities=probabilities)
    for rate, expected in ((0.25, [1, 0, 0, 0]), (0.5, [1, 0, 0, 1]), (0.75, [1, 1, 0, 1])):
        noise = FeatureDependent(rate, str(tmp_path), num_classes=3)
        assert noise(mask, generator(0), sample_id="a").tolist() == [expected]


def test_predictions_that_do_not_fit(saved):
    folder, mask, _ = saved
    noise = FeatureDependent(0.1, folder, num_classes=4)
    with pytest.raises(FileNotFoundError, match=r"b\.npz: no saved prediction"):
        noise(mask, generator(0), sample_id="b")
    with pytest.raises(ValueError, match=r"a\.npz: labels have shape \(2, 20, 30\), but the mask"):
        noise(mask[:5], generator(0), sample_id="city/a")
    with pytest.raises(ValueError, match=r"a\.npz: class id 3 is none of the 3 classes"):
        FeatureDependent(0.1, folder, num_classes=3)(mask % 3, generator(0), sample_id="city/a")
    with pytest.raises(ValueError, match="mask holds class id 9"):
        noise(np.full_like(mask, 9), generator(0), sample_id="city/a")
    with pytest.raises(ValueError, match="needs sample_id"):
        noise(mask, generator(0))
    with pytest.raises(ValueError, match="needs image"):
        FeatureDependent(0.1)(mask, generator(0), sample_id="city/a")
