"""segnoise: semantic segmentation with noisy labels.

The rooms are importable on their own: ``segnoise.noise`` needs NumPy and OpenCV,
``segnoise.losses`` and ``segnoise.metrics.functional`` need torch, nothing else.
"""

from segnoise.version import __version__

__all__ = ["__version__"]
