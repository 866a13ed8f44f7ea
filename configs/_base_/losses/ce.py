"""Cross-entropy, the classes weighted by 1 / sqrt(pixel count)."""

losses = [dict(type="CE", class_weights="inverse_sqrt")]
