"""What the theory of noisy labels says of a loss: symmetric, asymmetric, and to what noise."""

from segnoise.losses.theory.tolerance import (
    AsymmetryRatio,
    Curves,
    NoiseTolerance,
    Symmetry,
    asymmetry_ratio,
    curves,
    is_asymmetric,
    is_symmetric,
    noise_tolerance,
    tolerated_rate,
)

__all__ = [
    "AsymmetryRatio",
    "Curves",
    "NoiseTolerance",
    "Symmetry",
    "asymmetry_ratio",
    "curves",
    "is_asymmetric",
    "is_symmetric",
    "noise_tolerance",
    "tolerated_rate",
]
