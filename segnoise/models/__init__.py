"""Networks as mmengine models: the Segmentor, its preprocessor and its inference."""

from segnoise.models.inference import Inference
from segnoise.models.preprocessor import Preprocessor
from segnoise.models.segmentor import Segmentor

MODELS: dict[str, type] = {"Segmentor": Segmentor, "Preprocessor": Preprocessor}

__all__ = ["MODELS", "Inference", "Preprocessor", "Segmentor"]
