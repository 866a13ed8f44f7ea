"""Two losses, and EMA, under two noises on phantoms, two seeds: some ten minutes on two CPU cores.

It shows what a benchmark does; so short a training says little about the losses.
"""

datasets = dict(phantoms="configs/phantoms/unet_r18_phantoms_200.py")
noises = dict(
    clean=None,
    confusion=dict(
        type="AsymmetricFlip",
        transition_matrix=dict(groups=[[1, 4], [2, 3]], num_classes=5, rate=0.4),
    ),
    # Equal doses can be compared: 5 % of the pixels, found by calibration.
    erosion=dict(dose=0.05, noise=dict(type="BoundaryErosion", width=2, fill=0)),
)
losses = {
    "CE": [dict(type="CE")],
    "ANL-CE": [dict(type="ANL-CE", class_weights="inverse_sqrt")],
}
methods = {"plain": {}, "EMA": {"ema": dict(momentum=0.05, update_buffers=True)}}
seeds = [0, 1]
options = {
    "train_data.num_images": 64,
    "train_data.size": 64,
    "val_data.size": 64,
    "train_cfg.max_iters": 120,
    "train_cfg.val_interval": 20,
    "log_interval": 20,
    "num_pictures": 0,
}
# Clean labels are the measure of the damage, for which the baseline is enough.
skip = [
    dict(noise="clean", loss={"not": ["CE"]}),
    dict(noise="clean", method="EMA"),
    dict(loss="ANL-CE", method="EMA"),
]
checkpoints = "delete"  # 14 times 170 MB
