"""Classes of VOC that get confused, such as cat and dog, are so with probability 0.4."""

from segnoise.noise import AsymmetricFlip

noise = dict(type=AsymmetricFlip, transition_matrix=dict(confusions="voc", rate=0.4))
