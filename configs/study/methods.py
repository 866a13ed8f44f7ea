"""Study, methods beyond losses at their defaults, on phantoms, three seeds, validation data.

The noise rate that some ask for is the true one, which a user would have to estimate. The plain
cells are in stage 2 too.
"""

from mmengine.config import read_base

with read_base():
    from ._base_.losses import *
    from ._base_.noises import *

datasets = dict(phantoms="configs/study/_base_/phantoms.py")
noises = {
    name: dict(per_dataset=dict(phantoms=noises[name]["per_dataset"]["phantoms"]))
    for name in ("swap", "omission")
}
losses = {"CE": losses["CE"], "Dice": losses["Dice"], "ELR": [dict(type="ELR")]}
rate = 0.08  # the share of wrong pixels under swap
methods = {
    "plain": {},
    "WarmUp": dict(methods=[dict(type="WarmUp")]),
    "ClassBalanced": dict(methods=[dict(type="ClassBalanced")]),
    "ObjectBalanced": dict(methods=[dict(type="ObjectBalanced")]),
    "SmallLoss": dict(methods=[dict(type="SmallLoss", noise_rate=rate)]),
    "SmallLoss, class": dict(methods=[dict(type="SmallLoss", noise_rate=rate, group="class")]),
    "CoTeaching": dict(methods=[dict(type="CoTeaching", noise_rate=rate)]),
    "MeanTeacher": dict(methods=[dict(type="MeanTeacher")]),
    "ADELE": dict(methods=[dict(type="ADELE")]),
    "Abstention": dict(methods=[dict(type="Abstention", noise_rate=rate)]),
    "MissingObjects": dict(methods=[dict(type="MissingObjects", object_wise=True)]),
}
del rate
seeds = [0, 1, 2]
skip = [
    dict(loss="ELR", method={"not": ["plain"]}),
    # With Dice a selection, to keep the grid small.
    dict(
        loss="Dice",
        method=["ClassBalanced", "ObjectBalanced", "SmallLoss", "CoTeaching", "Abstention"],
    ),
    dict(loss="CE", method="WarmUp"),  # it begins with CE anyhow
    dict(noise="swap", method="MissingObjects"),
    dict(noise="omission", method={"not": ["plain", "MissingObjects"]}),
    dict(noise="omission", loss="ELR"),
]
options = {}
baseline = "CE"
evaluate = "val"
checkpoints = "delete"
