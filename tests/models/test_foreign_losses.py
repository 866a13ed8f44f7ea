"""Losses of other libraries in a training: what their signatures take is given to them."""

import pytest
import segmentation_models_pytorch as smp
import tiny_training
import torch
from torch import nn

from segnoise.engine.config import complete
from segnoise.engine.train import train
from segnoise.errors import ConfigError
from segnoise.models.losses import ForeignLoss, build_losses

LABELS = torch.tensor([[[0, 1, 255], [2, 2, 1]]])
LOGITS = torch.randn(1, 3, 2, 3, generator=torch.Generator().manual_seed(0))
SMP = "segmentation_models_pytorch.losses."


class NoArguments(nn.Module):
    """A loss whose signature is that of torch's modules, of any arguments."""

    def forward(self, y_pred, y_true):
        return y_pred.mean()


def build(mode="multiclass", classes=3, **entry):
    return build_losses([{"name": "loss", **entry}], mode, 255, classes)[0]["loss"]


def test_torch_cross_entropy_leaves_void_out_and_has_weights():
    weights = torch.tensor([1.0, 2.0, 4.0])
    loss = build(type="torch.nn.CrossEntropyLoss", class_weights=[1.0, 2.0, 4.0])
    expected = nn.functional.cross_entropy(LOGITS, LABELS, weights, ignore_index=255)
    torch.testing.assert_close(loss(LOGITS, LABELS.byte()), expected)
    plain = build(type=nn.CrossEntropyLoss, label_smoothing=0.1)
    expected = nn.functional.cross_entropy(LOGITS, LABELS, ignore_index=255, label_smoothing=0.1)
    torch.testing.assert_close(plain(LOGITS, LABELS), expected)


@pytest.mark.parametrize("name", ["DiceLoss", "FocalLoss", "LovaszLoss"])
def test_smp_losses_get_mode_and_void(name):
    theirs = getattr(smp.losses, name)
    loss = build(type=SMP + name)
    expected = theirs("multiclass", ignore_index=255)(LOGITS, LABELS)
    torch.testing.assert_close(loss(LOGITS, LABELS), expected)
    loss = build("binary", 2, type=SMP + name)
    labels = LABELS.clamp_max(1).masked_fill(LABELS == 255, 255)
    expected = theirs("binary", ignore_index=255)(LOGITS[:, :1], labels)
    torch.testing.assert_close(loss(LOGITS[:, :1], labels), expected)


def test_binary_cross_entropy_gets_the_scores_shape():
    loss = build("binary", 2, type=SMP + "SoftBCEWithLogitsLoss")
    labels = LABELS.clamp_max(1).masked_fill(LABELS == 255, 255)
    z, valid = LOGITS[:, 0], labels != 255
    each = nn.functional.binary_cross_entropy_with_logits(z[valid], labels[valid].float())
    torch.testing.assert_close(loss(LOGITS[:, :1], labels), each * valid.sum() / valid.numel())


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"type": "torch.nn.MSELoss"}, "takes no ignore_index, so that void would be learnt"),
        ({"type": "torch.nn.CrossEntropyLoss", "q": 1}, "CrossEntropyLoss has no parameter 'q'"),
        (
            {"type": "torch.nn.CrossEntropyLoss", "class_weights": "batch_inverse"},
            "give numbers, or a scheme for the whole training set",
        ),
        ({"type": "torch.nn.CrossEntropyLoss", "class_weights": [1.0]}, "1 numbers for 3 classes"),
        ({"type": "torch.nn.Flatten"}, "takes no ignore_index, so that void would be learnt"),
        ({"type": "torch.nn.ReLU6"}, "takes no ignore_index, so that void would be learnt"),
        ({"type": NoArguments}, "takes no ignore_index, so that void would be learnt"),
        ({"type": "torch.nn.NLLLoss"}, "takes log-probabilities, not logits: take 'CE'"),
        ({"type": SMP + "JaccardLoss", "from_logits": False}, "networks return logits: leave it"),
        ({"type": "CE", "ignore_index": 3}, "ignore_index=3, and this training has 255: leave it"),
        ({"type": "CE", "reduction": "none"}, "gives no number to train on: take 'mean'"),
        ({"type": "torch.nn.functional.cross_entropy"}, "needs input"),
    ],
)
def test_what_cannot_be_used_is_one_line(entry, message):
    with pytest.raises(ConfigError, match=message) as caught:
        build(**entry)
    assert "\n" not in str(caught.value)


def test_pixel_weights_and_maps_are_refused_at_their_first_batch():
    loss = build(type="torch.nn.CrossEntropyLoss")
    with pytest.raises(ConfigError, match="takes no pixel_weights"):
        loss(LOGITS, LABELS, pixel_weights=torch.ones(LABELS.shape))
    loss = ForeignLoss(nn.CrossEntropyLoss(ignore_index=255, reduction="none"), "multiclass")
    with pytest.raises(ConfigError, match=r"not \(1, 2, 3\): set its reduction='mean'"):
        loss(LOGITS, LABELS)


def test_a_training_with_both(tmp_path):
    losses = [
        {"type": "torch.nn.CrossEntropyLoss", "class_weights": "inverse_sqrt"},
        {"type": SMP + "DiceLoss", "weight": 0.5},
    ]
    result = train(complete(tiny_training.config(tmp_path, losses=losses)))
    assert result.last["iter"] == 8
