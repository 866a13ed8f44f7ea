"""Abstention: the network may decline to learn a pixel, at a price."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segnoise.checks import check_float
from segnoise.methods.base import METHODS, Method
from segnoise.methods.training_step import Task, TrainingStep


def price(epoch: int, warm_up: float, epochs: float, final: float, exponent: float) -> float:
    r"""Return the price of abstaining, :math:`\alpha(e) = \alpha_f ((e - L + 1) / (E - L))^\gamma`.

    Example:
        >>> [price(e, 2, 6, 2.0, 2.0) for e in (2, 3, 5)]
        [0.125, 0.5, 2.0]
    """
    return final * min((epoch - warm_up + 1) / (epochs - warm_up), 1.0) ** exponent


@METHODS.register
class Abstention(Method):
    r"""Give the network one more output, by which it abstains from pixels it cannot learn.

    From the epoch L on a pixel's loss is

    .. math:: (1 - p_a) L_{\mathrm{base}} + \alpha(e) \left| \log \frac{1 - \eta}{1 - p_a} \right|,
        \quad \alpha(e) = \alpha_f \left( \frac{e - L + 1}{E - L} \right)^\gamma

    of E epochs, averaged over the valid pixels. :math:`L_{\mathrm{base}}` is any loss of the config
    that is a map over the pixels, on the classes' own softmax, and :math:`p_a` the softmax over
    classes and abstention of the latter: large where the labels contradict what the network has
    learnt, and on average drawn to the noise rate :math:`\eta`. Before L the base loss is alone.
    Predictions leave abstention out.

    With ``class_wise`` the network has an output :math:`a_k` for each class, and
    :math:`p_a = \sigma(a_y)` for a pixel labelled y: labels of one class may be doubted more than
    those of another.

    The paper's settings: GAC (GCE) is the default; SAC (SCE) has final 1, exponent 3, warm_up 20;
    ADS final 4, exponent 1.5, warm_up 10, and class_wise, with Dice's loss, which is no map over
    the pixels: take a pixel-wise loss instead. How a class-wise output abstains is our reading.

    Class weights and pixel weights multiply a pixel's loss; what is divided by is the sum of the
    pixel weights. A network given as ``model.network`` must have the outputs by itself: one, or K,
    after those of the classes.

    Args:
        noise_rate: eta, 0 <= eta < 1.
        final: alpha_f >= 0.
        exponent: gamma >= 0.
        warm_up: L >= 0, epochs; must be shorter than the training.
        class_wise: abstain class by class.

    Raises:
        ValueError: if an argument is out of its range, or the warm-up takes the whole training.

    Source: arXiv 2601.14039, after Thulasidasan et al., Combating Label Noise in Deep Learning
    Using Abstention, ICML 2019.

    Example:
        >>> Abstention(noise_rate=0.1, warm_up=5).extra_outputs(num_classes=4)
        1
    """

    per_pixel = True

    def __init__(
        self,
        noise_rate: float,
        final: float = 2.0,
        exponent: float = 2.0,
        warm_up: float = 15.0,
        class_wise: bool = False,
    ) -> None:
        super().__init__()
        self.noise_rate = check_float("noise_rate", noise_rate, least=0, below=1)
        self.final = check_float("final", final, least=0)
        self.exponent = check_float("exponent", exponent, least=0)
        self.warm_up = check_float("warm_up", warm_up, least=0)
        self.class_wise = class_wise

    def extra_outputs(self, num_classes: int) -> int:
        """Return 1, or K with ``class_wise``."""
        return num_classes if self.class_wise else 1

    def begin(self, network: nn.Module, task: Task) -> None:
        """Check that there is time to abstain."""
        super().begin(network, task)
        epochs = task.max_iters / task.epoch_iters
        if self.warm_up >= epochs:
            raise ValueError(
                f"warm_up={self.warm_up:g} epochs, but the training has {epochs:.3g}: shorten it"
            )

    def combine(self, losses: dict[str, Tensor], step: TrainingStep) -> dict[str, Tensor]:
        """Weigh the losses' maps by 1 - p_a, reduce them, and add the price."""
        valid = step.labels != self.task.ignore_index
        weights = valid.float() if step.weights is None else step.weights * valid
        total = weights.sum()
        total = torch.where(total > 0, total, 1)
        log_kept = self._log_kept(step)
        epoch = math.floor(self.epochs_done)
        if epoch < self.warm_up:
            kept, toll = torch.ones_like(log_kept), 0 * log_kept
        else:
            alpha = price(
                epoch, self.warm_up, self.task.max_iters / self.task.epoch_iters, self.final,
                self.exponent,
            )  # fmt: skip
            kept = log_kept.exp()
            toll = alpha * (math.log(1 - self.noise_rate) - log_kept).abs()
        reduced = {k: (kept * v).sum() / total if v.dim() else v for k, v in losses.items()}
        toll_mean = (toll * weights).sum() / total
        abstained = ((1 - kept.detach()) * weights).sum() / total
        return {
            **reduced, f"loss_price_{self.name}": toll_mean, f"abstained/{self.name}": abstained,
        }  # fmt: skip

    def _log_kept(self, step: TrainingStep) -> Tensor:
        """The logarithm of 1 - p_a, (N, H, W) float32."""
        assert step.extra is not None
        extra, logits = step.extra.float(), step.logits.float()
        if self.class_wise:
            label = step.labels.long().clamp(0, self.task.num_classes - 1).unsqueeze(1)
            return F.logsigmoid(-extra.gather(1, label).squeeze(1))
        if self.task.mode == "binary":
            together = F.softplus(logits[:, 0])  # of the two classes' logits, 0 and z
        else:
            together = torch.logsumexp(logits, 1)
        return F.logsigmoid(together - extra[:, 0])
