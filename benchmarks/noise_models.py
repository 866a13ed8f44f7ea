"""What benchmarks/noise.py measures: every registered noise model, and what it may cost."""

from __future__ import annotations

from typing import Any

import numpy as np
from street_scene import BICYCLE, CAR, NUM_CLASSES, PERSON, ROAD, SIDEWALK

K = {"num_classes": NUM_CLASSES}
THINGS = list(range(PERSON, BICYCLE + 1))
INSTANCES = {"classes": THINGS, "regions": "instances"}
EROSION = {"type": "BoundaryErosion", "width": 3}
FLIP = {"type": "SymmetricFlip", "rate": 0.4, **K}
WALK = {"type": "MarkovBoundary", "expand": 0.7, "boundary_flip": 0.05}
PAIR = {"pair": NUM_CLASSES, "rate": 0.4}
DENSE = (0.5 * np.eye(NUM_CLASSES) + 0.5 / NUM_CLASSES).tolist()

# Row of the table -> model, at a dose that people would use.
MODELS: dict[str, dict[str, Any]] = {
    "symmetric flip": FLIP,
    "symmetric flip, self": {**FLIP, "rate": 0.9, "include_self": True},
    "asymmetric flip": {
        "type": "AsymmetricFlip",
        "transition_matrix": {"confusions": "cityscapes", "rate": 0.4},
    },
    "asymmetric flip, pair": {"type": "AsymmetricFlip", "transition_matrix": PAIR},
    "asymmetric flip, dense": {"type": "AsymmetricFlip", "transition_matrix": DENSE},
    "erosion": EROSION,
    "erosion to void": {**EROSION, "fill": "void"},
    "erosion, width 10": {**EROSION, "width": 10},
    "dilation": {"type": "BoundaryDilation", "width": 3},
    "dilation, width 10": {"type": "BoundaryDilation", "width": 10},
    "dilation of things": {"type": "BoundaryDilation", "width": 3, "classes": THINGS},
    "opening": {"type": "BoundaryOpening", "width": 3},
    "closing": {"type": "BoundaryClosing", "width": 3},
    "jitter": {"type": "BoundaryJitter", "std": 2, "length": 20},
    "jitter of things": {"type": "BoundaryJitter", "std": 2, "length": 20, "classes": THINGS},
    "distance": {"type": "DistanceMorphology", "low": 1, "high": 5},
    "distance of things": {"type": "DistanceMorphology", "low": 1, "high": 5, "classes": THINGS},
    **{
        f"area-controlled, {kind}": {
            "type": "AreaControlled",
            "alpha": 1.0,
            "beta": 0.5,
            "kinds": [kind],
        }
        for kind in ("dilate", "erode", "affine")
    },
    "Markov walk, 80 steps": {**WALK, "steps": 80},
    "Markov walk, 180 steps": {**WALK, "steps": 180},
    "Markov walk, 80 steps, grain": {**WALK, "steps": 80, "pixel_flip": 0.2},
    "coarse polygon": {"type": "CoarsePolygon", "tolerance": 5},
    "coarse polygon, instances": {"type": "CoarsePolygon", "tolerance": 5, **INSTANCES},
    "boxes": {"type": "BoxMask", "classes": THINGS},
    "hulls": {"type": "HullMask", "classes": THINGS},
    "polygon noise": {"type": "PolygonNoise", "class_flip": 0.2, **K},
    "polygon noise, instances": {"type": "PolygonNoise", "class_flip": 0.2, **K, **INSTANCES},
    "shift": {"type": "Shift", "distance": 5},
    "shift of instances": {
        "type": "Shift",
        "distance": 5,
        "regions": "instances",
        "classes": THINGS,
    },
    "rotation": {"type": "Rotate", "angle": 5},
    "rotation of objects": {
        "type": "Rotate",
        "angle": 5,
        "regions": "components",
        "classes": THINGS,
    },
    "elastic": {"type": "Elastic", "amplitude": 4},
    "region swap": {"type": "RegionSwap", "rate": 0.2, **K},
    "region swap, instances": {"type": "RegionSwap", "rate": 0.2, "regions": "instances", **K},
    "region swap, superpixels": {"type": "RegionSwap", "rate": 0.2, "regions": "superpixels", **K},
    "omission": {"type": "Omission", "rate": 0.2, "classes": THINGS},
    "omission of instances": {"type": "Omission", "rate": 0.2, **INSTANCES},
    "spurious objects": {"type": "SpuriousObjects", "count": 10, "classes": THINGS, "donors": 3},
    "void dropout": {"type": "VoidDropout", "rate": 0.2},
    "void dropout, components": {"type": "VoidDropout", "rate": 0.2, "regions": "components"},
    "void dropout, superpixels": {"type": "VoidDropout", "rate": 0.2, "regions": "superpixels"},
    "feature-dependent": {"type": "FeatureDependent", "rate": 0.05},
    "annotators": {"type": "Annotators", "classes": THINGS},
    "annotators, omission": {"type": "Annotators", "omission": 0.1, "classes": THINGS},
    "compose": {"type": "Compose", "noises": [EROSION, FLIP]},
    "one of": {"type": "OneOf", "noises": [EROSION, {**EROSION, "width": 5}]},
    "sometimes": {"type": "Sometimes", "noise": EROSION, "rate": 1.0},
    "per class": {"type": "PerClass", "noises": [[[ROAD, SIDEWALK], EROSION], [[CAR], FLIP]]},
}

# How many decodings of the mask's PNG a call may cost.
LIMITS = {
    "SymmetricFlip": 1.0,
    "AsymmetricFlip": 1.0,
    "BoundaryErosion": 1.0,
    "BoundaryDilation": 1.0,
}
OTHER_LIMIT = 5.0
# How many times the mask's bytes a call may take at its peak, the result included.
MEMORY_LIMIT = 4.0
