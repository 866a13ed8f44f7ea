"""Organs that get confused are so with probability 0.4: liver and lesion, kidney and vessel."""

from segnoise.noise import AsymmetricFlip

noise = dict(
    type=AsymmetricFlip,
    transition_matrix=dict(groups=[[1, 4], [2, 3]], num_classes=5, rate=0.4),
)
