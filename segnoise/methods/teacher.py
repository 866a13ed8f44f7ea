"""What the teachers share: a running mean of the network, and what it predicts."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from segnoise.checks import check_float, check_rate
from segnoise.methods.base import Method
from segnoise.methods.scores import class_probabilities
from segnoise.methods.training_step import Task, TrainingStep


def momentum_after(updates: int, momentum: float) -> float:
    r"""Return the momentum of an update, :math:`\min(m, 1 - 1 / (n + 1))`.

    With n updates made before it the teacher is at first the plain mean of all networks since then,
    and forgets the random beginning; later it is the running mean with momentum m.
    """
    return min(momentum, 1 - 1 / (updates + 1))


class Teacher(Method):
    r"""The running mean of the network's weights, which predicts beside it.

    .. math:: \theta' \leftarrow m_n \theta' + (1 - m_n) \theta, \quad m_n = \min(m, 1 - 1/(n+1))

    after each step of the optimizer, with n = 0, 1, ... such updates made before: the first makes
    the teacher the network, the second the mean of two. It predicts without dropout. Its batch norm
    uses the batch's statistics where the network's does: running statistics were collected by other
    weights, and do not fit the mean of weights.

    Args:
        momentum: m, 0 <= m < 1.
        start: share of the training after which labels are corrected, 0..1.
        tau: confidence above which they are, 0 <= tau < 1.

    Raises:
        ValueError: if an argument is out of its range.
    """

    updates: Tensor

    def __init__(self, momentum: float, start: float, tau: float) -> None:
        super().__init__()
        self.momentum = check_float("momentum", momentum, least=0, below=1)
        self.start = check_rate("start", start)
        self.tau = check_float("tau", tau, least=0, below=1)
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))

    def begin(self, network: nn.Module, task: Task) -> None:
        """Make the teacher from the network as it is."""
        super().begin(network, task)
        self.teacher = copy.deepcopy(network).requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Teacher:
        """Leave the teacher in evaluation mode, except its batch norm while it predicts."""
        super().train(mode)
        if hasattr(self, "teacher"):
            self.teacher.eval()
        return self

    @torch.no_grad()
    def teach(self, step: TrainingStep, image: Tensor) -> Tensor:
        """Return the teacher's class probabilities of images like those of the step."""
        for own, other in zip(self.teacher.modules(), step.network.modules(), strict=True):
            if isinstance(own, _BatchNorm):
                own.train(other.training)
        logits = self.teacher(image)[:, : step.logits.shape[1]]
        self.teacher.eval()
        return class_probabilities(logits, self.task.mode)

    @torch.no_grad()
    def after_step(self, network: nn.Module) -> None:
        """Move the teacher towards the network."""
        share = 1 - momentum_after(int(self.updates), self.momentum)
        ours: list[Tensor] = list(self.teacher.parameters())
        theirs: list[Tensor] = list(network.parameters())
        torch._foreach_lerp_(ours, theirs, share)
        for own, other in zip(self.teacher.buffers(), network.buffers(), strict=True):
            own.copy_(other)
        self.updates += 1
