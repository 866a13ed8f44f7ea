"""Networks as mmengine models: the Segmentor, its preprocessor and its inference."""

import mmengine.registry

from segnoise.models.inference import Inference
from segnoise.models.preprocessor import Preprocessor
from segnoise.models.segmentor import Segmentor
from segnoise.registry import Registry

MODELS = Registry("model", {"Segmentor": Segmentor, "Preprocessor": Preprocessor})
MODELS.extend(mmengine.registry.MODELS.module_dict)

__all__ = ["MODELS", "Inference", "Preprocessor", "Segmentor"]
