"""What corrupts masks: noise models, named random generators, and reports of the realised noise.

Stands on NumPy and OpenCV only.
"""

from segnoise.noise.base import NOISES, Dose, Noise, NoiseContractError, register
from segnoise.noise.building import (
    FunctionNoise,
    NoiseFunction,
    build_noise,
    is_at_hand,
    noise_parameters,
)
from segnoise.noise.calibration import Calibration, UnreachableDoseError, calibrate
from segnoise.noise.geometry.predictions import prediction_path, save_top2
from segnoise.noise.geometry.transitions import confusions, group_flip, pair_flip, transition_matrix
from segnoise.noise.models.annotators import Annotators
from segnoise.noise.models.area_controlled import AreaControlled
from segnoise.noise.models.boundary import (
    BoundaryClosing,
    BoundaryDilation,
    BoundaryErosion,
    BoundaryOpening,
)
from segnoise.noise.models.coarse import BoxMask, CoarsePolygon, HullMask
from segnoise.noise.models.combine import Compose, OneOf, PerClass, Sometimes
from segnoise.noise.models.distance import DistanceMorphology
from segnoise.noise.models.feature_dependent import FeatureDependent
from segnoise.noise.models.flips import AsymmetricFlip, SymmetricFlip
from segnoise.noise.models.jitter import BoundaryJitter
from segnoise.noise.models.markov import MarkovBoundary
from segnoise.noise.models.polygons import PolygonNoise
from segnoise.noise.models.regions import Omission, RegionSwap, VoidDropout
from segnoise.noise.models.spurious import SpuriousObjects
from segnoise.noise.models.warps import Elastic, Rotate, Shift
from segnoise.noise.presets import PRESETS, expanded
from segnoise.noise.report.kind import KINDS, kind_of_noise
from segnoise.noise.report.noise_report import NoiseReport, realised_noise
from segnoise.noise.seeding import generator
from segnoise.noise.sources import Sources

__all__ = [
    "KINDS",
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
    "FunctionNoise",
    "HullMask",
    "MarkovBoundary",
    "Noise",
    "NoiseContractError",
    "NoiseFunction",
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
    "is_at_hand",
    "kind_of_noise",
    "noise_parameters",
    "pair_flip",
    "prediction_path",
    "realised_noise",
    "register",
    "save_top2",
    "transition_matrix",
]
