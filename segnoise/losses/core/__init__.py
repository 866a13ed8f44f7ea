"""How losses are computed: what families of losses take from here, and all else is inside.

A family says which numbers it needs of every pixel (``ClassSum``, ``Term``) and what it makes of
them (``PixelStatistics``). Here they are computed block by block with gradients in closed form, as
one compiled graph, or by Triton kernels, all with the same numbers.
"""

from segnoise.losses.core.blocking import blocks, class_index, compute_dtype, softmax
from segnoise.losses.core.derivatives import (
    FLOOR,
    by_operators,
    outside_transforms,
    twice_differentiable,
    unwrapped,
)
from segnoise.losses.core.elementwise import in_blocks
from segnoise.losses.core.label_statistics import Core, LabelModel
from segnoise.losses.core.logit_maps import LogitMap, NormClip, UnitNorm
from segnoise.losses.core.paths import computed
from segnoise.losses.core.regions import region_sums
from segnoise.losses.core.statistics import PixelStatistics, pixel_statistics
from segnoise.losses.core.target import (
    OnlyVoid,
    Target,
    check_labels,
    check_mode,
    check_values,
    prepare_target,
)
from segnoise.losses.core.terms import (
    BoundedTerm,
    ClassMax,
    ClassSum,
    EntropyTerm,
    FocalTerm,
    LogTerm,
    PowerTerm,
    TaylorTerm,
    Term,
    check_min_prob,
)
from segnoise.losses.core.upsampling import upsampled_statistics

__all__ = [
    "FLOOR",
    "BoundedTerm",
    "ClassMax",
    "ClassSum",
    "Core",
    "EntropyTerm",
    "FocalTerm",
    "LabelModel",
    "LogTerm",
    "LogitMap",
    "NormClip",
    "OnlyVoid",
    "PixelStatistics",
    "PowerTerm",
    "Target",
    "TaylorTerm",
    "Term",
    "UnitNorm",
    "blocks",
    "by_operators",
    "check_labels",
    "check_min_prob",
    "check_mode",
    "check_values",
    "class_index",
    "compute_dtype",
    "computed",
    "in_blocks",
    "outside_transforms",
    "pixel_statistics",
    "prepare_target",
    "region_sums",
    "softmax",
    "twice_differentiable",
    "unwrapped",
    "upsampled_statistics",
]
