"""Regularisers: the entropy of a batch's mean prediction, and the L1 norm of the parameters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn

from segnoise.losses.core import (
    FLOOR,
    check_mode,
    compute_dtype,
    prepare_target,
    region_sums,
)
from segnoise.losses.names import refuse_unknown, register
from segnoise.naming import did_you_mean


@register("ER")
class EntropyRegularizer(nn.Module):
    """Entropy regulariser (ER), ``KL(pbar || prior) = sum_k pbar_k log(pbar_k / prior_k)``.

    pbar is the mean of p = softmax(logits) over the valid pixels of the batch, k runs over the K
    classes. With the uniform prior it is ``log K + sum_k pbar_k log pbar_k``, in 0..log K. Where
    one class dominates (background), the uniform prior is the wrong aim: give the label histogram.

    Under ``torch.distributed`` with several processes, pbar is the mean over all processes' valid
    pixels, so every process must make the same call, and the value is the same in all. The gradient
    is scaled so that its mean over the processes, which DistributedDataParallel forms, is that of a
    single process with the whole batch.

    In binary mode the two classes are (negative, positive). In multilabel mode the result is the
    mean over the channels of each channel's binary regulariser.

    Args:
        mode: "binary", "multiclass" or "multilabel".
        ignore_index: the label of void, whose pixels do not enter the mean; None for no void.
        prior: "uniform", or positive numbers for the classes, such as the label histogram, which
            are divided by their sum: K in multiclass mode, 2 in binary. In multilabel mode the
            channels' rates of positives, each above 0 and below 1.

    Shape:
        - y_pred, y_true: as in ``SegmentationLoss``; y_true only says which pixels are void.
        - result: a scalar, float32, or float64 for float64 logits; 0 with a zero gradient where all
          pixels are void.

    Raises:
        ValueError: if an argument, a shape or a label is out of its domain.
        TypeError: if a dtype does not fit.

    Source: the sequel to Ye et al., Active Negative Loss Functions for Learning with Noisy Labels,
    NeurIPS 2023; the prior other than uniform is ours.

    Example:
        >>> er = EntropyRegularizer("multiclass", ignore_index=255)
        >>> er(torch.tensor([[[9.0, -9.0], [-9.0, 9.0]]]), torch.tensor([[0, 255]]))
        tensor(0.6931)
    """

    regularizer = True
    prior: Tensor | None

    def __init__(
        self,
        mode: str,
        *,
        ignore_index: int | None = None,
        prior: str | Sequence[float] | Tensor = "uniform",
        **unknown: object,
    ) -> None:
        super().__init__()
        refuse_unknown(type(self), unknown)
        self.mode = check_mode(mode)
        self.ignore_index = ignore_index
        self.register_buffer("prior", _prior(mode, prior), persistent=False)

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        """Return the divergence; see the class for the shapes."""
        target = prepare_target(
            y_pred, y_true, mode=self.mode, ignore_index=self.ignore_index, soft=True
        )
        mass, count = _class_mass(target.logits, target.valid, self.mode)
        mass, count = _over_all_processes(mass, count)
        mean = mass / count.clamp_min(1)[:, None]
        # The floor keeps 0 log 0 and its derivatives finite where a class's probability underflows.
        log_mean = mean.clamp_min(FLOOR).log()
        return (mean * (log_mean - self._log_prior(mean))).sum(1).mean()

    def _log_prior(self, mean: Tensor) -> Tensor:
        """Log of the prior in the shape of the means: (1 or C, K)."""
        if self.prior is None:
            return torch.full_like(mean, 1 / mean.shape[1]).log()
        prior = self.prior.to(mean.dtype)
        if self.mode == "multilabel":
            prior = torch.stack((1 - prior, prior), 1)
        else:
            prior = (prior / prior.sum())[None]
        if prior.shape != mean.shape:
            size = mean.shape[0] if self.mode == "multilabel" else mean.shape[1]
            raise ValueError(f"the prior has {len(self.prior)} numbers for {size} classes")
        return prior.log()

    def extra_repr(self) -> str:
        """Return the arguments."""
        prior = "'uniform'"
        if self.prior is not None:
            prior = f"({', '.join(f'{p:.4g}' for p in self.prior)})"
        void = "" if self.ignore_index is None else f", ignore_index={self.ignore_index}"
        return f"{self.mode!r}, prior={prior}{void}"


def _class_mass(logits: Tensor, valid: Tensor | None, mode: str) -> tuple[Tensor, Tensor]:
    """Sum of the class probabilities over this process's valid pixels, and their number.

    Shapes: (1, K) and (1,); in multilabel mode (C, 2) and (C,).
    """
    if mode == "multiclass":
        dtype = compute_dtype(logits)
        weights = None if valid is None else valid.to(dtype)
        mass = region_sums(logits, None, weights).mass
        pixels = logits[:, 0].numel()
        count = mass.new_tensor(pixels) if valid is None else valid.sum(dtype=dtype)
        return mass[None], count[None]
    if mode == "binary":
        logits = logits.unsqueeze(1)
        valid = None if valid is None else valid.unsqueeze(1)
    z = logits.to(compute_dtype(logits))
    mask = torch.ones_like(z) if valid is None else valid.to(z.dtype)
    axes = [axis for axis in range(z.dim()) if axis != 1]
    mass = torch.stack([(torch.sigmoid(s) * mask).sum(axes) for s in (-z, z)], 1)
    return mass, mask.sum(axes)


def _over_all_processes(mass: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Sum over the processes in one message; the gradient flows to this process's part alone.

    DistributedDataParallel divides the sum of the processes' gradients by their number, hence the
    factor: with it that mean is the gradient of the summed mass.
    """
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return mass, count
    total = torch.cat((mass.detach(), count[:, None]), 1)
    dist.all_reduce(total)
    here = (mass - mass.detach()) * dist.get_world_size()
    return total[:, :-1] + here, total[:, -1]


def _prior(mode: str, prior: str | Sequence[float] | Tensor) -> Tensor | None:
    if isinstance(prior, str):
        if prior != "uniform":
            raise ValueError(f"unknown prior {prior!r}: {did_you_mean(prior, ['uniform'])}")
        return None
    try:
        values = torch.as_tensor(prior).detach().clone().float()
    except RuntimeError as error:
        raise TypeError(f'prior must be "uniform" or a list of numbers, not {prior!r}') from error
    if values.dim() != 1 or len(values) == 0:
        raise ValueError(f"the prior must be a vector, got the shape {tuple(values.shape)}")
    if mode == "binary" and len(values) != 2:
        raise ValueError(f"a binary prior is two numbers (negative, positive), got {prior}")
    upper = 1.0 if mode == "multilabel" else float("inf")
    if not ((values > 0) & (values < upper)).all():
        domain = "between 0 and 1" if mode == "multilabel" else "positive and finite"
        raise ValueError(
            f"the prior's numbers must be {domain}, got {values.tolist()}: give a class that never "
            "occurs a small number, for no prediction can be as rare as never"
        )
    return values


@register("L1")
class L1Penalty(nn.Module):
    """L1 norm of the parameters, ``sum |theta|``: the sum of the absolute values of all of them.

    Give it the parameters of the unwrapped model, once a step. It computes in float32 (float64 for
    float64 parameters) whatever autocast does; its gradient is sign(theta), 0 at 0. Weigh it by
    about 1e-6 (ANL's papers: 5e-7 to 5e-5).

    Source: Ye et al., Active Negative Loss Functions for Learning with Noisy Labels, NeurIPS 2023.

    Example:
        >>> L1Penalty()([torch.tensor([1.0, -2.0]), torch.tensor([[0.5]])])
        tensor(3.5000)
    """

    inputs = ("parameters",)
    regularizer = True

    def forward(self, parameters: Iterable[Tensor]) -> Tensor:
        """Return the norm as a scalar on the first parameter's device.

        Args:
            parameters: tensors of any shapes, at least one; ``model.parameters()``.

        Raises:
            ValueError: if there are no parameters (an iterator that was used up?).
            TypeError: if one of them is no floating tensor.
        """
        parameters = list(parameters)
        if not parameters:
            raise ValueError("no parameters to penalise: give model.parameters(), anew every step")
        for parameter in parameters:
            if not (isinstance(parameter, Tensor) and parameter.is_floating_point()):
                kind = getattr(parameter, "dtype", type(parameter).__name__)
                raise TypeError(f"parameters must be floating tensors, got {kind}")
        double = any(p.dtype == torch.float64 for p in parameters)
        dtype = torch.float64 if double else torch.float32
        norms = [torch.linalg.vector_norm(p, 1, dtype=dtype) for p in parameters]
        return torch.stack([norm.to(parameters[0].device) for norm in norms]).sum()
