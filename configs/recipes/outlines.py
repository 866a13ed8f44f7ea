"""Recipe for wrong outlines in two classes: an active and a passive loss, NCE + RCE."""

recipe = "outlines"
