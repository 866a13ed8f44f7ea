"""Every object loses a band of 3 pixels to its neighbours."""

from segnoise.noise import BoundaryErosion

noise = dict(type=BoundaryErosion, width=3, fill="neighbor")
