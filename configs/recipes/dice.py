"""Recipe for right labels, wrong pixels, and outlines between many classes: Dice."""

recipe = "dice"
