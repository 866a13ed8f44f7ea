import numpy as np
import pytest

from segnoise.noise import confusions, group_flip, pair_flip, transition_matrix
from segnoise.noise.geometry.transitions import CONFUSIONS

VOC = (
    "background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse "
    "motorbike person pottedplant sheep sofa train tvmonitor"
)
CITYSCAPES = (
    "road sidewalk building wall fence pole light sign vegetation terrain sky person rider car "
    "truck bus train motorcycle bicycle"
)


@pytest.mark.parametrize(
    ("name", "classes", "groups"),
    [
        ("voc", VOC, "cat/dog cow/horse/sheep bus/car/train bicycle/motorbike chair/sofa"),
        (
            "cityscapes",
            CITYSCAPES,
            "road/sidewalk wall/fence rider/person truck/bus/train motorcycle/bicycle "
            "vegetation/terrain",
        ),
    ],
)
def test_named_confusions_by_class_name(name, classes, groups):
    names, rate = classes.split(), 0.3
    expected = np.zeros((len(names), len(names)))
    group_of = {member: group.split("/") for group in groups.split() for member in group.split("/")}
    for i, true in enumerate(names):
        for j, noisy in enumerate(names):
            group = group_of.get(true, [true])
            if i == j:
                expected[i, j] = 1 - rate if true in group_of else 1
            elif noisy in group:
                expected[i, j] = rate / (len(group) - 1)
    np.testing.assert_allclose(confusions(name, rate), expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("rate", [0, 0.1, 0.5, 1])
def test_rows_sum_to_one(rate):
    matrices = [confusions(name, rate) for name in CONFUSIONS]
    for matrix in [*matrices, pair_flip(7, rate)]:
        np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=0, atol=1e-12)
        assert (matrix >= 0).all()


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"pair": 5, "rate": 0.3}, pair_flip(5, 0.3)),
        ({"confusions": "voc", "rate": 0.3}, confusions("voc", 0.3)),
        (
            {"groups": [[0, 1], [2, 4]], "num_classes": 5, "rate": 0.3},
            group_flip([[0, 1], [2, 4]], 5, 0.3),
        ),
        ([[0.5, 0.5], [0, 1]], np.array([[0.5, 0.5], [0, 1]])),
        (np.eye(3, dtype=np.float32), np.eye(3)),
    ],
)
def test_forms(form, expected):
    np.testing.assert_array_equal(transition_matrix(form), expected)


def test_wrong_forms():
    for form, error, message in [
        ([[0.5, 0.4], [0, 1]], ValueError, "row 0 of the transition matrix sums to 0.9, not to 1"),
        ([[1, 0], [1.5, -0.5]], ValueError, r"entry \[1, 0\] .* is 1.5"),
        ([[1, 0], [np.nan, 1]], ValueError, r"entry \[1, 0\] .* is nan"),
        ([[1, 0]], ValueError, r"shape \(1, 2\), not \(K, K\)"),
        ([], ValueError, r"not \(K, K\)"),
        ([[1, 0], [1]], TypeError, "K rows of K numbers"),
        ("voc", TypeError, "K rows of K numbers or a short form, not 'voc'"),
        ({"pairs": 3, "rate": 0.1}, ValueError, r"has keys \['pairs', 'rate'\]"),
        ({"pair": 1, "rate": 0.1}, ValueError, "num_classes must be at least 2, not 1"),
        ({"pair": 3, "rate": 1.2}, ValueError, "rate must be from 0 to 1, not 1.2"),
        ({"pair": 3, "rate": "a"}, TypeError, "rate must be a number from 0 to 1, not 'a'"),
        ({"confusions": "city", "rate": 0.1}, ValueError, "'city', did you mean 'cityscapes'?"),
        ({"confusions": "ade", "rate": 0.1}, ValueError, "known: voc, cityscapes"),
        ({"groups": [[1]], "num_classes": 3, "rate": 0.1}, ValueError, r"group \[1\] needs two"),
        ({"groups": [[1, 3]], "num_classes": 3, "rate": 0.1}, ValueError, "id 3 .* not below 3"),
        (
            {"groups": [[0, 1], [1, 2]], "num_classes": 3, "rate": 0},
            ValueError,
            "1 .* listed twice",
        ),
        ({"groups": [[1, 1]], "num_classes": 3, "rate": 0}, ValueError, "1 .* listed twice"),
    ]:
        with pytest.raises(error, match=message):
            transition_matrix(form)
