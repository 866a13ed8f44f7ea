"""Inference against a network whose right answer is known at every pixel."""

import pytest
import torch
import torch.nn.functional as F

from segnoise.metrics.segmentation import SegmentationMetric
from segnoise.models import Inference
from segnoise.models.inference import Prediction


def pixelwise(image):
    """A network that sees single pixels: windows, flips and padding cannot change its answer."""
    return torch.stack([image[:, 0], image[:, 1] * 2, image[:, 2] - 1], 1)


@pytest.fixture
def image():
    return torch.randn(2, 3, 37, 53, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "inference",
    [
        Inference(),
        Inference(flip=True),
        Inference(mode="slide", crop_size=(16, 24)),
        Inference(mode="slide", crop_size=(16, 24), stride=(5, 24), flip=True),
        Inference(mode="slide", crop_size=(64, 64)),
    ],
)
@pytest.mark.parametrize("size_divisor", [1, 32])
def test_views_of_a_pixelwise_network_agree(image, inference, size_divisor):
    scores = inference.probabilities(pixelwise, image, binary=False, size_divisor=size_divisor)
    torch.testing.assert_close(scores, pixelwise(image).softmax(1))


def test_flip_averages_both_directions(image):
    def position(x):
        columns = torch.linspace(-1, 1, x.shape[-1]).expand(x.shape[0], 1, *x.shape[-2:])
        return torch.cat([columns, -columns], 1)

    scores = Inference(flip=True).probabilities(position, image, binary=False, size_divisor=1)
    straight = position(image).softmax(1)
    torch.testing.assert_close(scores, (straight + straight.flip(-1)) / 2)


def test_binary_reads_one_logit(image):
    scores = Inference().probabilities(lambda x: x[:, :1], image, binary=True, size_divisor=1)
    torch.testing.assert_close(scores, image[:, :1].sigmoid())


def test_scores_come_back_at_the_images_own_size(image):
    seen = []

    def network(x):
        seen.append(tuple(x.shape[-2:]))
        return pixelwise(x)

    inference = Inference(size=(20, 30), scales=(1.0, 0.5))
    scores = inference.probabilities(network, image, binary=False, size_divisor=8)
    assert scores.shape == (2, 3, 37, 53)
    assert seen == [(24, 32), (16, 16)]


@pytest.mark.parametrize(("height", "width"), [(5, 5), (16, 24), (17, 24), (100, 31)])
def test_windows_cover_every_pixel_and_stay_inside(height, width):
    inference = Inference(mode="slide", crop_size=(16, 24), stride=(7, 24))
    covered = torch.zeros(height, width)
    for top, left in inference.windows(height, width):
        assert 0 <= top <= max(height - 16, 0)
        assert 0 <= left <= max(width - 24, 0)
        covered[top : top + 16, left : left + 24] += 1
    assert covered.min() >= 1


def test_padding_is_zero_at_the_bottom_right(image):
    def network(x):
        torch.testing.assert_close(x, F.pad(image, (0, 11, 0, 27)))
        return pixelwise(x)

    Inference().probabilities(network, image, binary=False, size_divisor=64)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_counting_probabilities_is_counting_their_class_ids(channels):
    """Tenths have ties, and halves: the first of equals counts, and 0.5 is not above 0.5."""
    random = torch.Generator().manual_seed(0)
    p = torch.randint(11, (2, channels, 23, 19), generator=random) / 10
    classes = max(2, channels)
    mask = torch.randint(classes, (2, 23, 19), generator=random)
    mask[:, :2] = 255
    ids = (p[:, 0] > 0.5).long() if channels == 1 else p.argmax(1)
    predictions = [Prediction(image, None) for image in p]
    assert torch.equal(torch.stack([found["prediction"] for found in predictions]), ids)
    matrices = []
    for samples in (predictions, [{"prediction": labels} for labels in ids]):
        metric = SegmentationMetric(num_classes=classes)
        metric.process({"mask": mask}, samples)
        metric.evaluate(2)
        matrices.append(metric.matrix)
    assert matrices[0].sum() == (mask != 255).sum()
    assert torch.equal(*matrices)


def test_probabilities_of_other_classes_are_not_counted():
    found = Prediction(torch.ones(4, 2, 2), "a")
    with pytest.raises(ValueError, match="probabilities of 4 channels, and 3 classes"):
        SegmentationMetric(num_classes=3).process({"mask": torch.zeros(1, 2, 2).long()}, [found])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"mode": "tiles"}, "'tiles'"),
        ({"mode": "slide"}, "crop_size"),
        ({"mode": "slide", "crop_size": (8, 8), "stride": (9, 8)}, "gaps"),
        ({"scales": (0,)}, "above 0"),
        ({"size": (0, 5)}, "size"),
        ({"size": (1, 2, 3)}, "size"),
    ],
)
def test_bad_arguments(arguments, words):
    with pytest.raises(ValueError, match=words):
        Inference(**arguments)
