"""GJS on several views."""

import pytest
import torch
from torch.autograd import gradcheck

from segnoise.losses import build_loss


@pytest.mark.parametrize("mode", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("views", [2, 3])
def test_gradcheck(make_batch, mode, views):
    logits, labels, weights = make_batch(mode, num_classes=3, pixels=1)
    stacked = torch.cat([logits * (1 - 0.3 * v) for v in range(views)]).detach().requires_grad_()
    loss = build_loss("GJS", mode=mode, ignore_index=255)
    assert gradcheck(lambda z: loss(z, labels, weights), (stacked,))


def test_the_order_of_the_views_does_not_matter(make_batch):
    one, labels, _ = make_batch("multiclass")
    other = make_batch("multiclass", seed=1)[0]
    loss = build_loss("GJS", mode="multiclass", ignore_index=255)
    torch.testing.assert_close(
        loss(torch.cat((one, other)), labels), loss(torch.cat((other, one)), labels)
    )


def test_views_that_disagree_cost_more_than_their_mean_does():
    """Mirrored views have the same mean whatever their contrast: what is left is disagreement."""
    labels = torch.tensor([[0]])
    loss = build_loss("GJS", mode="multiclass")
    values = [
        loss(torch.tensor([[[z], [-z]], [[-z], [z]]]), labels).item() for z in (0.0, 0.5, 1.0, 4.0)
    ]
    assert values == sorted(values)
    assert values[0] < values[1]


@pytest.mark.parametrize("rows", [3, 4, 0])
def test_not_views_of_every_image(rows):
    loss = build_loss("GJS", mode="multiclass")
    with pytest.raises(ValueError, match=r"two or more for each of 3 label maps; give torch\.cat"):
        loss(torch.zeros(rows, 4, 2), torch.zeros(3, 2).long())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_views_are_computed_in_float32(make_batch, dtype):
    logits, labels, _ = make_batch("multiclass", dtype=dtype)
    views = torch.cat((logits, logits.flip(2))).detach().requires_grad_()
    same = views.detach().float().requires_grad_()
    loss = build_loss("GJS", mode="multiclass", ignore_index=255)
    loss(views, labels).backward()
    loss(same, labels).backward()
    torch.testing.assert_close(views.grad, same.grad.to(dtype))
