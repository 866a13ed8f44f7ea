"""Study, CamVid: 11 classes of street scenes, clean and with swapped objects, scored on test data.

Three seeds; nothing was chosen here. No class is background: the teacher of objects may judge them
all.
"""

from mmengine.config import read_base

with read_base():
    from ._base_.losses import *
    from ._base_.noises import *

datasets = dict(camvid="configs/study/_base_/camvid.py")
noises = dict(
    clean=None,
    swap=dict(per_dataset=dict(camvid=noises["swap"]["per_dataset"]["camvid"])),
)
losses = {name: losses[name] for name in ("CE", "CE w", "Dice", "GCE w")}
methods = {
    "plain": {},
    "object teacher": dict(methods=[dict(type="ObjectTeacher", mirror=True)]),
}
seeds = [0, 1, 2]
skip = [dict(method="object teacher", loss={"not": ["Dice"]})]
options = {}
baseline = "CE"
evaluate = "test"
checkpoints = "delete"
