"""Every object of VOC loses a band of 3 pixels to the background.

A void rim of about 5 pixels surrounds VOC's objects, so there is no neighbour to lose it to.
"""

from segnoise.noise import BoundaryErosion

noise = dict(type=BoundaryErosion, width=3, fill=0)
