"""U-Net with a ResNet-34 encoder."""

from segnoise.models import Segmentor

model = dict(type=Segmentor, architecture="Unet", encoder="resnet34", encoder_weights="imagenet")
