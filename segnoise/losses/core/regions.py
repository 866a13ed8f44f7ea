"""Sums over the pixels for every class, with an analytic backward: what region losses are made of.

As in the core, nothing of the logits' size is kept for the backward pass.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from segnoise.losses.core.blocking import blocks, class_index, compute_dtype
from segnoise.losses.core.derivatives import FLOOR, by_operators, twice_differentiable
from segnoise.losses.core.logit_maps import LogitMap


class RegionSums(NamedTuple):
    """Sums over the pixels, one for each class or channel, (K,).

    Args:
        mass: ``sum_i w_i p_ik``.
        match: the overlap with the labels t, ``sum_i w_i p_ik t_ik``; with a ``gamma`` the error
            ``sum_i w_i |p_ik - t_ik|^gamma``.
    """

    mass: Tensor
    match: Tensor


def region_sums(
    logits: Tensor,
    labels: Tensor | None,
    weights: Tensor | None,
    *,
    gamma: float | None = None,
    sigmoid: bool = False,
    logit_map: LogitMap | None = None,
) -> RegionSums:
    """Sum errors and probabilities over the pixels.

    Args:
        logits: (N, K, *).
        labels: class ids (N, *), with ``sigmoid`` 0 and 1 of the logits' shape; soft labels, floats
            of the logits' shape; None for the mass alone (the match is 0).
        weights: w_i >= 0, (N, *), with ``sigmoid`` of the logits' shape; None for 1.
        gamma: exponent of the error, >= 1; None for the overlap.
        sigmoid: whether each channel is a class of its own, p = sigmoid(logits); else
            p = softmax(logits).
        logit_map: what the logits go through first.

    Example:
        >>> region_sums(torch.zeros(1, 2, 3), torch.tensor([[0, 0, 1]]), None)
        RegionSums(mass=tensor([1.5000, 1.5000]), match=tensor([1.0000, 0.5000]))
    """
    flat = logits.reshape(*logits.shape[:2], logits.shape[2:].numel())

    def flattened(m: Tensor | None) -> Tensor | None:
        if m is None:
            return None
        return m.reshape(flat.shape if m.shape == logits.shape else (len(flat), flat.shape[2]))

    pixels = _Pixels(gamma, sigmoid, logit_map)
    arguments = (flat, flattened(labels), flattened(weights))
    if torch.compiler.is_compiling() or by_operators(labels):
        return RegionSums(*pixels.sums(*arguments))
    return RegionSums(*_RegionSums.apply(*arguments, pixels))


class _Pixels(NamedTuple):
    """The computation on one block (N, K, P), forwards and backwards."""

    gamma: float | None
    sigmoid: bool
    logit_map: LogitMap | None

    def sums(
        self, logits: Tensor, labels: Tensor | None, weights: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        p = self._probabilities(logits)
        w = self._weights(weights)
        mass = _weighted(p, w).sum((0, 2))
        if labels is None:
            return mass, torch.zeros_like(mass)
        return mass, _weighted(self._match(p, labels), w).sum((0, 2))

    def gradient(
        self,
        logits: Tensor,
        labels: Tensor | None,
        weights: Tensor | None,
        grad_mass: Tensor,
        grad_match: Tensor,
    ) -> Tensor:
        p = self._probabilities(logits)
        slope = grad_mass.view(-1, 1).expand_as(p)
        if labels is not None:
            slope = slope + self._match_slope(p, labels) * grad_match.view(-1, 1)
        if self.sigmoid:
            gradient = p * (1 - p) * slope
        else:
            gradient = p * (slope - (p * slope).sum(1, keepdim=True))
        if self.logit_map is not None:
            gradient = self._pulled_back(self.logit_map, logits, gradient)
        return _weighted(gradient, self._weights(weights))

    def of_weights(
        self, logits: Tensor, labels: Tensor | None, grad_mass: Tensor, grad_match: Tensor
    ) -> Tensor:
        """Return the gradient in the weights."""
        p = self._probabilities(logits)
        value = p * grad_mass.view(-1, 1)
        if labels is not None:
            value = value + self._match(p, labels) * grad_match.view(-1, 1)
        return value if self.sigmoid else value.sum(1)

    def _probabilities(self, logits: Tensor) -> Tensor:
        z = logits.to(compute_dtype(logits))
        if self.logit_map is not None:
            z = self.logit_map(z.unsqueeze(1)).squeeze(1) if self.sigmoid else self.logit_map(z)
        return torch.sigmoid(z) if self.sigmoid else torch.softmax(z, 1)

    def _pulled_back(self, logit_map: LogitMap, logits: Tensor, gradient: Tensor) -> Tensor:
        """The gradient before the map; a channel of its own is a vector of one logit."""
        z = logits.to(gradient.dtype)
        if self.sigmoid:
            return logit_map.pull_back(z.unsqueeze(1), gradient.unsqueeze(1)).squeeze(1)
        return logit_map.pull_back(z, gradient)

    def _weights(self, weights: Tensor | None) -> Tensor | None:
        return weights if weights is None or self.sigmoid else weights.unsqueeze(1)

    def _match(self, p: Tensor, labels: Tensor) -> Tensor:
        """Return ``p t`` or ``|p - t|^gamma``, elementwise."""
        if self.gamma is None:
            return p * self._weights_of_labels(p, labels)
        if labels.is_floating_point():
            error = (p - labels).abs()
        else:
            error = torch.where(self._labelled(p, labels), 1 - p, p)
        if torch.is_grad_enabled():  # autograd follows: its second derivative is finite at 0
            error = error.clamp_min(FLOOR)
        return error.pow(self.gamma)

    def _match_slope(self, p: Tensor, labels: Tensor) -> Tensor:
        """Return the derivative of ``_match`` in p."""
        if self.gamma is None:
            return self._weights_of_labels(p, labels)
        if labels.is_floating_point():
            distance = p - labels
            return self.gamma * distance.abs().pow(self.gamma - 1) * distance.sign()
        labelled = self._labelled(p, labels)
        size = self.gamma * torch.where(labelled, 1 - p, p).pow(self.gamma - 1)
        return torch.where(labelled, -size, size)

    def _labelled(self, p: Tensor, labels: Tensor) -> Tensor:
        """Where class ids name the class, (N, K, P) bool."""
        if self.sigmoid:
            return labels > 0
        index = class_index(labels, p.shape[1])
        if by_operators():  # a comparison is slower, but vmap knows no scatter in place
            return torch.arange(p.shape[1], device=p.device)[:, None] == index
        return torch.zeros_like(p, dtype=torch.bool).scatter_(1, index, True)

    def _weights_of_labels(self, p: Tensor, labels: Tensor) -> Tensor:
        return labels if labels.is_floating_point() else self._labelled(p, labels).to(p.dtype)


class _RegionSums(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, labels: Tensor | None, weights: Tensor | None, pixels: _Pixels
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(logits, labels, weights)
        ctx.pixels = pixels
        mass = logits.new_zeros(logits.shape[1], dtype=compute_dtype(logits))
        match = torch.zeros_like(mass)
        for rows, columns in blocks(logits, binary=False):
            parts = pixels.sums(
                logits[rows, :, columns],
                _cut(labels, rows, columns),
                _cut(weights, rows, columns),
            )
            mass += parts[0]
            match += parts[1]
        return mass, match

    @staticmethod
    @twice_differentiable(lambda ctx, *saved: ctx.pixels.sums(*saved))
    def backward(ctx: Any, grad_mass: Tensor, grad_match: Tensor) -> tuple[Tensor | None, ...]:
        logits, labels, weights = ctx.saved_tensors
        gradient = torch.empty_like(logits)
        of_weights = torch.empty_like(weights) if ctx.needs_input_grad[2] else None
        for rows, columns in blocks(logits, binary=False):
            if of_weights is not None:
                of_weights[rows, ..., columns] = ctx.pixels.of_weights(
                    logits[rows, :, columns], _cut(labels, rows, columns), grad_mass, grad_match
                )
            gradient[rows, :, columns] = ctx.pixels.gradient(
                logits[rows, :, columns],
                _cut(labels, rows, columns),
                _cut(weights, rows, columns),
                grad_mass,
                grad_match,
            )
        return gradient, None, of_weights, None


def _weighted(m: Tensor, weights: Tensor | None) -> Tensor:
    """Weigh a map; where the weight is 0, at void, anything may stand, and 0 times NaN is no 0."""
    return m if weights is None else torch.where(weights > 0, m * weights, 0)


def _cut(m: Tensor | None, rows: slice, columns: slice) -> Tensor | None:
    return None if m is None else m[rows, ..., columns]
