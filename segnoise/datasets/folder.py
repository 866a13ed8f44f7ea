"""A team's own data: a folder of images and a folder of masks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from segnoise.datasets.base import (
    DATASETS,
    SampleFiles,
    SegmentationDataset,
    checked_classes,
    checked_palette,
)
from segnoise.datasets.files.class_files import read_classes
from segnoise.datasets.files.masks import MaskReader, ValueMap, parse_colors
from segnoise.datasets.files.pairing import (
    checked_folder,
    index_folder,
    pair_all,
    pair_listed,
    read_split,
)
from segnoise.datasets.files.palettes import Color, Palette, default_palette
from segnoise.datasets.problems import DatasetError, Problem, one_problem
from segnoise.errors import ConfigError
from segnoise.files import user_path

SPLIT_DIRS = (".", "splits", "ImageSets/Segmentation")


@DATASETS.register
class FolderDataset(SegmentationDataset):
    """Images and masks in two folders, matched by name.

    A sample's id is its image's path below the image folder without the suffix; its mask has the
    same id in the mask folder. The expected tree, every name of which can be changed:

        root/images/**/x.png    root/masks/**/x.png    root/classes.txt    root/train.txt

    Args:
        root: The data set's folder; all other paths are below it, or absolute.
        split: A name, such as `"train"`, whose list `train.txt` is looked for in the root,
            `splits/` and `ImageSets/Segmentation/` (or in `split_dir`); or the path of a list
            that ends in `.txt`. A list has one sample id a line, with or without the image's
            suffix. None takes all files. Where the folder names hold `"{split}"`
            (`"images/{split}"`), the name fills it in and all files of those folders are taken.
        image_dir: Folder of the images, searched with its subfolders.
        mask_dir: Folder of the masks; may be the image folder itself if the suffixes differ.
        image_suffix: End of the image names, such as `".jpg"` or `"_rgb.png"`; None takes
            any image file.
        mask_suffix: The same for masks, such as `"_mask.png"`.
        instance_dir: Folder of instance maps, which some noise models need: images with the ids
            of the masks whose numbers, 1 and above, tell objects apart; None for no such maps.
        instance_suffix: The same as `mask_suffix` for them.
        split_dir: Folder of the split lists.
        classes: Class names, or a file of them (default `classes.txt`): one a line, where
            wanted with its colour, as in `road 128 64 128`.
        palette: Colours of the classes; default those of the class file, else bright distinct
            ones.
        mask_format: `"ids"`, `"palette"` or `"rgb"`, see `MaskReader`.
        value_map: File value -> class id, complete; `{0: 0, 255: 1}` for black-and-white masks.
        color_table: Colour -> class id, for `mask_format="rgb"`; keys are (r, g, b) or
            "#rrggbb". By default each class has its palette colour.
        ignore_index: The label of void; also what 255 in a mask means by default.
        image_range: Values that become black and white, see `read_image`.
        bands: Numbers of the bands that make the image, from 1, in the order wanted, such as
            `[4, 3, 2]`; pictures show the first three. None reads 8-bit RGB.
        dtype: "uint8", "uint16", "int16" or "float32": what the bands' numbers are. They are never
            changed, unless `image_range` maps them to bytes; see `read_bands`.

    Raises:
        ConfigError: If an argument has no meaning.
        DatasetError: If a folder, list, image or mask is missing or empty; it holds all problems.
    """

    def __init__(
        self,
        root: str | Path,
        split: str | Path | None = None,
        *,
        image_dir: str | Path = "images",
        mask_dir: str | Path = "masks",
        image_suffix: str | None = None,
        mask_suffix: str | None = None,
        instance_dir: str | Path | None = None,
        instance_suffix: str | None = None,
        split_dir: str | Path | None = None,
        classes: Sequence[str] | str | Path | None = None,
        palette: Sequence[Sequence[int]] | None = None,
        mask_format: str = "ids",
        value_map: ValueMap | None = None,
        color_table: Mapping[Color | str, int] | None = None,
        ignore_index: int = 255,
        image_range: tuple[float, float] | None = None,
        bands: Sequence[int] | None = None,
        dtype: str = "uint8",
    ) -> None:
        root = checked_root(root)
        names, colors = class_names(root, classes)
        if palette is None:
            palette = colors or default_palette(len(names))
        shown = checked_palette(palette, len(names))
        if instance_suffix is not None and instance_dir is None:
            raise ConfigError(
                f"instance_suffix={instance_suffix!r} is of the files in instance_dir, which is "
                "not given: give both, or none"
            )
        files = _find(root, split, image_dir, mask_dir, image_suffix, mask_suffix, split_dir)
        if instance_dir is not None:
            folder = root / user_path(str(instance_dir).replace("{split}", str(split)))
            maps = index_folder(folder, instance_suffix)
            if missing := [name for name, *_ in files if name not in maps.files]:
                lacks = [
                    Problem(maps.expected(n), "instance map missing", "add it") for n in missing
                ]
                raise DatasetError(lacks, str(folder))
            files = [sample._replace(instances=maps.files[sample.sample_id]) for sample in files]
        reader = MaskReader(
            len(names),
            mask_format=mask_format,
            value_map=value_map,
            colors=parse_colors(color_table, shown)
            if mask_format == "rgb" or color_table is not None
            else None,
            ignore_index=ignore_index,
        )
        super().__init__(
            files,
            classes=names,
            palette=shown,
            read_mask=reader,
            image_range=image_range,
            bands=bands,
            dtype=dtype,
            ignore_index=ignore_index,
        )


def checked_root(root: str | Path) -> Path:
    """Return the root as an existing folder."""
    return checked_folder(
        user_path(root), "give the data set's folder as root (see data/README.md)"
    )


def _find(
    root: Path,
    split: str | Path | None,
    image_dir: str | Path,
    mask_dir: str | Path,
    image_suffix: str | None,
    mask_suffix: str | None,
    split_dir: str | Path | None,
) -> list[SampleFiles]:
    in_folders = "{split}" in f"{image_dir}{mask_dir}"
    if split_dir is not None and (split is None or in_folders):
        why = "the splits are folders" if in_folders else "no split is given"
        raise ConfigError(f"split_dir={str(split_dir)!r} has the lists of splits, but {why}")
    if in_folders:
        image_dir = str(image_dir).replace("{split}", str(split))
        mask_dir = str(mask_dir).replace("{split}", str(split))
    image_folder, mask_folder = root / user_path(image_dir), root / user_path(mask_dir)
    # Beside each other in one folder, x_mask.png would also be taken for an image.
    exclude = mask_suffix if image_folder == mask_folder else None
    listed = None if split is None or in_folders else split_list(root, split, split_dir)
    ids = None if listed is None else read_split(listed)
    images = index_folder(image_folder, image_suffix, exclude)
    masks = index_folder(mask_folder, mask_suffix)
    if ids is None or listed is None:
        return pair_all(images, masks)
    return pair_listed(ids, images, masks, listed)


def split_list(root: Path, split: str | Path, split_dir: str | Path | None) -> Path:
    """Return the file of a split's list; see `FolderDataset`."""
    if str(split).endswith(".txt"):
        return root / user_path(split)
    tried = [
        root / folder / f"{split}.txt" for folder in ([split_dir] if split_dir else SPLIT_DIRS)
    ]
    for path in tried:
        if os.path.exists(path):
            return path
    available = sorted({p.stem for path in tried for p in path.parent.glob("*.txt")} - {"classes"})
    raise one_problem(
        tried[-1] if split_dir else root,
        f"no list for split {split!r}: looked for {', '.join(map(str, tried))}",
        f"write one sample id a line into one of them"
        f"{', or choose one of ' + ', '.join(available) if available else ''}",
    )


def class_names(
    root: Path, classes: Sequence[str] | str | Path | None
) -> tuple[Sequence[str], Palette | None]:
    """Return class names, and their colours where a file has them; see `FolderDataset`."""
    if classes is None or isinstance(classes, (str, Path)):
        return read_classes(root / user_path(classes or "classes.txt"))
    return checked_classes(classes), None
