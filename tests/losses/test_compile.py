"""torch.compile without graph breaks; needs a C++ compiler."""

import shutil

import pytest
import torch

from segnoise.losses import build_loss

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")),
        reason="no C++ compiler",
    ),
]


@pytest.mark.parametrize("mode", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("name", ["ANL-CE", "NFL+RCE", "ER"])
def test_compiled_equals_eager(make_batch, name, mode):
    logits, labels, _ = make_batch(mode)
    own = {}
    if name != "ER":
        own["class_weights"] = [1.0, 2.0] if mode == "binary" else [1.0, 2.0, 0.5, 0.0, 3.0]
    loss = build_loss(name, mode=mode, ignore_index=255, **own)
    expected = loss(logits, labels)
    (expected_gradient,) = torch.autograd.grad(expected, logits)
    value = torch.compile(loss, fullgraph=True)(logits, labels)
    (gradient,) = torch.autograd.grad(value, logits)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient, expected_gradient)


def test_a_label_out_of_range_is_caught_in_a_compiled_loss():
    loss = torch.compile(build_loss("CE", mode="multiclass", ignore_index=255), fullgraph=True)
    with pytest.raises(RuntimeError, match=r"label is not in 0..2"):
        loss(torch.zeros(1, 3, 2), torch.tensor([[0, 37]]))


def test_soft_labels(make_batch):
    logits, _, _ = make_batch("multiclass")
    soft = torch.rand(logits.shape, dtype=torch.float64).softmax(1)
    loss = build_loss("CE", mode="multiclass")
    value = torch.compile(loss, fullgraph=True)(logits, soft)
    torch.testing.assert_close(value, loss(logits, soft))
