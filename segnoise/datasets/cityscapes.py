"""Cityscapes: street scenes of 50 cities, 19 classes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from segnoise.checks import check_choice
from segnoise.datasets.base import DATASETS, SegmentationDataset
from segnoise.datasets.files.instances import read_instances
from segnoise.datasets.files.masks import MaskReader
from segnoise.datasets.files.pairing import index_folder, pair_all
from segnoise.datasets.folder import checked_root
from segnoise.datasets.problems import one_problem
from segnoise.errors import ConfigError

# name -> (labelId, colour); the order is that of the training ids
CLASSES = {
    "road": (7, (128, 64, 128)),
    "sidewalk": (8, (244, 35, 232)),
    "building": (11, (70, 70, 70)),
    "wall": (12, (102, 102, 156)),
    "fence": (13, (190, 153, 153)),
    "pole": (17, (153, 153, 153)),
    "traffic light": (19, (250, 170, 30)),
    "traffic sign": (20, (220, 220, 0)),
    "vegetation": (21, (107, 142, 35)),
    "terrain": (22, (152, 251, 152)),
    "sky": (23, (70, 130, 180)),
    "person": (24, (220, 20, 60)),
    "rider": (25, (255, 0, 0)),
    "car": (26, (0, 0, 142)),
    "truck": (27, (0, 0, 70)),
    "bus": (28, (0, 60, 100)),
    "train": (31, (0, 80, 100)),
    "motorcycle": (32, (0, 0, 230)),
    "bicycle": (33, (119, 11, 32)),
}
VOID = 255
# labelId -> training id: 0..33 are defined, those that are no class are void.
LABEL_IDS = {**dict.fromkeys(range(34), VOID), VOID: VOID}
LABEL_IDS.update({label_id: index for index, (label_id, _) in enumerate(CLASSES.values())})
# instanceIds: smaller numbers are label ids, of stuff and of groups whose members are not told
# apart; the others label id * 1000 + the object's number.
FIRST_INSTANCE = 1000


@DATASETS.register
class Cityscapes(SegmentationDataset):
    """Cityscapes (Cordts et al., 2016), fine annotations, in its official layout.

    Read are `leftImg8bit/{split}/{city}/*_leftImg8bit.png` and
    `gtFine/{split}/{city}/*_gtFine_labelIds.png`, whose ids are mapped to the 19 training ids
    while loading: no conversion step. Sample ids are `aachen/aachen_000000_000019`. The instance
    maps are `*_gtFine_instanceIds.png`, where they are there; stuff and groups have no instances.

    Args:
        root: The folder that holds `leftImg8bit` and `gtFine`.
        split: `"train"` (2,975 images) or `"val"` (500). The labels of `test` are not public.
        labels: `"labelIds"`, as downloaded, or `"labelTrainIds"`, as written by
            cityscapesScripts' `createTrainIdLabelImgs` (0..18 and 255).

    Raises:
        ConfigError: If `split` or `labels` is none of these.
        DatasetError: If a folder, image or mask is missing.
    """

    def __init__(
        self,
        root: str | Path = "data/cityscapes",
        split: str = "train",
        labels: str = "labelIds",
    ) -> None:
        if split == "test":
            raise ConfigError(
                "Cityscapes publishes no labels for split 'test' (its masks are dummies): use "
                "'val', or predict and submit to the benchmark's server"
            )
        check_choice("split", split, ("train", "val"))
        check_choice("labels", labels, ("labelIds", "labelTrainIds"))
        folder = checked_root(root)
        for part in ("leftImg8bit", "gtFine"):
            if not (folder / part / split).is_dir():
                raise one_problem(
                    folder / part / split,
                    "folder not found",
                    "unpack leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip into root",
                )
        images = index_folder(folder / "leftImg8bit" / split, "_leftImg8bit.png")
        masks = index_folder(folder / "gtFine" / split, f"_gtFine_{labels}.png")
        if images.files and not masks.files:
            remedy = "unpack gtFine_trainvaltest.zip into root"
            if labels == "labelTrainIds":
                remedy = "use labels='labelIds', which needs no conversion"
            elif index_folder(masks.folder, "_gtFine_labelTrainIds.png").files:
                remedy = "the folder has labelTrainIds instead: use labels='labelTrainIds'"
            raise one_problem(masks.folder, f"holds no *_gtFine_{labels}.png", remedy)
        instances = index_folder(masks.folder, "_gtFine_instanceIds.png").files
        files = pair_all(images, masks)
        super().__init__(
            [sample._replace(instances=instances.get(sample.sample_id)) for sample in files],
            classes=tuple(CLASSES),
            palette=tuple(color for _, color in CLASSES.values()),
            read_mask=MaskReader(
                len(CLASSES),
                value_map=LABEL_IDS if labels == "labelIds" else None,
                remedy=f"fetch the mask again, or check that it holds {labels}",
            ),
            read_instances=partial(read_instances, least=FIRST_INSTANCE),
        )
