"""Classes of Cityscapes that get confused, such as wall and fence, are so with probability 0.4."""

from segnoise.noise import AsymmetricFlip

noise = dict(type=AsymmetricFlip, transition_matrix=dict(confusions="cityscapes", rate=0.4))
