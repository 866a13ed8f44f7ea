"""Recipe for wrong classes or outlines, or nobody knows what: Dice, a teacher of objects."""

recipe = "robust"
