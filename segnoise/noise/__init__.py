"""What corrupts masks: noise models, named random generators, and reports of the realised noise.

Stands on NumPy and OpenCV only.
"""

from segnoise.noise.annotators import Annotators
from segnoise.noise.area_controlled import AreaControlled
from segnoise.noise.base import NOISES, Dose, Noise, build_noise, noise_class, register
from segnoise.noise.boundary import BoundaryDilation, BoundaryErosion
from segnoise.noise.calibration import Calibration, UnreachableDoseError, calibrate
from segnoise.noise.coarse import BoxMask, CoarsePolygon, HullMask
from segnoise.noise.combine import Compose, OneOf, PerClass, Sometimes
from segnoise.noise.distance import DistanceMorphology
from segnoise.noise.feature_dependent import FeatureDependent
from segnoise.noise.flips import AsymmetricFlip, SymmetricFlip
from segnoise.noise.jitter import BoundaryJitter
from segnoise.noise.markov import MarkovBoundary
from segnoise.noise.omission import Omission
from segnoise.noise.opening import BoundaryClosing, BoundaryOpening
from segnoise.noise.polygons import PolygonNoise
from segnoise.noise.predictions import prediction_path, save_top2
from segnoise.noise.presets import PRESETS, expanded
from segnoise.noise.region_swap import RegionSwap
from segnoise.noise.report import NoiseReport, realised_noise
from segnoise.noise.seeding import generator
from segnoise.noise.sources import Sources
from segnoise.noise.spurious import SpuriousObjects
from segnoise.noise.transitions import confusions, group_flip, pair_flip, transition_matrix
from segnoise.noise.void_dropout import VoidDropout
from segnoise.noise.warps import Elastic, Rotate, Shift

__all__ = [
    "NOISES",
    "PRESETS",
    "Annotators",
    "AreaControlled",
    "AsymmetricFlip",
    "BoundaryClosing",
    "BoundaryDilation",
    "BoundaryErosion",
    "BoundaryJitter",
    "BoundaryOpening",
    "BoxMask",
    "Calibration",
    "CoarsePolygon",
    "Compose",
    "DistanceMorphology",
    "Dose",
    "Elastic",
    "FeatureDependent",
    "HullMask",
    "MarkovBoundary",
    "Noise",
    "NoiseReport",
    "Omission",
    "OneOf",
    "PerClass",
    "PolygonNoise",
    "RegionSwap",
    "Rotate",
    "Shift",
    "Sometimes",
    "Sources",
    "SpuriousObjects",
    "SymmetricFlip",
    "UnreachableDoseError",
    "VoidDropout",
    "build_noise",
    "calibrate",
    "confusions",
    "expanded",
    "generator",
    "group_flip",
    "noise_class",
    "pair_flip",
    "prediction_path",
    "realised_noise",
    "register",
    "save_top2",
    "transition_matrix",
]
