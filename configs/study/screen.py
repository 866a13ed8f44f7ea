"""Study, stage 1: every loss on phantoms, clean and under two noises, and on nuclei; one seed.

Objects are drawn too large (`boundary`), or are of another class (`objects`), which with two
classes means that they are missing. CamVid is left out: so short a training does not learn its rare
classes, and the noise cost cross-entropy no more than seeds may differ by.
"""

from mmengine.config import read_base

with read_base():
    from ._base_.losses import *
    from ._base_.noises import *

datasets = dict(
    phantoms="configs/study/_base_/phantoms.py", nuclei="configs/study/_base_/nuclei.py"
)
noises = dict(
    clean=None,
    boundary=dict(per_dataset={data: noises["boundary"]["per_dataset"][data] for data in datasets}),
    objects=dict(
        per_dataset=dict(
            phantoms=noises["swap"]["per_dataset"]["phantoms"],
            nuclei=noises["omission"]["per_dataset"]["nuclei"],
        )
    ),
)
methods = dict(plain={})
seeds = [0]
skip = [dict(dataset="nuclei", noise=["clean", "boundary"])]  # stage 2 has them, for fewer losses
options = {}
baseline = "CE"
evaluate = "val"  # choices are made here; the test split is for the end
checkpoints = "delete"
