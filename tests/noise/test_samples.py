import numpy as np
import pytest

from segnoise.noise import FeatureDependent, Shift, SpuriousObjects, generator
from segnoise.noise.samples import _Others, corrupt_sample


class Masks:
    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def sample_id(self, index):
        return f"m{index}"

    def load_mask(self, index):
        return np.full((2, 2), index, np.uint8)


@pytest.mark.parametrize("left_out", [0, 2, 3])
def test_a_sample_does_not_borrow_from_itself(left_out):
    others = _Others(Masks(4), left_out)
    assert [int(other[0, 0]) for other in others] == [n for n in range(4) if n != left_out]
    assert len(others) == 3


def test_a_data_set_of_one_has_nothing_to_borrow():
    with pytest.raises(ValueError, match="no mask to borrow from beside this one"):
        corrupt_sample(SpuriousObjects(5), Masks(1), 0, 0, np.zeros((2, 2), np.uint8))


def test_images_and_instances_that_make_no_sense():
    mask = np.zeros((4, 5), np.uint8)
    with pytest.raises(ValueError, match="image has shape"):
        FeatureDependent(0.1)(mask, generator(0), image=np.zeros((4, 5, 4), np.uint8))
    with pytest.raises(ValueError, match="instances holds -1"):
        Shift(1, "instances")(mask, generator(0), instances=mask.astype(np.int32) - 1)
    with pytest.raises(ValueError, match="needs a second class"):
        FeatureDependent(0.1).check_fit(1, 255)
