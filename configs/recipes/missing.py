"""Recipe for objects that have no label: weighted GCE + Dice."""

recipe = "missing"
