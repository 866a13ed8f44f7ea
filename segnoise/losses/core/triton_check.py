"""Whether the Triton kernels give the eager core's numbers on a device."""

from __future__ import annotations

import torch

from segnoise.losses.core.eager import eager_statistics
from segnoise.losses.core.label_statistics import Core
from segnoise.losses.core.sums import ClassSum
from segnoise.losses.core.terms import LogTerm
from segnoise.losses.core.triton_path import triton_statistics

_CASES = ((False, 21, torch.float32), (False, 150, torch.float16), (True, 1, torch.float32))


def check_kernels(device: torch.device) -> None:
    """Compare the Triton kernels with the eager core in float64 on a device."""
    # Whatever the caller is in the middle of, such as a validation without gradients.
    with torch.inference_mode(False), torch.enable_grad():
        for binary, channels, dtype in _CASES:
            error = _error(binary, channels, dtype, device)
            if not error <= max(1e-5, 2 * torch.finfo(dtype).eps):
                raise ArithmeticError(f"{dtype}, {channels} channels: off by {error:.1g}")


def _error(binary: bool, channels: int, dtype: torch.dtype, device: torch.device) -> float:
    """Greatest difference of the maps or the gradients, as a share of the greatest value."""
    random = torch.Generator().manual_seed(0)
    core = Core((ClassSum(LogTerm()), ClassSum(LogTerm(), 1e-7)), binary, None, None)
    scores = (4 * torch.randn(2, channels, 333, generator=random)).to(device, dtype)
    labels = torch.randint(2 if binary else channels, (2, 333), generator=random).to(device)
    weights = torch.randn(3, 2, 333, generator=random, dtype=torch.float64).to(device)
    results = []
    for compute, z in ((triton_statistics, scores), (eager_statistics, scores.double())):
        z.requires_grad_()
        maps = torch.stack(compute(z, labels, core)).double()
        (slope,) = torch.autograd.grad((maps * weights).sum(), z)
        results.append((maps.detach(), slope.double()))
    return max(
        float((one - other).abs().max() / other.abs().max())
        for one, other in zip(*results, strict=True)
    )
