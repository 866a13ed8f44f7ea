"""Other labels for a data set: corrupted, from a noisy copy, from raters, corrected."""
