"""Recipe: losses and methods by the noise of the training labels; docs/recipes.md."""

recipe = "auto"
