"""Study, stage 2: stage 1's best losses and four baselines, all data and noises, three seeds.

Add the losses that stage 1 finds best to `chosen`.
"""

from mmengine.config import read_base

with read_base():
    from ._base_.losses import *
    from ._base_.noises import *

datasets = dict(
    phantoms="configs/study/_base_/phantoms.py",
    camvid="configs/study/_base_/camvid.py",
    nuclei="configs/study/_base_/nuclei.py",
    cells="configs/study/_base_/cells.py",
)
chosen = ["CE", "CE w", "Dice", "ANL-CE"]
losses = {name: losses[name] for name in chosen}
del chosen
methods = dict(plain={})
seeds = [0, 1, 2]
options = {}
baseline = "CE"
evaluate = "val"  # choices are made here; the test split is for the end
checkpoints = "delete"
