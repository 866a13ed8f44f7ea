"""What loss correction promises: on average over the noise the loss is that of the true labels."""

import pytest
import torch

from segnoise.losses import build_loss

K = 3
T = torch.tensor([[0.7, 0.2, 0.1], [0.05, 0.8, 0.15], [0.3, 0.0, 0.7]], dtype=torch.float64)


def losses_of_all_labels(loss, logits):
    """(pixels, K): the loss of every pixel if it were labelled so."""
    return torch.stack(
        [loss(logits, torch.full((len(logits),), k)) for k in range(logits.shape[1])], 1
    )


def test_backward_correction_is_cross_entropy_on_average():
    logits = torch.randn(7, K, dtype=torch.float64)
    common = {"mode": "multiclass", "reduction": "none"}
    plain = losses_of_all_labels(build_loss("CE", **common), logits)
    loss = build_loss("BackwardCorrection", transition_matrix=T, **common)
    noisy = losses_of_all_labels(loss, logits)
    torch.testing.assert_close(noisy @ T.T, plain)


def test_forward_correction_is_minimal_at_the_true_probabilities():
    """Expected over true classes drawn from q and noise T: minimal at p = q."""
    q = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
    loss = build_loss("ForwardCorrection", mode="multiclass", reduction="none", transition_matrix=T)
    logits = q.log()[None].clone().requires_grad_()
    risk = (losses_of_all_labels(loss, logits) @ (q @ T)).sum()
    (gradient,) = torch.autograd.grad(risk, logits)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), atol=1e-12, rtol=0)


def test_a_label_from_one_class_alone_and_extreme_logits():
    matrix = [[1.0, 0.0], [0.5, 0.5]]
    loss = build_loss("ForwardCorrection", mode="multiclass", transition_matrix=matrix)
    logits = torch.tensor([[[1e4], [-1e4]]], requires_grad=True)
    value = loss(logits, torch.tensor([[1]]))
    value.backward()
    assert value.item() == pytest.approx(2e4, rel=1e-4)
    torch.testing.assert_close(logits.grad.flatten(), torch.tensor([1.0, -1.0]))


@pytest.mark.parametrize("name", ["ForwardCorrection", "BackwardCorrection"])
@pytest.mark.parametrize(
    ("mode", "matrix", "message"),
    [
        ("multiclass", [[1.0, 0.0]], r"must be square, got the shape \(1, 2\)"),
        ("multiclass", [[1.0]], "must be square"),
        ("multiclass", [[0.9, 0.2], [0.0, 1.0]], r"row 0 must be .* add up to 1, got \[0.9, 0.2\]"),
        ("multiclass", [[1.1, -0.1], [0.0, 1.0]], "row 0"),
        ("multiclass", [[float("nan"), 0.5], [0.0, 1.0]], "row 0"),
        ("binary", T.tolist(), "must be 2 x 2 in binary mode, got 3 classes"),
        ("multilabel", T.tolist(), "must be 2 x 2 in multilabel mode"),
    ],
)
def test_no_transition_matrix(name, mode, matrix, message):
    with pytest.raises(ValueError, match=message):
        build_loss(name, mode=mode, transition_matrix=matrix)


def test_matrices_that_a_correction_cannot_use():
    with pytest.raises(ValueError, match="no class is ever labelled 1"):
        build_loss(
            "ForwardCorrection", mode="multiclass", transition_matrix=[[1.0, 0.0], [1.0, 0.0]]
        )
    with pytest.raises(ValueError, match="no usable inverse"):
        build_loss("BackwardCorrection", mode="binary", transition_matrix=[[0.5, 0.5], [0.5, 0.5]])


@pytest.mark.parametrize("name", ["ForwardCorrection", "BackwardCorrection"])
def test_another_number_of_classes(name):
    loss = build_loss(name, mode="multiclass", transition_matrix=T)
    with pytest.raises(ValueError, match=r"is for 3 classes, the scores .* are of 4"):
        loss(torch.zeros(1, 4, 2), torch.tensor([[0, 1]]))


def test_complementary_labels_are_all_others_in_equal_shares():
    """With one class certain, the loss tells which class was drawn."""
    pixels, classes = 6000, 5
    logits = torch.zeros(pixels, classes)
    logits[:, 2] = 20.0
    loss = build_loss("NLNL", mode="multiclass", reduction="none")
    torch.manual_seed(0)
    drawn = loss(logits, torch.zeros(pixels).long()) > 10
    assert drawn.float().mean().item() == pytest.approx(1 / 4, abs=0.02)
    assert not (loss(logits, torch.full((pixels,), 2)) > 10).any()


def test_negative_learning_of_a_certain_wrong_class_has_its_gradient():
    """1 - p underflows here; the log-odds do not."""
    logits = torch.tensor([[60.0, 0.0]], requires_grad=True)
    value = build_loss("NLNL", mode="multiclass")(logits, torch.tensor([1]))
    value.backward()
    assert value.item() == pytest.approx(60)
    torch.testing.assert_close(logits.grad, torch.tensor([[1.0, -1.0]]))
