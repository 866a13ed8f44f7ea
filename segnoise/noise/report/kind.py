"""Which kind of error a report shows."""

from __future__ import annotations

from segnoise.noise.report.noise_report import NoiseReport

KINDS = ("none", "pixels", "swapped objects", "missing objects", "boundaries")
_LEAST_RATE = 0.005
_INDEPENDENT = 2.0  # pixels of correlation length
_WHOLE = 0.5  # share of the changed pixels that belong to objects which changed as a whole
_REPLACED = 0.3  # noisy objects that are new, for each lost one


def kind_of_noise(report: NoiseReport) -> str:
    """Tell kinds of label noise apart that call for different remedies.

    - "none": less than 0.5 % of the pixels changed;
    - "pixels": errors are independent from pixel to pixel (correlation length below 2 px);
    - "swapped objects": most of the changed pixels belong to objects of which not one pixel kept
      its class, and enough of the lost objects are there under another class;
    - "missing objects": the same, but little is in the place of the lost ones;
    - "boundaries": objects kept some of their pixels, and their outlines lie elsewhere: drawn too
      wide or too narrow, coarsely, or shifted.

    A mixture is called by what changed most pixels.

    Args:
        report: what happened to the masks.

    Returns:
        One of ``KINDS``.

    Raises:
        ValueError: if the report has no valid pixel.

    Example:
        >>> import numpy as np
        >>> from segnoise.noise import SymmetricFlip, generator, realised_noise
        >>> clean = np.zeros((64, 64), np.uint8)
        >>> noisy = SymmetricFlip(rate=0.2, num_classes=3)(clean, generator(0, "a"))
        >>> kind_of_noise(realised_noise(clean, noisy, num_classes=3))
        'pixels'
    """
    if report.valid == 0:
        raise ValueError("the report has no valid pixel: there is no noise to name")
    if report.pixel_rate < _LEAST_RATE:
        return "none"
    if report.correlation_length < _INDEPENDENT:
        return "pixels"
    if report.gone_pixels.sum() < _WHOLE * report.changed:
        return "boundaries"
    lost, added = report.lost_objects.sum(), report.added_objects.sum()
    return "swapped objects" if added > _REPLACED * lost else "missing objects"
