"""Losses of the label's probability alone: minus a term of it."""

from __future__ import annotations

from torch import Tensor

from segnoise.losses.pixelwise import StatisticsLoss
from segnoise.losses.statistics import PixelStatistics
from segnoise.losses.terms import Term


class ActiveLoss(StatisticsLoss):
    """``L = -f(log p_y)``: a loss that looks at the label's probability alone.

    Normalised and normalised negative losses are made of the same term f.

    Args, Shape, Raises: see ``SegmentationLoss``.
    """

    term: Term

    def pixel_loss(self, statistics: PixelStatistics) -> Tensor:
        """Return ``-f(log p_y)``."""
        return -self.term(statistics.log_p)
