"""Turn SBD's .mat files into PASCAL VOC's SegmentationClassAug and trainaug.txt.

The list is (SBD train and val, and VOC train) without VOC val, sorted: 10,582 images with the
full downloads. Masks of images that VOC has annotated itself are VOC's own, since they are finer
and mark borders as void; all others are SBD's. Masks that exist already are kept, so an
interrupted run goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from segnoise.datasets.files.images import image_size
from segnoise.datasets.files.masks import MaskReader
from segnoise.datasets.files.pairing import read_split
from segnoise.datasets.files.palettes import palette_image, voc_palette
from segnoise.datasets.problems import DatasetError, Problem, one_problem
from segnoise.datasets.voc import CLASSES, LISTS, find_voc
from segnoise.engine import cli
from segnoise.errors import ConfigError
from segnoise.files import replacing, write_text
from segnoise.lock import locked
from segnoise.parallel import chunks_of, map_chunks, progress_bar

FULL = 10_582
PALETTE = voc_palette(256)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; return the exit code."""
    parser = cli.parser(__doc__ or "")
    parser.add_argument("sbd", type=cli.path, help="benchmark_RELEASE, unpacked from benchmark.tgz")
    parser.add_argument("voc", type=cli.path, help="VOCdevkit/VOC2012, where the results go")
    parser.add_argument("--overwrite", action="store_true", help="replace masks and list")
    cli.add_workers(parser)
    args = parser.parse_args(argv)
    return cli.run_tool(
        lambda: convert(find_sbd(args.sbd), find_voc(args.voc), args.overwrite, args.workers)
    )


def convert(sbd: Path, voc: Path, overwrite: bool, workers: int) -> None:
    """Write the masks, then, once all are there, the list."""
    try:
        import scipy.io  # noqa: F401
    except ImportError:
        raise ConfigError("SciPy reads SBD's .mat files: pip install 'segnoise[sbd]'") from None
    lists = voc / LISTS
    train, val = read_split(lists / "train.txt"), read_split(lists / "val.txt")
    sbd_ids = read_split(sbd / "train.txt") + read_split(sbd / "val.txt")
    ids = sorted({*sbd_ids, *train} - set(val))
    target, text = lists / "trainaug.txt", "\n".join(ids) + "\n"
    if target.is_file() and target.read_text(encoding="utf-8") != text and not overwrite:
        raise one_problem(target, "exists with other ids", "give --overwrite to replace it")
    own = set(train)
    sources = [
        voc / "SegmentationClass" / f"{i}.png" if i in own else sbd / "cls" / f"{i}.mat"
        for i in ids
    ]
    folder = voc / "SegmentationClassAug"
    folder.mkdir(exist_ok=True)
    if folder.resolve() == (voc / "SegmentationClass").resolve():
        what = "is a link to VOC's own masks, which would be replaced"
        raise one_problem(folder, what, "remove the link")
    problems: list[Problem] = []
    chunks = chunks_of(range(len(ids)), 16)
    with locked(folder), progress_bar(len(ids), "converting", "mask") as bar:
        for found in map_chunks(convert_some, (sources, voc, overwrite), chunks, workers):
            problems += filter(None, found)
            bar.update(len(found))
    if problems:
        raise DatasetError(problems, f"{target} not written")
    write_text(target, text)
    print(f"{target}: {len(ids):,} images ({FULL:,} with the full downloads)")


def convert_some(
    shared: tuple[list[Path], Path, bool], chunk: Sequence[int]
) -> list[Problem | None]:
    """Convert the masks of a chunk, see `convert_mask`."""
    sources, voc, overwrite = shared
    return [convert_mask(sources[index], voc, overwrite) for index in chunk]


def convert_mask(source: Path, voc: Path, overwrite: bool) -> Problem | None:
    """Write one palette mask; return what is wrong, if anything is."""
    target = voc / "SegmentationClassAug" / f"{source.stem}.png"
    if target.is_file() and not overwrite:
        return None
    try:
        mask = read_mat(source) if source.suffix == ".mat" else MaskReader(len(CLASSES))(source)
        size = image_size(voc / "JPEGImages" / f"{source.stem}.jpg")
        if mask.shape != size:
            what = f"mask has shape {mask.shape}, its image {size}"
            return Problem(str(source), what, "unpack both downloads again")
        with replacing(target) as temporary:
            palette_image(mask, PALETTE).save(temporary, format="PNG")
    except DatasetError as error:
        return error.problems[0]
    except OSError as error:
        return Problem(str(target), f"cannot be written: {error}", "free some space")
    return None


def read_mat(path: Path) -> np.ndarray:
    """Return the class ids in one of SBD's cls/*.mat, (H, W) uint8."""
    from scipy.io import loadmat

    remedy = "unpack benchmark.tgz again"
    if not path.is_file():
        raise one_problem(path, "file not found", remedy)
    try:
        content = loadmat(path, squeeze_me=True, struct_as_record=False)
        mask = np.asarray(content["GTcls"].Segmentation)
    except Exception as error:  # SciPy raises whatever the damage leads it to
        raise one_problem(path, f"no SBD class file: {error!r}", remedy) from None
    if mask.ndim != 2 or not ((mask >= 0) & (mask < len(CLASSES))).all():
        raise one_problem(path, f"no (H, W) map of labels 0..{len(CLASSES) - 1}", remedy)
    return mask.astype(np.uint8)


def find_sbd(root: Path) -> Path:
    """Return the folder that holds cls, train.txt and val.txt, at or below a root."""
    candidates = [root, root / "dataset", root / "benchmark_RELEASE" / "dataset"]
    for candidate in candidates:
        if (candidate / "cls").is_dir():
            return candidate
    looked = ", ".join(str(candidate / "cls") for candidate in candidates)
    raise one_problem(
        root, f"no SBD here: looked for {looked}", "give its benchmark_RELEASE folder"
    )


if __name__ == "__main__":
    raise SystemExit(main())
