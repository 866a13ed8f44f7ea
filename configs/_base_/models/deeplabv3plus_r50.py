"""DeepLabV3+ with a ResNet-50 encoder."""

from segnoise.models import Segmentor

model = dict(
    type=Segmentor, architecture="DeepLabV3Plus", encoder="resnet50", encoder_weights="imagenet"
)
