"""The confusion matrix of scores equals argmax and counting, however the scores lie in memory."""

import pytest
import torch

from segnoise.metrics import (
    confusion_matrix,
    confusion_matrix_from_scores,
    greatest_class,
    iou_per_class,
)
from segnoise.metrics.memorisation import memorisation_counts


def case(classes, shape=(2, 19, 23), dtype=torch.float32, labels=torch.int64):
    random = torch.Generator().manual_seed(classes)
    scores = torch.randn(shape[0], classes, *shape[1:], generator=random).to(dtype)
    target = torch.randint(max(classes, 2), shape, generator=random).to(labels)
    target[:, :2] = 255
    return scores, target


@pytest.mark.parametrize("classes", [2, 5, 21, 300])
def test_equals_argmax_and_counting(classes):
    """In half precision many scores are equal: the first of them counts."""
    for dtype in [torch.float64, torch.float32, torch.float16, torch.bfloat16]:
        scores, target = case(classes, dtype=dtype)
        scores = scores.round() if classes < 10 else scores
        expected = confusion_matrix(scores.argmax(1), target, classes)
        assert expected.sum() == (target != 255).sum()
        for layout in (
            scores,
            scores.to(memory_format=torch.channels_last),
            scores.mT.contiguous().mT,
        ):
            assert confusion_matrix_from_scores(layout, target).equal(expected)
            assert greatest_class(layout).equal(scores.argmax(1))


@pytest.mark.parametrize(("classes", "shape"), [(21, (1, 160, 170)), (2, (2, 300, 310))])
def test_large_images_are_cut_into_blocks(monkeypatch, classes, shape):
    """Of scores, 2^18 a block, and of labels, 2^16."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    scores, target = case(classes, shape=shape, labels=torch.uint8)
    expected = confusion_matrix(scores.argmax(1), target, classes)
    assert confusion_matrix_from_scores(scores, target).equal(expected)
    assert greatest_class(scores).equal(scores.argmax(1))


@pytest.mark.parametrize("labels", [torch.uint8, torch.int32])
def test_one_score_is_of_the_second_class(labels):
    scores, target = case(1, labels=labels)
    expected = confusion_matrix((scores[:, 0] > 0).long(), target, 2)
    assert confusion_matrix_from_scores(scores, target).equal(expected)


@pytest.mark.parametrize("channels", [1, 4])
def test_not_a_number_is_no_score(channels):
    """Of a network of NaN argmax makes one class, which is right wherever that is frequent."""
    scores, target = case(channels)
    scores[0, -1, 0], scores[0, -1, 1] = torch.inf, -torch.inf  # these are greatest and least
    expected = (scores[:, 0] > 0).long() if channels == 1 else scores.argmax(1)
    matrix = confusion_matrix(expected, target, max(2, channels))
    assert confusion_matrix_from_scores(scores, target).equal(matrix)
    scores[1, -1, 5] = torch.nan
    with pytest.raises(ValueError, match="scores hold NaN, of which no class can be told"):
        confusion_matrix_from_scores(scores, target)


def test_without_void_and_without_pixels():
    scores, target = case(3)
    target[target == 255] = 1
    matrix = confusion_matrix_from_scores(scores, target, ignore_index=None)
    assert matrix.equal(confusion_matrix(scores.argmax(1), target, 3, ignore_index=None))
    nothing = confusion_matrix_from_scores(scores[:0], target[:0])
    assert nothing.tolist() == [[0] * 3] * 3


def test_errors_name_the_value():
    scores, target = case(4)
    with pytest.raises(ValueError, match=r"class id 7, outside \[0, 4\)"):
        confusion_matrix_from_scores(scores, torch.full_like(target, 7))
    with pytest.raises(ValueError, match=r"class id 255, outside \[0, 4\)"):
        confusion_matrix_from_scores(scores, target, ignore_index=None)
    with pytest.raises(ValueError, match="do not fit"):
        confusion_matrix_from_scores(scores, target[:, 1:])
    with pytest.raises(TypeError, match="scores must be floats"):
        confusion_matrix_from_scores(target, target)
    with pytest.raises(TypeError, match="integer class ids"):
        confusion_matrix_from_scores(scores, target.float())


def test_one_channel_of_probabilities_is_not_cut_at_zero():
    scores, target = case(1)
    p = scores.sigmoid()
    expected = confusion_matrix_from_scores(scores, target)
    with pytest.raises(ValueError, match=r"lie in 0..1 .*threshold=0.5 for probabilities, thres"):
        confusion_matrix_from_scores(p, target)
    assert confusion_matrix_from_scores(p, target, threshold=0.5).equal(expected)
    above = confusion_matrix((p[:, 0] > 0.7).long(), target, 2)
    assert confusion_matrix_from_scores(p, target, threshold=0.7).equal(above)
    logits = 0.1 + 0.8 * p  # a network that is sure of the second class everywhere
    everywhere = confusion_matrix_from_scores(logits, target, threshold=0)
    assert everywhere[:, 0].tolist() == [0, 0]
    assert confusion_matrix_from_scores(p[:0], target[:0]).tolist() == [[0, 0], [0, 0]]


def test_several_channels_have_no_threshold():
    scores, target = case(4)
    with pytest.raises(ValueError, match=r"leave threshold=0.5 out"):
        confusion_matrix_from_scores(scores, target, threshold=0.5)
    with pytest.raises(ValueError, match=r"scores > 0.5 for probabilities"):
        greatest_class(scores[:, :1])


def test_arrays_and_lists_get_an_error_whose_advice_works():
    scores, target = case(4)
    guess = scores.argmax(1)
    expected = confusion_matrix(guess, target, 4)
    arrays = (scores.numpy(), target.numpy(), guess.numpy())
    lists = (scores.tolist(), target.tolist(), guess.tolist())
    for z, y, g in (arrays, lists):
        for call in (
            lambda z=z, y=y: confusion_matrix_from_scores(z, y),
            lambda y=y: confusion_matrix_from_scores(scores, y),
            lambda g=g, y=y: confusion_matrix(g, y, 4),
            lambda y=y: confusion_matrix(guess, y, 4),
            lambda z=z: greatest_class(z),
            lambda y=y: memorisation_counts(y, y, y, 4),
            lambda y=y: iou_per_class(y),
        ):
            with pytest.raises(TypeError, match=r"must be a tensor, got .*: give torch.as_tensor"):
                call()
        assert confusion_matrix(torch.as_tensor(g), torch.as_tensor(y), 4).equal(expected)
