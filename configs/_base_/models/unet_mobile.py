"""U-Net on the first stages of MobileNetV3 small, a million random weights: for CPUs."""

from segnoise.models import Segmentor

model = dict(
    type=Segmentor,
    architecture="Unet",
    encoder="timm-mobilenetv3_small_100",
    encoder_weights=None,
    options=dict(encoder_depth=4, decoder_channels=(48, 32, 16, 8)),
    channels_last=True,
)
