"""Transition matrices: P(noisy = j | true = i) in row i, column j."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segnoise.checks import check_integer, check_rate

Matrix = NDArray[np.float64]

CONFUSIONS: dict[str, tuple[int, tuple[tuple[int, ...], ...]]] = {
    "voc": (
        21,
        (
            (8, 12),  # cat, dog
            (10, 13, 17),  # cow, horse, sheep
            (6, 7, 19),  # bus, car, train
            (2, 14),  # bicycle, motorbike
            (9, 18),  # chair, sofa
        ),
    ),
    "cityscapes": (
        19,
        (
            (0, 1),  # road, sidewalk
            (3, 4),  # wall, fence
            (11, 12),  # person, rider
            (14, 15, 16),  # truck, bus, train
            (17, 18),  # motorcycle, bicycle
            (8, 9),  # vegetation, terrain
        ),
    ),
}
"""Named confusions: the number of classes, and the groups whose members get confused."""


def confusions(name: str, rate: float) -> Matrix:
    """Return the transition matrix of a data set's usual confusions.

    "voc" (21 classes) confuses cat/dog, cow/horse/sheep, bus/car/train, bicycle/motorbike and
    chair/sofa; "cityscapes" (19 training ids) road/sidewalk, wall/fence, rider/person,
    truck/bus/train, motorcycle/bicycle and vegetation/terrain. See `group_flip` for the formula.

    Args:
        name: "voc" or "cityscapes".
        rate: Probability, from 0 to 1, that a pixel of a listed class takes another class.

    Returns:
        (K, K) matrix; rows sum to 1.

    Raises:
        ValueError: If the name is unknown or the rate is not within [0, 1].

    Example:
        >>> from segnoise.noise import confusions
        >>> cow, horse, sheep = 10, 13, 17
        >>> confusions("voc", 0.4)[cow, [cow, horse, sheep]].tolist()
        [0.6, 0.2, 0.2]
    """
    if name not in CONFUSIONS:
        near = difflib.get_close_matches(str(name).lower(), CONFUSIONS, n=1, cutoff=0.4)
        hint = f", did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"unknown confusions {name!r}{hint} (known: {', '.join(CONFUSIONS)}); for other data "
            'give {"groups": [[1, 2], ...], "num_classes": K, "rate": r}'
        )
    num_classes, groups = CONFUSIONS[name]
    return group_flip(groups, num_classes, rate)


def group_flip(groups: Sequence[Sequence[int]], num_classes: int, rate: float) -> Matrix:
    """Return the transition matrix of classes that are confused within groups.

    For class i in a group of g classes, T[i, i] = 1 - r and T[i, j] = r / (g - 1) for every other
    j of the group: the rate is spread evenly. Classes in no group keep their label.

    Args:
        groups: Class ids, two or more a group, each id in one group at most.
        num_classes: K.
        rate: r, from 0 to 1.

    Returns:
        (K, K) matrix; rows sum to 1.

    Raises:
        TypeError: If K or an id is not an integer.
        ValueError: If an id is out of range or listed twice, a group has fewer than two ids, or
            the rate is not within [0, 1].

    Example:
        >>> group_flip([[0, 2]], num_classes=3, rate=0.25).tolist()
        [[0.75, 0.0, 0.25], [0.0, 1.0, 0.0], [0.25, 0.0, 0.75]]
    """
    size, rate = check_integer("num_classes", num_classes, 1), check_rate("rate", rate)
    matrix = np.eye(size)
    seen: set[int] = set()
    for group in groups:
        if len(group) < 2:
            raise ValueError(f"group {list(group)!r} needs two classes or more to confuse")
        for label in group:
            if check_integer("class id", label, 0) >= size or label in seen:
                problem = "is listed twice" if label in seen else f"is not below {size}"
                raise ValueError(f"class id {label} in groups {problem}")
            seen.add(label)
        for label in group:
            others = [other for other in group if other != label]
            matrix[label, others] = rate / len(others)
            matrix[label, label] = 1 - rate
    return matrix


def pair_flip(num_classes: int, rate: float) -> Matrix:
    """Return the transition matrix of the pair flip: i becomes i + 1 with the given rate.

    T[i, i] = 1 - r, T[i, (i + 1) mod K] = r.

    Args:
        num_classes: K, at least 2.
        rate: r, from 0 to 1.

    Returns:
        (K, K) matrix; rows sum to 1.

    Raises:
        TypeError: If K is not an integer.
        ValueError: If K is below 2 or the rate is not within [0, 1].

    Example:
        >>> pair_flip(3, 0.25).tolist()
        [[0.75, 0.25, 0.0], [0.0, 0.75, 0.25], [0.25, 0.0, 0.75]]
    """
    identity, rate = np.eye(check_integer("num_classes", num_classes, 2)), check_rate("rate", rate)
    return (1 - rate) * identity + rate * np.roll(identity, 1, axis=1)


Rows = tuple[tuple[float, ...], ...]
"""A transition matrix as models keep it: it can be compared and hashed."""


def matrix_rows(spec: Any, num_classes: int | None = None) -> Rows:
    """Return what `transition_matrix` does as rows; raises if it is not of so many classes."""
    matrix = transition_matrix(spec)
    if num_classes not in (None, len(matrix)):
        raise ValueError(
            f"transition_matrix has {len(matrix)} classes, but num_classes is {num_classes}"
        )
    return tuple(map(tuple, matrix.tolist()))


_FORMS: dict[frozenset[str], Any] = {
    frozenset({"confusions", "rate"}): lambda s: confusions(s["confusions"], s["rate"]),
    frozenset({"pair", "rate"}): lambda s: pair_flip(s["pair"], s["rate"]),
    frozenset({"groups", "num_classes", "rate"}): lambda s: group_flip(
        s["groups"], s["num_classes"], s["rate"]
    ),
}


def transition_matrix(spec: Mapping[str, Any] | Sequence[Sequence[float]] | Matrix) -> Matrix:
    """Return the transition matrix that a config spells out or abbreviates.

    Args:
        spec: K rows of K probabilities (nested lists or an array), or one of the short forms
            {"confusions": "voc" or "cityscapes", "rate": r} (see `confusions`),
            {"pair": K, "rate": r} (see `pair_flip`),
            {"groups": [[1, 2], [3, 4, 5]], "num_classes": K, "rate": r} (see `group_flip`).

    Returns:
        (K, K) float64 matrix; rows sum to 1.

    Raises:
        TypeError: If it is neither, or the entries are no numbers.
        ValueError: If it is not square, an entry is not within [0, 1], or a row does not sum to 1
            (within 1e-6).

    Example:
        >>> transition_matrix({"pair": 2, "rate": 0.25}).tolist()
        [[0.75, 0.25], [0.25, 0.75]]
        >>> transition_matrix([[0.9, 0.2], [0.0, 1.0]])
        Traceback (most recent call last):
        ValueError: row 0 of the transition matrix sums to 1.1, not to 1 (row = true class)
    """
    if isinstance(spec, Mapping):
        form = _FORMS.get(frozenset(spec))
        if form is None:
            known = "; ".join(str(sorted(keys)) for keys in _FORMS)
            raise ValueError(f"transition_matrix has keys {sorted(spec)}; a short form has {known}")
        result: Matrix = form(spec)
        return result
    try:
        matrix = np.array(spec, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"transition_matrix must be K rows of K numbers or a short form, not {spec!r}"
        ) from error
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
        raise ValueError(f"the transition matrix has shape {matrix.shape}, not (K, K)")
    if not ((matrix >= 0) & (matrix <= 1)).all():
        row, column = np.argwhere(~((matrix >= 0) & (matrix <= 1)))[0]
        raise ValueError(
            f"entry [{row}, {column}] of the transition matrix is {matrix[row, column]:g}, "
            "not a probability from 0 to 1"
        )
    for row, total in enumerate(matrix.sum(axis=1)):
        if abs(total - 1) > 1e-6:
            raise ValueError(
                f"row {row} of the transition matrix sums to {total:g}, not to 1 (row = true class)"
            )
    return matrix
