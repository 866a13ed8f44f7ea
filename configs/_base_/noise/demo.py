"""What the demonstration's annotators do: erode objects by a pixel and confuse organs."""

from segnoise.noise import AsymmetricFlip, BoundaryErosion, Compose

noise = dict(
    type=Compose,
    noises=[
        dict(type=BoundaryErosion, width=1, fill=0),
        dict(
            type=AsymmetricFlip,
            transition_matrix=dict(groups=[[1, 4], [2, 3]], num_classes=5, rate=0.4),
        ),
    ],
)
