"""Recipe for objects of a wrong class or without a label, or nobody knows: Dice, ObjectTeacher."""

recipe = "robust"
