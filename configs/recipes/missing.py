"""Recipe for objects of one class that have no label: weighted GCE + Dice."""

recipe = "missing"
