"""Active Negative Loss on cross-entropy, the classes weighted by 1 / sqrt(pixel count).

Without class weights, bounded losses do not learn rare classes of imbalanced masks.
"""

losses = [dict(type="ANL-CE", alpha=5.0, beta=5.0, class_weights="inverse_sqrt")]
