"""PASCAL VOC 2012: objects in photographs, 20 classes and background."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from segnoise.datasets.base import DATASETS, SegmentationDataset
from segnoise.datasets.files.instances import read_instances
from segnoise.datasets.files.masks import MaskReader
from segnoise.datasets.files.pairing import FileIndex, index_folder, pair_listed, read_split
from segnoise.datasets.files.palettes import voc_palette
from segnoise.datasets.folder import checked_root
from segnoise.datasets.problems import one_problem

CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip
LISTS = "ImageSets/Segmentation"
_AUG_REMEDY = "make it with tools/convert_sbd.py from the SBD download (see data/README.md)"


@DATASETS.register
class PascalVOC(SegmentationDataset):
    """PASCAL VOC 2012 segmentation (Everingham et al., 2015), in its official layout.

    Read are `JPEGImages/*.jpg`, `ImageSets/Segmentation/{split}.txt` and the palette masks of
    `SegmentationClass`, whose index 255 (object borders, difficult objects) is void. The instance
    maps are those of `SegmentationObject`, where they are there.

    The split `trainaug` (10,582 images) joins VOC's train images to those of SBD (Hariharan et
    al., 2011) that are not in VOC's val. Its masks come from `SegmentationClass` where VOC has
    annotated the image itself, since VOC's masks are finer and mark borders as void, and
    otherwise from `SegmentationClassAug`.

    Args:
        root: `VOC2012`, or the `VOCdevkit` above it, or the folder above that.
        split: `"train"` (1,464 images), `"val"` (1,449), `"trainval"` or `"trainaug"`.

    Raises:
        DatasetError: If the layout is not found, or a list, image or mask is missing.
    """

    def __init__(self, root: str | Path = "data/VOCdevkit/VOC2012", split: str = "train") -> None:
        folder = find_voc(root)
        lists = folder / LISTS / f"{split}.txt"
        if not lists.is_file():
            known = ", ".join(sorted(p.stem for p in lists.parent.glob("*.txt")))
            remedy = _AUG_REMEDY if split == "trainaug" else f"choose a split: {known}"
            raise one_problem(lists, f"split list of {split!r} not found", remedy)
        ids = read_split(lists)
        masks = index_folder(folder / "SegmentationClass", ".png")
        if split == "trainaug":
            aug = folder / "SegmentationClassAug"
            if not aug.is_dir():
                raise one_problem(aug, "folder not found", _AUG_REMEDY)
            more = index_folder(aug, ".png")
            masks = FileIndex(aug, ".png", {**more.files, **masks.files})
        files = pair_listed(ids, index_folder(folder / "JPEGImages", ".jpg"), masks, lists)
        instances = folder / "SegmentationObject"
        numbered = index_folder(instances, ".png").files if instances.is_dir() else {}
        super().__init__(
            [sample._replace(instances=numbered.get(sample.sample_id)) for sample in files],
            classes=CLASSES,
            palette=voc_palette(len(CLASSES)),
            read_mask=MaskReader(
                len(CLASSES), remedy="fetch or convert the mask again: VOC has 0..20 and 255 (void)"
            ),
            read_instances=partial(read_instances, void=255),
        )


def find_voc(root: str | Path) -> Path:
    """Return the folder of VOC2012 at or below a root."""
    folder = checked_root(root)
    candidates = [folder, folder / "VOC2012", folder / "VOCdevkit" / "VOC2012"]
    for candidate in candidates:
        if (candidate / "JPEGImages").is_dir():
            return candidate
    looked = ", ".join(str(candidate / "JPEGImages") for candidate in candidates)
    raise one_problem(
        root,
        f"no PASCAL VOC here: looked for {looked}",
        "give the folder VOCdevkit/VOC2012 of the unpacked VOCtrainval_11-May-2012.tar",
    )
