"""Study, stage 1: every loss on two data sets, clean and under two noises, one seed.

An organ or an object of the street takes another class (`swap`), or is drawn too large
(`boundary`): on both data sets these cost cross-entropy most.
"""

from mmengine.config import read_base

with read_base():
    from ._base_.losses import *
    from ._base_.noises import *

datasets = dict(
    phantoms="configs/study/_base_/phantoms.py", camvid="configs/study/_base_/camvid.py"
)
noises = dict(
    clean=None,
    **{
        name: dict(per_dataset={data: noises[name]["per_dataset"][data] for data in datasets})
        for name in ("swap", "boundary")
    },
)
methods = dict(plain={})
seeds = [0]
options = {}
baseline = "CE"
evaluate = "val"  # choices are made here; the test split is for the end
checkpoints = "delete"
