"""Classes of CamVid that get confused are so with probability 0.4.

Pole and sign (2, 6), road and sidewalk (3, 4), building and fence (1, 7), pedestrian and
bicyclist (9, 10).
"""

from segnoise.noise import AsymmetricFlip

noise = dict(
    type=AsymmetricFlip,
    transition_matrix=dict(groups=[[2, 6], [3, 4], [1, 7], [9, 10]], num_classes=11, rate=0.4),
)
