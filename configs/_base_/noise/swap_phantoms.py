"""Of the organs 37.5 % carry the name of another organ."""

from segnoise.noise import RegionSwap

noise = dict(type=RegionSwap, rate=0.375, classes=[1, 2, 3, 4])
