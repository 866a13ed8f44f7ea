"""What happens around the iterations of a run."""

import mmengine.registry

from segnoise.engine.hooks.checkpoints import Checkpoints
from segnoise.engine.hooks.finite import FiniteLoss
from segnoise.engine.hooks.memorisation import Memorisation
from segnoise.engine.hooks.pictures import ValidationPictures
from segnoise.engine.hooks.progress import LossEpochs, MethodSteps
from segnoise.engine.hooks.scalars import IterationTimer, ScalarLog
from segnoise.engine.hooks.scores import Scores
from segnoise.registry import Registry

_OURS = (
    Checkpoints, FiniteLoss, IterationTimer, LossEpochs, Memorisation, MethodSteps, ScalarLog,
    Scores, ValidationPictures,
)  # fmt: skip
HOOKS = Registry("hook", {hook.__name__: hook for hook in _OURS})
HOOKS.extend(mmengine.registry.HOOKS.module_dict)
