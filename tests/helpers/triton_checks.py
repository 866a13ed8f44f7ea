"""Triton kernels against the eager core in float64, on a GPU or under Triton's interpreter.

The tests of the GPU call each check by itself, on that device. For the interpreter all run in a
process of their own: Triton reads TRITON_INTERPRET when kernels are defined.
"""

import itertools

import torch

from segnoise.kernels import using
from segnoise.losses import build_loss
from segnoise.losses.core.label_statistics import Core
from segnoise.losses.core.statistics import eager_statistics
from segnoise.losses.core.terms import ClassSum, EntropyTerm, FocalTerm, LogTerm, PowerTerm
from segnoise.losses.core.triton_path import check_kernels, triton_statistics
from segnoise.metrics.scores import confusion_matrix_from_scores

LOGS, FOCAL = LogTerm(), FocalTerm(0.5)
SUMS = [
    (),
    (ClassSum(LOGS),),
    (ClassSum(LOGS, 1e-2),),
    (ClassSum(LOGS), ClassSum(LOGS, 1e-7)),
    (ClassSum(FOCAL), ClassSum(FOCAL, 1e-2)),
    (ClassSum(PowerTerm(0.7)), ClassSum(PowerTerm(2.0), 0.0)),
    (ClassSum(EntropyTerm()),),
]

LOSSES = ["CE", "GCE", "ANL-CE", "ANL-FL", "NCE+AGCE", "JAL-CE", "LabelSmoothing", "SR", "NLNL"]


def compare(logits, target, core, used=lambda index: True):
    """Maps to 1e-5, gradients to 1e-5 of the greatest, or to the logits' own rounding."""
    exact = logits.detach().double().requires_grad_()
    logits = logits.detach().requires_grad_()
    maps, expected = triton_statistics(logits, target, core), eager_statistics(exact, target, core)
    weights = [torch.rand(m.shape, dtype=torch.float64) - 0.5 for m in expected]
    totals = [
        sum(
            (m * w.to(m.dtype)).sum()
            for i, (m, w) in enumerate(zip(s, weights, strict=True))
            if used(i)
        )
        for s in (maps, expected)
    ]
    (gradient,) = torch.autograd.grad(totals[0], logits)
    (exact_gradient,) = torch.autograd.grad(totals[1], exact)
    for m, e in zip(maps, expected, strict=True):
        torch.testing.assert_close(m.double(), e, rtol=1e-5, atol=1e-5)
    step = max(1e-5, 2 * torch.finfo(logits.dtype).eps)
    scale = exact_gradient.abs().max().clamp_min(1e-30)
    assert gradient.dtype == logits.dtype
    assert (gradient.double() - exact_gradient).abs().max() < step * scale
    return gradient


def shapes(binary):
    return (
        [(1, 1, 700), (3, 1, 1)]
        if binary
        else [(2, 2, 37), (1, 21, 300), (2, 150, 19), (1, 300, 5)]
    )


def check_core(binary, sums):
    core = Core(sums, binary)
    for rows, classes, pixels in shapes(binary):
        z = 3 * torch.randn(rows, classes, pixels)
        y = torch.randint(2 if binary else classes, (rows, pixels))
        y[0, : pixels // 3] = 255
        compare(z, y, core)
        for dtype in (torch.float16, torch.bfloat16):
            compare(z.to(dtype), y.to(torch.uint8) if classes < 200 else y, core)
        compare(z, y, core, used=lambda i: i == 0)
        if sums:
            compare(z, y, core, used=lambda i: i > 0)


def check_layouts():
    """Layouts, no pixels, and scores as far apart as they come."""
    core = Core((ClassSum(LOGS), ClassSum(LOGS, 1e-7)))
    plain = torch.randn(2, 5, 6, 7)
    last = plain.to(memory_format=torch.channels_last)
    for images in (plain, last, plain.transpose(2, 3)):
        flat = images.reshape(2, 5, 42)
        compare(flat, torch.randint(5, (2, 42)), core)
    assert triton_statistics(torch.zeros(2, 5, 0), torch.zeros(2, 0).long(), core)[0].shape == (
        2,
        0,
    )

    patterns = torch.tensor([1e4, -1e4, 0.0, 88.0, -88.0, 17.0, 9999.5, 1e4, 9999.0, 3.0])
    z = torch.stack([patterns.roll(i) for i in range(5)])[None].requires_grad_()
    maps = triton_statistics(z, torch.arange(10)[None] % 5, core)
    sum(m.sum() for m in maps).backward()
    assert all(m.isfinite().all() for m in maps)
    assert z.grad.isfinite().all()
    compare(z, torch.arange(10)[None] % 5, core)


def check_losses(name, runs):
    """As a user meets them: whole losses, and the same numbers to the bit at every run."""
    logits = torch.randn(2, 21, 9, 11, requires_grad=True)
    labels = torch.randint(21, (2, 9, 11))
    labels[:, 0] = 255
    loss = build_loss(name, mode="multiclass", ignore_index=255, class_weights="batch_inverse_sqrt")
    results = []
    for kind in ("eager", *["triton"] * runs):
        torch.manual_seed(0)
        with using(kind):
            value = loss(logits, labels)
            (gradient,) = torch.autograd.grad(value, logits, retain_graph=True)
            (slope,) = torch.autograd.grad(value, logits, create_graph=True)
            (second,) = torch.autograd.grad(slope.square().sum(), logits)
        results.append((value, gradient, second))
    for one, other in zip(results[0], results[1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7, msg=name)
    for result in results[2:]:
        assert all(torch.equal(a, b) for a, b in zip(results[1], result, strict=True)), name


def check_counts(runs):
    """The confusion matrix of scores: exact, ties, odd layouts and all kinds of labels included."""
    for classes, dtype, labels in (
        (1, torch.float32, torch.uint8),
        (2, torch.bfloat16, torch.int64),
        (21, torch.bfloat16, torch.uint8),
        (150, torch.float32, torch.int64),
    ):
        scores = torch.randn(2, classes, 13, 67).to(dtype)  # bfloat16 has many ties
        target = torch.randint(max(classes, 2), (2, 13, 67)).to(labels)
        target[:, :3] = 255
        for layout in (
            scores,
            scores.to(memory_format=torch.channels_last),
            scores.mT.contiguous().mT,
        ):
            with using("eager"):
                expected = confusion_matrix_from_scores(layout, target)
            with using("triton"):
                for _ in range(runs):
                    found = confusion_matrix_from_scores(layout, target)
                    assert found.equal(expected), (classes, dtype)
    p, target = torch.rand(2, 1, 13, 67), torch.randint(2, (2, 13, 67))
    counted = []
    for kind in ("eager", "triton"):
        with using(kind):
            counted.append(confusion_matrix_from_scores(p, target, threshold=0.7))
    assert counted[0].equal(counted[1])
    assert counted[0][:, 1].sum() == (p > 0.7).sum()
    void = torch.full((1, 5), 255)
    with using("triton"):
        assert confusion_matrix_from_scores(torch.zeros(1, 3, 5), void).sum() == 0
        nothing = confusion_matrix_from_scores(torch.zeros(1, 3, 5), void - 254, ignore_index=None)
    assert nothing[1, 0] == 5


def main():
    torch.manual_seed(0)
    for binary, sums in itertools.product((False, True), SUMS):
        check_core(binary, sums)
    check_layouts()
    for name in LOSSES:
        check_losses(name, runs=2)
    check_counts(runs=2)
    with torch.no_grad():
        check_kernels(torch.device("cpu"))
    print("all kernels agree")


if __name__ == "__main__":
    main()
