"""Wrong parameters, masks that cannot hold what a model writes, and data that do not fit."""

import math

import numpy as np
import pytest

from segnoise.noise import (
    BoundaryErosion,
    Elastic,
    FeatureDependent,
    Omission,
    RegionSwap,
    Rotate,
    Shift,
    SymmetricFlip,
    VoidDropout,
    build_noise,
    generator,
)

REQUIRED = {
    "AreaControlled": {"alpha": 0.5, "beta": 0.5},
    "BoundaryErosion": {"width": 1},
    "BoundaryJitter": {"std": 1, "length": 3},
    "CoarsePolygon": {"tolerance": 5},
    "Elastic": {"amplitude": 1},
    "FeatureDependent": {"rate": 0.1},
    "MarkovBoundary": {"steps": 5, "expand": 0.5, "boundary_flip": 0.1},
    "Omission": {"rate": 0.5},
    "PolygonNoise": {"num_classes": 4},
    "RegionSwap": {"rate": 0.5, "num_classes": 4},
    "Shift": {"distance": 1},
    "SpuriousObjects": {"count": 1},
    "SymmetricFlip": {"rate": 0.1, "num_classes": 3},
    "VoidDropout": {"rate": 0.5},
}
SAVED = {"predictions": "p", "num_classes": 3}
WRONG = [
    ("Annotators", {"number": 0}, "number must be at least 1, not 0"),
    ("Annotators", {"wobble": -1}, "wobble must be at least 0, not -1"),
    ("Annotators", {"tail": 1.5}, "tail must be from 0 to 1, not 1.5"),
    ("Annotators", {"unit": "px"}, "unit must be 'diameter' or 'pixel', not 'px'"),
    ("Annotators", {"scale": 1001}, "scale must be at least 0 and at most 1000.0, not 1001"),
    ("AreaControlled", {"alpha": 1.5}, "alpha must be from 0 to 1, not 1.5"),
    ("AreaControlled", {"beta": -0.1}, "beta must be at least 0 and at most 4.0, not -0.1"),
    ("AreaControlled", {"kinds": []}, r"kinds must be a list or tuple of dilate, .*, not \[\]"),
    ("AreaControlled", {"kinds": "erode"}, "kinds must be a list"),
    ("AreaControlled", {"kinds": ["erode", "shift"]}, "once each, not .*shift"),
    ("AreaControlled", {"kinds": ["erode", "erode"]}, "once each"),
    ("AreaControlled", {"max_angle": 200}, "max_angle must be at least 0 and at most 180"),
    ("AsymmetricFlip", {"transition_matrix": [[0.5, 0.4], [0, 1]]}, "row 0 .* sums to 0.9"),
    (
        "AsymmetricFlip",
        {"transition_matrix": np.eye(3), "ignore_index": 0},
        "ignore_index=0 is one",
    ),
    ("BoundaryErosion", {"width": -1}, "width must be at least 0, not -1"),
    ("BoundaryErosion", {"width": "3"}, "width must be a number, not '3'"),
    ("BoundaryErosion", {"width": True}, "width must be a number, not True"),
    ("BoundaryErosion", {"width": math.nan}, "width must be at least 0, not nan"),
    ("BoundaryErosion", {"fill": "neighbour"}, "fill must be .* not 'neighbour'"),
    ("BoundaryErosion", {"fill": -1}, "fill must be at least 0, not -1"),
    ("BoundaryErosion", {"fill": None}, "fill must be an integer, not None"),
    ("BoundaryErosion", {"fill": 255}, 'write fill="void"'),
    ("BoundaryErosion", {"classes": 3}, "None or a list or tuple of class ids, not 3"),
    ("BoundaryErosion", {"classes": []}, r"not \[\]"),
    ("BoundaryErosion", {"classes": [-1]}, "class id in classes must be at least 0, not -1"),
    ("BoundaryErosion", {"classes": ["car"]}, "must be an integer, not 'car'"),
    ("BoundaryErosion", {"classes": [255]}, "classes lists 255, which is void"),
    ("BoundaryDilation", {"width": -0.5}, "width must be at least 0, not -0.5"),
    ("BoundaryOpening", {"width": math.inf}, "width must be at least 0, not inf"),
    ("BoundaryClosing", {"width": 1, "ignore_index": 0.5}, "ignore_index must be an integer"),
    ("BoundaryJitter", {"std": -1}, "std must be at least 0 .* not -1"),
    ("BoundaryJitter", {"length": 20_000}, "length must be .* at most 16384, not 20000"),
    ("BoundaryJitter", {"bias": math.inf}, "bias must be .* not inf"),
    ("BoxMask", {"rate": -0.1}, "rate must be from 0 to 1, not -0.1"),
    ("CoarsePolygon", {"tolerance": -1}, "tolerance must be .* 4096, not -1"),
    ("CoarsePolygon", {"rate": 2}, "rate must be from 0 to 1, not 2"),
    ("DistanceMorphology", {"low": -1, "high": 2}, "low must be at least 0, not -1"),
    ("DistanceMorphology", {"low": 0, "high": math.inf}, "high must be at least 0 .* not inf"),
    ("DistanceMorphology", {"low": 3, "high": 2}, "low=3 is above high=2: swap them"),
    ("Elastic", {"amplitude": math.nan}, "amplitude must be .* at most 16384, not nan"),
    ("Elastic", {"length": 0.5}, "length must be at least 1 and"),
    ("Elastic", {"length": 1e9}, "at most 16384, not 10000"),
    ("FeatureDependent", {"depth": -1}, "depth must be at least 0 and at most 4096, not -1"),
    ("FeatureDependent", {"reach": 0.5}, "reach must be at least 1 and at most 4096, not 0.5"),
    ("FeatureDependent", {"length": 0}, "length must be at least 1 and .*, not 0"),
    ("FeatureDependent", {"num_classes": 1}, "num_classes must be at least 2, not 1"),
    ("FeatureDependent", {"num_classes": 256}, "ignore_index=255 is one of the 256"),
    ("FeatureDependent", {"predictions": 5}, "must be None or a folder, not 5"),
    ("FeatureDependent", {"predictions": "p"}, "num_classes is missing"),
    ("FeatureDependent", {**SAVED, "reach": 5}, "reach=5 has no effect with predictions: omit it"),
    (
        "HullMask",
        {"regions": "pixels"},
        "regions must be 'components' or 'instances', not 'pixels'",
    ),
    ("MarkovBoundary", {"steps": -1}, "steps must be at least 0 and at most 4096, not -1"),
    ("MarkovBoundary", {"steps": 10**6}, "steps must be .* at most 4096"),
    ("MarkovBoundary", {"expand": 1.5}, "expand must be from 0 to 1, not 1.5"),
    ("MarkovBoundary", {"blur": 1}, "blur must be True or False, not 1"),
    ("Omission", {"max_area": 0}, "max_area must be at least 1, not 0"),
    ("Omission", {"max_area": 2.5}, "max_area must be an integer"),
    ("PolygonNoise", {"kernel": 4}, "kernel must be odd, not 4"),
    ("PolygonNoise", {"sigma": -1}, "sigma must be at least 0 and at most 4096, not -1"),
    ("PolygonNoise", {"jitter": 1.2}, "jitter must be from 0 to 1, not 1.2"),
    ("PolygonNoise", {"jitter": 0.7}, "add up to 1.1, more than all objects"),
    ("PolygonNoise", {"class_flip": 2}, "class_flip must be from 0 to 1, not 2"),
    ("PolygonNoise", {"class_flip": np.eye(4)[:2]}, r"has shape \(2, 4\), not \(K, K\)"),
    ("PolygonNoise", {"class_flip": np.eye(3)}, "has 3 classes, but num_classes is 4"),
    ("PolygonNoise", {"class_flip": 0.1, "classes": [2]}, "class_flip=0.1 needs a second class"),
    ("PolygonNoise", {"classes": [4]}, r"classes lists 4, but there are 4 classes \(0 to 3\)"),
    ("PolygonNoise", {"scale": math.nan}, "scale must be at least 0 and at most 8.0, not nan"),
    ("RegionSwap", {"num_classes": 1}, "num_classes must be at least 2, not 1"),
    ("RegionSwap", {"regions": "objects"}, "'instances' or 'superpixels', not 'objects'"),
    ("RegionSwap", {"transition_matrix": [[0.9, 0.2], [0, 1]]}, "row 0 .* sums to 1.1"),
    (
        "RegionSwap",
        {"transition_matrix": {"pair": 3, "rate": 0}},
        "3 classes, but num_classes is",
    ),
    ("RegionSwap", {"size": 0}, "size must be at least 1, not 0"),
    ("RegionSwap", {"ignore_index": 3}, "ignore_index=3 is one of the 4 classes"),
    ("Rotate", {"angle": 181}, "angle must be at least 0 and at most 180, not 181"),
    ("Shift", {"distance": 10**400}, "distance must be at least 0 and at most 16384, not 1000"),
    ("Shift", {"regions": "pixels"}, "regions must be 'mask', 'components' or 'instances', not"),
    ("SpuriousObjects", {"count": 1001}, "count must be .*at most 1000"),
    ("SpuriousObjects", {"donors": 0}, "donors must be at least 1, not 0"),
    ("SymmetricFlip", {"rate": math.nan}, "rate must be from 0 to 1, not nan"),
    ("SymmetricFlip", {"rate": True}, "rate must be a number from 0 to 1, not True"),
    ("SymmetricFlip", {"num_classes": 2.0}, "num_classes must be an integer, not 2.0"),
    ("VoidDropout", {"regions": "mask"}, "'pixels', 'components', 'instances' or 'superpixels'"),
]


def test_wrong_parameters():
    for model, parameters, message in WRONG:
        with pytest.raises((TypeError, ValueError), match=message):
            build_noise(model, **{**REQUIRED.get(model, {}), **parameters})


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        (BoundaryErosion(1, fill=300), "fill=300"),
        (BoundaryErosion(1, fill="void", ignore_index=-100), "ignore_index=-100"),
        (Elastic(5, fill=300), "fill=300"),
        (Omission(1.0, fill=300, classes=[1]), "fill=300"),
        (RegionSwap(0.5, 300, ignore_index=300), "num_classes - 1=299"),
        (Rotate(90, fill=300), "fill=300"),
        (Shift(3, fill=300), "fill=300"),
        (SymmetricFlip(0.4, 300, ignore_index=300), "num_classes - 1=299"),
        (VoidDropout(0.5, ignore_index=-100), "ignore_index=-100"),
    ],
    ids=str,
)
def test_a_dtype_too_narrow_for_what_is_written_is_named(noise, message):
    mask = np.kron(np.eye(3, dtype=np.uint8), np.ones((9, 9), np.uint8))
    with pytest.raises(ValueError, match=f"{message} does not fit a mask of dtype uint8"):
        noise(mask, generator(0))


@pytest.mark.parametrize(
    ("noise", "fit", "message"),
    [
        (BoundaryErosion(1, fill=18, classes=[0, 18]), (19, 255), None),
        (BoundaryErosion(1, fill=19), (19, 255), r"class 19, but .* 19 classes \(0 to 18\)"),
        (BoundaryErosion(1, classes=[3, 20]), (19, 255), "names class 20"),
        (BoundaryErosion(1), (19, 0), "ignore_index=255, but void is 0"),
        (FeatureDependent(0.1), (19, 255), None),
        (FeatureDependent(0.1), (19, 0), "ignore_index=255, but void is 0"),
        (FeatureDependent(0.1, ".", 19), (19, 255), None),
        (FeatureDependent(0.1, ".", 19), (21, 255), "num_classes=19, but the data has 21"),
        (FeatureDependent(0.1, "nowhere", 19), (19, 255), "'nowhere': no such folder"),
    ],
    ids=str,
)
def test_fit_to_the_data(noise, fit, message):
    if message is None:
        noise.check_fit(*fit)
    else:
        with pytest.raises(ValueError, match=message):
            noise.check_fit(*fit)
