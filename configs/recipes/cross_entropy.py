"""Recipe for wrong outlines in two classes: cross-entropy."""

recipe = "cross_entropy"
