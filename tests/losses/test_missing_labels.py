"""Hill, SPLC and ASL: what happens to negatives that look like positives."""

import pytest
import torch

from segnoise.losses import build_loss, set_epochs


def slope(loss, z, label):
    z = torch.tensor([[z]], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(z, torch.tensor([[label]])), z)
    return gradient.item()


def test_hills_negatives_lose_their_pull_at_both_ends():
    loss = build_loss("Hill", mode="multilabel")
    slopes = [slope(loss, z, 0) for z in (-6.0, -2.0, 0.5, 3.0, 8.0)]
    assert max(slopes) == slopes[2]
    assert slopes[0] < slopes[1] < slopes[2] > slopes[3] > slopes[4] > 0


def test_corrected_negatives_are_pulled_up():
    loss = build_loss("SPLC", mode="multilabel", tau=0.6)
    sure, unsure = 2.0, 0.3  # sigmoid: 0.88, 0.57
    assert slope(loss, sure, 0) > 0
    set_epochs(torch.nn.ModuleList([loss]), 1)
    assert slope(loss, sure, 0) == slope(loss, sure, 1) < 0
    assert slope(loss, unsure, 0) > 0


def test_the_first_epoch_that_corrects_can_be_set():
    loss = build_loss("SPLC", mode="binary", start_epoch=3)
    z, negative = torch.tensor([[[2.0]]]), torch.tensor([[0]])
    values = []
    for epoch in range(5):
        loss.set_epoch(epoch)
        values.append(loss(z, negative).item())
    assert values[0] == values[2] != values[3] == values[4]


def test_the_epoch_is_state():
    loss = build_loss("SPLC", mode="binary")
    loss.set_epoch(7)
    other = build_loss("SPLC", mode="binary")
    other.load_state_dict(loss.state_dict())
    assert other.epoch == 7


@pytest.mark.parametrize(("epoch", "error"), [(-1, ValueError), (1.5, TypeError)])
def test_no_epoch(epoch, error):
    with pytest.raises(error, match="epoch must"):
        build_loss("SPLC", mode="binary").set_epoch(epoch)


def test_asls_negatives_below_the_clip_count_as_right():
    loss = build_loss("ASL", mode="multilabel", clip=0.05)
    assert loss(torch.tensor([[-4.0]]), torch.tensor([[0]])) == 0
    assert slope(loss, -4.0, 0) == 0
    assert slope(loss, 2.0, 0) > 0


def test_asl_without_focus_and_clip_is_cross_entropy(make_batch):
    logits, labels, _ = make_batch("multilabel")
    common = {"mode": "multilabel", "ignore_index": 255}
    loss = build_loss("ASL", gamma_positive=0, gamma_negative=0, clip=0, **common)
    torch.testing.assert_close(loss(logits, labels), build_loss("CE", **common)(logits, labels))
