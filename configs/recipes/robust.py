"""Recipe for objects of a wrong class, or nobody knows what: Dice, a teacher of objects."""

recipe = "robust"
