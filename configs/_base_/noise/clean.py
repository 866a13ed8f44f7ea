"""Labels as they are."""

noise = None
