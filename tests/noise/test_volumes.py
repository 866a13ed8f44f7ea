"""Noise on volumes: objects in three dimensions, and errors that agree from slice to slice."""

import numpy as np
import pytest
from scipy import ndimage

from segnoise.datasets import NoisyLabels
from segnoise.datasets.base import LabelledImages, Slice
from segnoise.errors import ConfigError
from segnoise.noise import (
    NOISES,
    BoundaryDilation,
    BoundaryErosion,
    BoundaryJitter,
    CoarsePolygon,
    Compose,
    Elastic,
    Omission,
    PerClass,
    RegionSwap,
    Rotate,
    Shift,
    SpuriousObjects,
    SymmetricFlip,
    generator,
)
from segnoise.noise.geometry.components import connected_components
from segnoise.noise.geometry.gaps import close_gaps
from segnoise.noise.presets import PRESETS

RNG = np.random.default_rng(0)
OTHER = RNG.integers(0, 3, (20, 24)).astype(np.uint8)
# Parameters of the models that need some; all others are built by name.
GIVEN = {
    "AsymmetricFlip": {"transition_matrix": {"pair": 4, "rate": 0.5}},
    "SymmetricFlip": {"rate": 0.5, "num_classes": 4},
    "RegionSwap": {"rate": 0.5, "num_classes": 4},
    "Omission": {"rate": 0.5},
    "VoidDropout": {"rate": 0.5, "regions": "components"},
    "SpuriousObjects": {"count": 3},
    "BoundaryJitter": {"std": 2, "length": 8},
    "DistanceMorphology": {"low": 1, "high": 3},
    "Shift": {"distance": 2},
    "Rotate": {"angle": 20},
    "Elastic": {"amplitude": 2},
    **{f"Boundary{n}": {"width": 1.5} for n in ("Erosion", "Dilation", "Opening", "Closing")},
}


def blobs(shape, classes=4, void=True):
    """Smooth regions in three dimensions, with some void."""
    field = ndimage.gaussian_filter(RNG.normal(size=shape), 2)
    mask = np.digitize(field, np.quantile(field, np.arange(1, classes) / classes)).astype(np.uint8)
    mask[ndimage.gaussian_filter(RNG.normal(size=shape), 1) > 0.25] = 255 if void else 0
    return mask


def test_components_are_those_of_scipy():
    for shape in ((7, 20, 24), (1, 9, 9), (5, 1, 1), (4, 30, 3)):
        for mask in (blobs(shape), RNG.integers(0, 2, shape).astype(np.uint8)):
            found = connected_components(mask, 255)
            number = 0
            for label in np.unique(mask[mask != 255]).tolist():
                own, count = ndimage.label(mask == label, np.ones((3, 3, 3)))
                number += count
                for n, box in enumerate(ndimage.find_objects(own), 1):
                    component = found.index[own == n]
                    assert (component == component[0]).all()
                    assert found.label[component[0]] == label
                    assert found.area[component[0]] == len(component)
                    assert found.window(int(component[0])) == box
            assert len(found) == number
            assert ((found.index < 0) == (mask == 255)).all()


def test_gaps_take_the_nearest_label_in_three_dimensions():
    mask = np.zeros((9, 15, 15), np.uint8)
    mask[5:] = 1
    gaps = np.zeros(mask.shape, bool)
    gaps[2:7, 2:13, 2:13] = True
    filled = close_gaps(mask.copy(), gaps, "neighbor", 255)
    distance, place = ndimage.distance_transform_edt(gaps, return_indices=True)
    assert (filled[gaps] != 9).all()
    for point in np.argwhere(gaps)[::7]:
        nearest = mask[tuple(place[(slice(None), *point)])]
        if filled[tuple(point)] != nearest:  # of equally near ones either; OpenCV rounds distances
            other = np.argwhere(~gaps & (mask == filled[tuple(point)])) - point
            near = np.sqrt((other**2).sum(1).min())
            assert near <= distance[tuple(point)] + 0.3
    alone = np.zeros((3, 4, 5), np.uint8)
    assert close_gaps(alone.copy(), np.ones(alone.shape, bool), "neighbor", 255).tolist() == (
        alone.tolist()
    )


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_a_single_slice_is_a_mask(name):
    mask = blobs((1, 20, 24))
    noise = NOISES[name](**GIVEN[name])
    flat = {"others": [OTHER]} if noise.needs else {}
    deep = {"others": [OTHER[None]]} if noise.needs else {}
    one = noise(mask[0], generator(1), **flat)
    assert np.array_equal(noise(mask, generator(1), **deep)[0], one)
    assert (one != mask[0]).any()


def test_the_other_models_say_so():
    others = {name for name, kind in NOISES.items() if name not in PRESETS and not kind.VOLUMES} - {
        "Compose",
        "OneOf",
        "Sometimes",
        "PerClass",
    }
    assert not others & set(GIVEN)
    assert {"CoarsePolygon", "MarkovBoundary", "PolygonNoise", "Annotators"} <= others
    mask = blobs((3, 20, 24))
    for noise in (
        CoarsePolygon(2),
        Compose([SymmetricFlip(0.1, 4), CoarsePolygon(2)]),
        Shift(1, regions="components"),
        RegionSwap(0.5, 4, regions="superpixels"),
    ):
        assert not noise.takes_volumes
        with pytest.raises(
            ValueError, match=r"the errors of one object would not agree.*RegionSwap"
        ):
            noise(mask, generator(0))


def test_objects_change_as_a_whole():
    mask = blobs((9, 24, 24))
    for noise in (RegionSwap(0.5, 4), Omission(0.5, fill=0, classes=[1, 2])):
        noisy = noise(mask, generator(0))
        changed = 0
        for label in (1, 2):
            own, count = ndimage.label(mask == label, np.ones((3, 3, 3)))
            for n in range(1, count + 1):
                assert len(set(noisy[own == n].tolist())) == 1
                changed += (noisy[own == n] != label).any()
        assert changed
        assert (noisy[mask == 255] == 255).all()


def test_slices_move_alike():
    mask = np.repeat(blobs((1, 30, 40)), 4, axis=0)
    for noise in (Shift(3), Rotate(20), Elastic(4, 8), BoundaryJitter(2, 8), BoundaryErosion(1.5)):
        noisy = noise(mask, generator(1))
        assert (noisy != mask).any(), noise
        assert (noisy == noisy[0]).all(), noise


def test_things_are_things_in_the_whole_volume():
    mask = np.zeros((6, 12, 12), np.uint8)
    mask[0, 1:11, 1:11] = 1  # more than half of its slice, and less than half of the volume
    assert (BoundaryErosion(1)(mask, generator(0))[0] == 1).sum() == 64
    assert (BoundaryErosion(1, fill=0)(mask, generator(0))[0] == 1).sum() == 64
    assert (BoundaryDilation(1)(mask, generator(0))[0] == 1).sum() == 144
    assert (BoundaryDilation(1)(mask, generator(0))[1:] == 0).all()


def test_pasted_objects_are_solid():
    other = np.zeros((9, 20, 20), np.uint8)
    other[2:7, 4:9, 4:9] = 2
    noise = SpuriousObjects(3, classes=[2])
    noisy = noise(np.zeros((8, 30, 30), np.uint8), generator(3), others=[other])
    own, count = ndimage.label(noisy == 2)
    assert count
    assert (noisy == 2).sum() % 125 == 0 or count < 3
    assert {s.stop - s.start for s in ndimage.find_objects(own)[0]} >= {5}


class Volumes(LabelledImages):
    """Two volumes of labels."""

    def __init__(self):
        self.metainfo = {"classes": tuple("abcd"), "palette": ((0, 0, 0),) * 4, "ignore_index": 255}
        self.labels = {"x": blobs((5, 16, 16)), "y": blobs((7, 16, 16))}
        self.places = [(c, n) for c, v in self.labels.items() for n in range(len(v))]
        self.loads = []

    def __len__(self):
        return len(self.places)

    def sample_id(self, index):
        return "{}/{}".format(*self.places[index])

    def paths(self, index):
        return f"{self.places[index][0]}.nii", f"{self.places[index][0]}.nii"

    def slice_of(self, index):
        return Slice(*self.places[index], (1.0, 1.0, 1.0))

    def whole_of(self, index):
        return self.places[index]

    def load_whole(self, index):
        self.loads.append(self.places[index][0])
        return self.labels[self.places[index][0]].copy()

    def load_mask(self, index):
        case, number = self.places[index]
        return self.labels[case][number].copy()

    def __getitem__(self, index):
        image = np.zeros((16, 16, 1), np.float32)
        return {"image": image, "mask": self.load_mask(index), "sample_id": self.sample_id(index)}


def test_noisy_labels_corrupt_a_case_once():
    data = Volumes()
    noise = RegionSwap(0.5, 4)
    noisy = NoisyLabels(data, noise, seed=3)
    found = [noisy[n] for n in RNG.permutation(len(noisy)).tolist()]
    assert len(data.loads) == 2
    for case, labels in data.labels.items():
        expected = noise(labels, generator(3, "noise", case))
        assert (expected != labels).any()
        for number in range(len(labels)):
            (sample,) = (s for s in found if s["sample_id"] == f"{case}/{number}")
            assert np.array_equal(sample["mask"], expected[number])
            assert np.array_equal(sample["clean_mask"], labels[number])
    pasted = NoisyLabels(data, SpuriousObjects(20), seed=0)
    data.loads.clear()
    assert (pasted[0]["mask"] != data.load_mask(0)).any()
    assert sorted(data.loads) == ["x", "y"]  # itself, and the only other


def test_noise_of_single_masks_is_refused_before_it_is_read():
    with pytest.raises(ConfigError, match=r"noise: CoarsePolygon\(.*corrupts single masks"):
        NoisyLabels(Volumes(), CoarsePolygon(2))
    with pytest.raises(ConfigError, match=r"corrupts single masks"):
        NoisyLabels(Volumes(), lambda mask, rng: mask.copy())
    both = PerClass({1: BoundaryErosion(1), 3: SymmetricFlip(0.5, 4)})
    assert NoisyLabels(Volumes(), both)[2]["mask"].shape == (16, 16)
