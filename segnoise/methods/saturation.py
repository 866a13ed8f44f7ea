"""When a curve that rises towards a level has stopped rising: a small least-squares fit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

FEWEST_POINTS = 4  # one more than there are parameters


class Saturation(NamedTuple):
    """The curve ``f(t) = a (1 - exp(-t^b / c))`` for t > 0."""

    a: float
    b: float
    c: float

    def __call__(self, t: float | np.ndarray) -> np.ndarray:
        """Return f(t)."""
        return self.a * -np.expm1(-np.power(t, self.b) / self.c)

    def slope(self, t: float | np.ndarray) -> np.ndarray:
        """Return f'(t)."""
        power = np.power(t, self.b)
        slope: np.ndarray = self.a * self.b * power / t / self.c * np.exp(-power / self.c)
        return slope


def fit_saturation(t: np.ndarray, y: np.ndarray) -> Saturation:
    r"""Fit :math:`f(t) = a (1 - e^{-t^b / c})` by least squares, with 0 <= a <= 1 and b, c > 0.

    For given b and c the best a is a quotient, cut off to 0..1. Over log b and log c the sum of
    squares is minimised by Levenberg and Marquardt's method on what that a leaves (variable
    projection), from several beginnings, since there can be several minima.

    Args:
        t: (n,) > 0.
        y: (n,) in 0..1, such as an IoU.

    Source: the curve is that of Liu et al., Adaptive Early-Learning Correction, CVPR 2022; for the
    method see Golub and Pereyra, SIAM Journal on Numerical Analysis 10, 1973.

    Example:
        >>> t = np.arange(1.0, 11.0)
        >>> [round(float(v), 4) for v in fit_saturation(t, Saturation(0.8, 0.9, 2.0)(t))]
        [0.8, 0.9, 2.0]
    """
    t, y = np.asarray(t, np.float64), np.asarray(y, np.float64)
    if len(t) < FEWEST_POINTS:
        raise ValueError(f"{len(t)} points are too few for a fit: give at least {FEWEST_POINTS}")
    middle = float(np.median(t))
    begins = [(b, scale**b) for b in (0.5, 1.0, 2.0) for scale in (float(t[0]), middle)]
    found = [_descend(t, y, np.log(begin)) for begin in begins]
    return min(found, key=lambda pair: pair[0])[1]


def _descend(t: np.ndarray, y: np.ndarray, place: np.ndarray) -> tuple[float, Saturation]:
    """Levenberg-Marquardt from (log b, log c): the sum of squares and the curve at its end."""
    damping = 1e-3
    residual, jacobian, curve = _linearised(t, y, place)
    error = float(residual @ residual)
    for _ in range(200):
        normal = jacobian.T @ jacobian
        ridge = damping * (np.diag(np.diag(normal)) + 1e-12 * np.eye(2))
        step = -np.linalg.lstsq(normal + ridge, jacobian.T @ residual, rcond=None)[0]
        tried = np.clip(place + np.clip(step, -1, 1), -12, 12)
        residual_there, jacobian_there, curve_there = _linearised(t, y, tried)
        error_there = float(residual_there @ residual_there)
        if error_there < error:
            done = error - error_there <= 1e-14 * error
            place, residual, jacobian, curve = tried, residual_there, jacobian_there, curve_there
            error, damping = error_there, max(damping / 5, 1e-12)
            if done:
                break
        else:
            damping *= 4
            if damping > 1e12:
                break
    return error, curve


def _linearised(
    t: np.ndarray, y: np.ndarray, place: np.ndarray
) -> tuple[np.ndarray, np.ndarray, Saturation]:
    """Residuals with the best a, their derivatives by log b and log c, and the curve."""
    b, c = np.exp(place)
    rise = np.minimum(np.power(t, b) / c, 700.0)  # exp(-700) is nothing
    g, left = -np.expm1(-rise), np.exp(-rise)
    square = float(g @ g)
    best = float(y @ g) / square if square > 0 else 0.0
    a = min(max(best, 0.0), 1.0)
    jacobian = a * np.stack((left * rise * np.log(t) * b, -left * rise), 1)
    if a == best and square > 0:  # a moves with b and c: what it takes up is no change
        jacobian = jacobian - np.outer(g, g @ jacobian) / square
    return a * g - y, jacobian, Saturation(a, float(b), float(c))


def has_saturated(curve: Saturation, t: float, threshold: float) -> bool:
    r"""Tell whether the slope has fallen by more than a share, :math:`1 - f'(t)/f'(1) > \theta`.

    A slope that has risen since t = 1, at the beginning of an S-shaped curve, is none that has
    fallen, although the paper's absolute value would take it for one. A curve that is at its level
    a > 0 before t = 1 has saturated; one that stays at 0 has not.

    Example:
        >>> [has_saturated(Saturation(0.8, 1.0, 2.0), t, 0.9) for t in (1, 5, 6)]
        [False, False, True]
    """
    first, now = float(curve.slope(1.0)), float(curve.slope(t))
    if first <= 0:
        return curve.a > 0
    return 1 - now / first > threshold
