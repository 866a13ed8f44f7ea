import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segnoise.noise.report import joint as report_joint
from segnoise.noise.report.joint import count_jointly

VOID = 255


def objects_one_by_one(clean, noisy, num_classes):
    """Label each class on its own with SciPy, and compare every pair of objects."""
    noisy = np.where(clean == VOID, VOID, noisy)
    counts = np.zeros((4, num_classes), int)
    for label in range(num_classes):
        one, many = scipy.ndimage.label(clean == label, np.ones((3, 3)))
        other, others = scipy.ndimage.label(noisy == label, np.ones((3, 3)))
        counts[:2, label] = many, others
        for i in range(1, many + 1):
            for j in range(1, others + 1):
                shared = ((one == i) & (other == j)).sum()
                union = ((one == i) | (other == j)).sum()
                counts[2, label] += shared / union > 0.5
                counts[3, label] += 0.5 < shared / union < 1
    return counts


def joint_one_by_one(clean, noisy, num_classes):
    joint = np.zeros((num_classes, num_classes + 1), int)
    for a, b in zip(clean.ravel().tolist(), noisy.ravel().tolist(), strict=True):
        if a != VOID:
            joint[a, num_classes if b == VOID else b] += 1
    return joint


def check(clean, noisy, num_classes):
    joint, objects = count_jointly(clean, noisy, num_classes, VOID)
    np.testing.assert_array_equal(joint, joint_one_by_one(clean, noisy, num_classes))
    found = np.array(
        [objects[f"{name}_objects"] for name in ("clean", "noisy", "matched", "changed")]
    )
    np.testing.assert_array_equal(found, objects_one_by_one(clean, noisy, num_classes))
    return objects


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_small_masks_against_pairs_of_objects(data):
    shape = data.draw(st.tuples(st.integers(1, 8), st.integers(1, 8)))
    masks = hnp.arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 2, VOID]))
    check(data.draw(masks), data.draw(masks), 3)


@pytest.mark.parametrize("block", [1, 40, 1 << 17])
def test_objects_that_are_grown_shrunk_and_dotted(patches, block, monkeypatch):
    monkeypatch.setattr(report_joint, "_BLOCK", block)
    rng = np.random.default_rng(1)
    for seed in range(6):
        clean = patches(seed, (30, 41))
        noisy = scipy.ndimage.grey_dilation(clean, (2, 3))
        noisy[rng.random(clean.shape) < 0.03] = 2
        objects = check(clean, noisy, 4)
        assert objects["matched_objects"].sum() > 0
        assert objects["changed_objects"].sum() > 0


def test_half_is_no_match_and_more_is():
    clean = np.zeros((1, 12), np.uint8)
    clean[0, :4] = 1
    noisy = clean.copy()
    noisy[0, 2:4] = 0
    assert count_jointly(clean, noisy, 2, VOID)[1]["matched_objects"].tolist() == [1, 0]
    noisy[0, 2] = 1
    objects = count_jointly(clean, noisy, 2, VOID)[1]
    assert objects["matched_objects"].tolist() == [1, 1]
    assert objects["changed_objects"].tolist() == [1, 1]


def test_an_object_cut_in_two_keeps_at_most_one_half():
    clean = np.full((5, 11), 1, np.uint8)
    noisy = clean.copy()
    noisy[:, 6] = 0
    objects = count_jointly(clean, noisy, 2, VOID)[1]
    assert (objects["noisy_objects"].tolist(), objects["matched_objects"].tolist()) == (
        [1, 2],
        [0, 1],
    )


def test_masks_of_two_types_where_only_one_holds_void():
    clean = np.array([[1, 1, 65535]], np.uint16)
    noisy = np.array([[1, 0, 1]], np.uint8)
    joint, objects = count_jointly(clean, noisy, 2, 65535)
    assert joint.tolist() == [[0, 0, 0], [1, 1, 0]]
    assert objects["noisy_objects"].tolist() == [1, 1]


def test_counts_of_many_classes():
    rng = np.random.default_rng(0)
    clean, noisy = rng.integers(0, 4000, (2, 30, 40)).astype(np.uint16)
    pixels, _ = count_jointly(clean, noisy, 4000, 60000)
    expected = np.zeros_like(pixels)
    np.add.at(expected, (clean.ravel(), noisy.ravel()), 1)
    np.testing.assert_array_equal(pixels, expected)
