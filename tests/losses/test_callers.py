"""Losses in other people's loops: their shapes and arguments, and errors whose advice works."""

import naive_losses
import pytest
import torch
from segmentation_models_pytorch.losses import DiceLoss as SmpDiceLoss
from segmentation_models_pytorch.losses import FocalLoss as SmpFocalLoss
from torch import nn

from segnoise.losses import (
    ActiveNegativeLoss,
    CrossEntropyLoss,
    DiceLoss,
    EntropyRegularizer,
    FocalLoss,
    UpsampledLoss,
    build_loss,
    class_weights,
)

Z = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(0))
Y = torch.arange(30).view(2, 3, 5) % 4
B = Y % 2


def test_ids_may_have_a_channel_axis(kind):
    loss = naive_losses.make(kind, "multiclass", 4, ignore_index=3)
    weights = torch.rand(Y.shape)
    expected = loss(Z, Y, weights)
    if kind[0] == "ELR":
        loss = naive_losses.make(kind, "multiclass", 4, ignore_index=3)
    assert torch.equal(loss(Z, Y[:, None], weights[:, None]), expected)


@pytest.mark.parametrize("name", [name for name in naive_losses.KINDS if name != "SR"])
def test_binary_maps_may_lack_the_channel_axis(name):
    one = Z[:, :1]
    loss = naive_losses.make((name, naive_losses.CASES[name]), "binary", ignore_index=3)
    labels = B.masked_fill(Y == 2, 3)
    expected = loss(one, labels)
    for scores, target in (
        (one, labels[:, None]),
        (one[:, 0], labels),
        (one[:, 0], labels[:, None]),
        (one[:, 0].contiguous(), labels.float()),
    ):
        assert torch.equal(loss(scores, target), expected)
    flat = loss(one.reshape(30, 1), labels.reshape(30))
    assert torch.equal(loss(one.reshape(30), labels.reshape(30)), flat)


def test_volumes_without_a_channel_axis():
    loss = build_loss("CE", mode="binary")
    volumes = Z[:, :, None]  # (2, 4, 1, 3, 5): four slices of one channel, or four channels
    labels = torch.randint(2, volumes.shape)
    expected = loss(volumes[:, None], labels)
    assert torch.equal(loss(volumes, labels[:, None]), expected)
    with pytest.raises(ValueError, match="may be maps or 4 channels"):
        loss(volumes, labels)


def test_upsampled_ids_may_have_a_channel_axis():
    loss = UpsampledLoss(build_loss("ANL-CE", mode="multiclass"))
    small = Z[..., :2, :2]
    assert torch.equal(loss(small, Y[:, None]), loss(small, Y))


def call(mode, scores, labels, name="GCE", pixel_weights=None, **own):
    return build_loss(name, mode=mode, **own)(scores, labels, pixel_weights)


SOFT = torch.full((2, 4, 3, 5), 0.25)
LABELLED = torch.full((2, 1, 3, 5), 1.0, requires_grad=True)
SINGULAR = [[0.5, 0.5], [0.5, 0.5]]
# What is wrong, a piece of the advice, and what a reader of the advice writes.
ADVICE = {
    "one class": (
        lambda: call("multiclass", Z[:, :1], Y * 0),
        "use mode='binary' for one",
        lambda: call("binary", Z[:, :1], Y * 0),
    ),
    "float ids": (
        lambda: call("multiclass", Z, Y.float()),
        "call .long()",
        lambda: call("multiclass", Z, Y.float().long()),
    ),
    "float ids with a channel": (
        lambda: call("multiclass", Z, Y[:, None].float()),
        "call .long()",
        lambda: call("multiclass", Z, Y[:, None].float().long()),
    ),
    "float ids of a loss with soft labels": (
        lambda: call("multiclass", Z, Y.float(), "CE"),
        "probabilities of the scores' shape",
        lambda: call("multiclass", Z, SOFT, "CE"),
    ),
    "soft labels": (
        lambda: call("multiclass", Z, SOFT),
        "give integer class ids",
        lambda: call("multiclass", Z, SOFT.argmax(1)),
    ),
    "labels with a gradient": (
        lambda: call("binary", Z[:, :1], LABELLED),
        "give y_true.detach()",
        lambda: call("binary", Z[:, :1], LABELLED.detach()),
    ),
    "channels or maps": (
        lambda: call("binary", Z, B[:, None].expand(2, 4, 3, 5)),
        "y_pred.unsqueeze(1)",
        lambda: call("binary", Z.unsqueeze(1), B[:, None].expand(2, 4, 3, 5)),
    ),
    "maps or channels": (
        lambda: call("binary", Z, B[:, None].expand(2, 4, 3, 5)),
        "mode='multilabel'",
        lambda: call("multilabel", Z, B[:, None].expand(2, 4, 3, 5)),
    ),
    "weights for a histogram": (
        lambda: call("multiclass", Z, Y, class_weights="inverse_sqrt"),
        "segnoise.losses.class_weights(histogram, 'inverse_sqrt')",
        lambda: call("multiclass", Z, Y, class_weights=class_weights(Y.flatten().bincount())),
    ),
    "weights of each batch": (
        lambda: call("multiclass", Z, Y, class_weights="inverse_sqrt"),
        "'batch_inverse_sqrt'",
        lambda: call("multiclass", Z, Y, class_weights="batch_inverse_sqrt"),
    ),
    "binary Dice with weights": (
        lambda: call("binary", Z[:, :1], B, "Dice", class_weights=[1.0, 2.0]),
        "leave class_weights out",
        lambda: call("binary", Z[:, :1], B, "Dice"),
    ),
    "too few weights": (
        lambda: call("multiclass", Z, Y, class_weights=[1.0, 2.0]),
        "give one for each",
        lambda: call("multiclass", Z, Y, class_weights=[1.0] * 4),
    ),
    "one view": (
        lambda: call("multiclass", Z, Y, "GJS"),
        "torch.cat((view_1, view_2))",
        lambda: call("multiclass", torch.cat((Z, Z)), Y, "GJS"),
    ),
    "SR of one logit": (
        lambda: build_loss("SR", mode="binary"),
        "use mode='multiclass'",
        lambda: call("multiclass", Z, Y, "SR"),
    ),
    "Hill of classes": (
        lambda: build_loss("Hill", mode="multiclass"),
        "'binary' or 'multilabel'",
        lambda: call("multilabel", Z, B[:, None].expand(2, 4, 3, 5), "Hill"),
    ),
    "no inverse": (
        lambda: build_loss("BackwardCorrection", mode="binary", transition_matrix=SINGULAR),
        "use ForwardCorrectionLoss",
        lambda: call("binary", Z[:, :1], B, "ForwardCorrection", transition_matrix=SINGULAR),
    ),
    "a class that never occurs": (
        lambda: EntropyRegularizer("multiclass", prior=[1.0, 1.0, 1.0, 0.0]),
        "a small number",
        lambda: EntropyRegularizer("multiclass", prior=[1.0, 1.0, 1.0, 1e-6])(Z, Y),
    ),
    "from_logits": (
        lambda: FocalLoss("multiclass", from_logits=True),
        "leave it out: the loss takes logits",
        lambda: FocalLoss("multiclass")(Z, Y),
    ),
    "smooth": (
        lambda: DiceLoss("multiclass", smooth=1.0),
        "Dice has eps",
        lambda: DiceLoss("multiclass", eps=1.0)(Z, Y),
    ),
    "log_loss": (
        lambda: DiceLoss("multiclass", log_loss=False),
        "leave it out",
        lambda: DiceLoss("multiclass")(Z, Y),
    ),
    "weight": (
        lambda: CrossEntropyLoss("multiclass", weight=torch.ones(4)),
        "class_weights has one number for each class",
        lambda: CrossEntropyLoss("multiclass", class_weights=torch.ones(4))(Z, Y),
    ),
    "size_average": (
        lambda: build_loss("ANL-CE", mode="multiclass", size_average=False),
        "reduction is 'mean', 'sum' or 'none'",
        lambda: build_loss("ANL-CE", mode="multiclass", reduction="sum")(Z, Y),
    ),
    "label_smoothing": (
        lambda: build_loss("CE", mode="multiclass", label_smoothing=0.1),
        "use the loss LabelSmoothing with t",
        lambda: build_loss("LabelSmoothing", mode="multiclass", t=0.1)(Z, Y),
    ),
    "alpha": (
        lambda: build_loss("FL", mode="binary", alpha=0.25),
        "class_weights=(1 - alpha, alpha) in binary mode",
        lambda: build_loss("FL", mode="binary", class_weights=(0.75, 0.25))(Z[:, :1], B),
    ),
    "a misspelt name": (
        lambda: ActiveNegativeLoss("multiclass", ignore_indx=255),
        "did you mean ignore_index",
        lambda: ActiveNegativeLoss("multiclass", ignore_index=255)(Z, Y),
    ),
}


@pytest.mark.parametrize("error", ADVICE)
def test_an_errors_own_advice_works(error):
    wrong, advice, right = ADVICE[error]
    with pytest.raises((TypeError, ValueError)) as caught:
        wrong()
    assert advice in str(caught.value)
    assert "\n" not in str(caught.value)
    assert right().isfinite().all()


def test_differences_to_other_libraries_are_as_documented():
    """The rows of the table in docs/losses.md that are numbers."""
    ours = FocalLoss("multiclass", gamma=2.0)(Z, Y)
    p = Z.log_softmax(1).gather(1, Y[:, None]).squeeze(1)
    torch.testing.assert_close(ours, (-((1 - p.exp()) ** 2) * p).mean())
    # SMP's is each class against the rest: ours of one-hot labels in multilabel mode.
    one_hot = nn.functional.one_hot(Y, 4).movedim(-1, 1)
    binary = build_loss("FL", mode="multilabel", gamma=2.0)(Z, one_hot)
    torch.testing.assert_close(SmpFocalLoss("multiclass", gamma=2.0)(Z, Y), binary)
    # Two of four classes are absent: SMP's Dice divides by four, ours by two.
    dice = DiceLoss("multiclass", eps=1e-7)(Z, B)
    torch.testing.assert_close(SmpDiceLoss("multiclass")(Z, B), dice / 2)
    # torch's mean of soft labels with class weights divides by the number of pixels.
    weights = torch.tensor([1.0, 2.0, 0.5, 3.0])
    soft = Z.flip(1).softmax(1)
    mass = (soft * weights.view(4, 1, 1)).sum(1).mean()
    ours = CrossEntropyLoss("multiclass", class_weights=weights)(Z, soft)
    torch.testing.assert_close(nn.functional.cross_entropy(Z, soft, weights), ours * mass)


@pytest.mark.parametrize("name", ["ANL-CE", "Dice"])
def test_masks_of_0_and_255_are_noticed_once(name, recwarn):
    """Where 255 is void nothing is left to learn from."""
    loss = build_loss(name, mode="binary", ignore_index=255)
    masks = 255 * B
    for _ in range(20):
        loss(Z[:, :1], masks)
    (told,) = recwarn.list
    assert "if 255 marks the object, give (labels == 255).long()" in str(told.message)
    assert loss(Z[:, :1], (masks == 255).long()) == loss(Z[:, :1], B)


def test_backgrounds_and_void_beside_objects_are_no_cause(recwarn):
    loss = build_loss("CE", mode="multiclass", ignore_index=255)
    void = (255 * B).clone()
    for labels in (Y, void, void, Y * 0):
        for _ in range(10):
            loss(Z, labels)
    assert not recwarn.list
