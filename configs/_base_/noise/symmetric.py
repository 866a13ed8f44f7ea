"""Every pixel takes another class, drawn uniformly, with probability 0.4."""

from segnoise.noise import SymmetricFlip

noise = dict(type=SymmetricFlip, rate=0.4)
