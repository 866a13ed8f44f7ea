"""A small U-Net on the first stages of a ResNet-18, from random weights: for CPUs."""

from segnoise.models import Segmentor

model = dict(
    type=Segmentor,
    architecture="Unet",
    encoder="resnet18",
    encoder_weights=None,
    options=dict(encoder_depth=4, decoder_channels=(64, 32, 16, 16)),
    channels_last=True,
)
