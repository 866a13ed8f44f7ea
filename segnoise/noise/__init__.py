"""What corrupts masks: noise models, named random generators, and reports of the realised noise.

Stands on NumPy and OpenCV only.
"""

from segnoise.noise.base import NOISES, Dose, Noise, build_noise, noise_class, register
from segnoise.noise.boundary import BoundaryErosion
from segnoise.noise.combine import Compose, OneOf, PerClass, Sometimes
from segnoise.noise.flips import AsymmetricFlip, SymmetricFlip
from segnoise.noise.report import NoiseReport, realised_noise
from segnoise.noise.seeding import generator
from segnoise.noise.sources import Sources
from segnoise.noise.transitions import confusions, group_flip, pair_flip, transition_matrix

__all__ = [
    "NOISES",
    "AsymmetricFlip",
    "BoundaryErosion",
    "Compose",
    "Dose",
    "Noise",
    "NoiseReport",
    "OneOf",
    "PerClass",
    "Sometimes",
    "Sources",
    "SymmetricFlip",
    "build_noise",
    "confusions",
    "generator",
    "group_flip",
    "noise_class",
    "pair_flip",
    "realised_noise",
    "register",
    "transition_matrix",
]
