"""Study, ANL: weights, the ratio of its parts, warm-up and entropy regularisation, three seeds.

`a:b` is ANL-CE's alpha : beta, the weights of NCE and NNCE; 5:5 is the paper's. "w" is with class
weights of 1 / sqrt(pixel count). Cross-entropy and Dice under the same settings are in stage 2; its
scores on validation data compare.
"""

from mmengine.config import read_base

with read_base():
    from ._base_.losses import *
    from ._base_.noises import *

datasets = dict(phantoms="configs/study/_base_/phantoms.py")
noises = dict(
    clean=None,
    swap=dict(per_dataset=dict(phantoms=noises["swap"]["per_dataset"]["phantoms"])),
)
weights = "inverse_sqrt"
prior = [0.786, 0.110, 0.040, 0.058, 0.006]  # shares of the clean labels, seed 0
losses = {
    "5:5": losses["ANL-CE"],
    "5:5 w": losses["ANL-CE w"],
    "5:1 w": [dict(type="ANL-CE", alpha=5.0, beta=1.0, class_weights=weights)],
    "1:5 w": [dict(type="ANL-CE", alpha=1.0, beta=5.0, class_weights=weights)],
    "5:5 w+ER": losses["ANL-CE w+ER"],
    "5:5+ER prior": [dict(type="ANL-CE"), dict(type="ER", weight=2.0, prior=prior)],
    "5:5 w+ER prior": [
        dict(type="ANL-CE", class_weights=weights),
        dict(type="ER", weight=2.0, prior=prior),
    ],
}
del weights, prior
methods = {
    "plain": {},
    "warm-up": dict(methods=[dict(type="WarmUp", start=0.1, end=0.3)]),
}
seeds = [0, 1, 2]
skip = [dict(method="warm-up", loss={"not": ["5:5", "5:5 w"]})]
options = {}
baseline = "5:5"
evaluate = "val"
checkpoints = "delete"
