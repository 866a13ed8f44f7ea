"""segnoise: semantic segmentation with noisy labels.

The parts are importable on their own: ``segnoise.noise`` needs NumPy and OpenCV,
``segnoise.losses`` and ``segnoise.metrics.functional`` need torch, nothing else. After
``import segnoise`` each is imported when it is first used: ``segnoise.losses.DiceLoss``.
"""

import importlib
import importlib.util
import pkgutil
from types import ModuleType

from segnoise.version import __version__

__all__ = ["__version__"]


def __getattr__(name: str) -> ModuleType:
    if name.startswith("_") or importlib.util.find_spec(f"{__name__}.{name}") is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    return sorted({*globals(), *(module.name for module in pkgutil.iter_modules(__path__))})
