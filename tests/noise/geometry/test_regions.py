import numpy as np

from segnoise.noise.geometry.components import connected_components
from segnoise.noise.geometry.regions import find_regions, of_each_pixel
from segnoise.noise.geometry.superpixels import superpixels
from segnoise.noise.sources import Sources


def test_each_pixel_gets_its_regions_value(patches):
    mask = patches(3)
    found = connected_components(mask, 255)
    values = np.random.default_rng(0).integers(0, 99, len(found))
    made = of_each_pixel(values, found, -7)
    for place in np.ndindex(*mask.shape):
        assert made[place] == (-7 if mask[place] == 255 else values[found.index[place]])


def test_void_that_fits_no_dtype_is_nowhere():
    found = connected_components(np.array([[1, 2]], np.uint8), -100)
    assert of_each_pixel(found.label, found, -100).tolist() == [[1, 2]]


def test_superpixel_regions_are_of_one_class_and_one_superpixel(patches):
    mask = patches(1, (40, 50))
    image = np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)
    found = find_regions(mask, "superpixels", 10, Sources(image=image), 255)
    pieces = superpixels(image, 10)
    pairs = {}
    for place in np.ndindex(*mask.shape):
        if mask[place] == 255:
            assert found.index[place] == -1
        else:
            pairs.setdefault((mask[place], pieces[place]), set()).add(int(found.index[place]))
    assert all(len(numbers) == 1 for numbers in pairs.values())
    assert len(pairs) == len(found)
