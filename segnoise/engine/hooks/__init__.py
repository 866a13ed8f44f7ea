"""What happens around the iterations of a run."""

import mmengine.registry

from segnoise.engine.hooks.checkpoints import Checkpoints
from segnoise.engine.hooks.epochs import LossEpochs
from segnoise.engine.hooks.finite import FiniteLoss
from segnoise.engine.hooks.memorisation import Memorisation
from segnoise.engine.hooks.methods import MethodSteps
from segnoise.engine.hooks.pictures import ValidationPictures
from segnoise.engine.hooks.scalars import ScalarLog
from segnoise.engine.hooks.scores import Scores
from segnoise.engine.hooks.timer import IterationTimer
from segnoise.registry import Registry

HOOKS = Registry(
    "hook",
    {
        hook.__name__: hook
        for hook in (
            Checkpoints,
            FiniteLoss,
            IterationTimer,
            LossEpochs,
            Memorisation,
            MethodSteps,
            ScalarLog,
            Scores,
            ValidationPictures,
        )
    },
)
HOOKS.extend(mmengine.registry.HOOKS.module_dict)
