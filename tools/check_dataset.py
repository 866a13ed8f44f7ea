"""Open every image and mask of a config's data sets before hours of training.

Lists what is wrong with path and remedy, prints the class histogram, and draws a contact sheet.
Exit code 0: training may start. Exit code 2: it may not.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segnoise.engine import cli

if TYPE_CHECKING:
    from segnoise.datasets.problems import Problem

EXAMPLES = """
examples:
  tools/check_dataset.py configs/voc/unet_r34_voc12aug_20k.py
  tools/check_dataset.py CONFIG --splits train --out sheets --cfg-options data_root=/data/mine
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and check."""
    parser = cli.parser(__doc__ or "", epilog=EXAMPLES)
    cli.add_config(parser)
    parser.add_argument(
        "--splits",
        nargs="+",
        choices=("train", "val", "test"),
        help="data sets of the config to check (default: train, and val if there is one)",
    )
    parser.add_argument(
        "--out",
        type=cli.path,
        default=Path("work_dirs/check_dataset"),
        help="folder for the contact sheets and problems.json; they go into a folder of it that is "
        "called as the config (default: work_dirs/check_dataset)",
    )
    parser.add_argument(
        "--images",
        type=cli.integer(1, 1000),
        default=6,
        help="images on a contact sheet (default: 6)",
    )
    parser.add_argument(
        "--max-problems",
        type=cli.integer(0, 10**9),
        default=50,
        help="problems to print (default: 50; all are in problems.json)",
    )
    arguments = parser.parse_args(argv)

    def work() -> None:
        # Imported late, so that --help answers at once.
        from segnoise.engine.config import load_config
        from segnoise.errors import DataError
        from segnoise.files import write_json
        from segnoise.output_folder import claim

        config = load_config(
            arguments.config, cli.options(arguments.cfg_options), arguments.allow_imports
        )
        out = Path(arguments.out) / Path(arguments.config).stem
        n = arguments.images
        splits = arguments.splits or [s for s in ("train", "val") if config[f"{s}_data"]]
        with claim(out, "a check's sheets") as folder:
            named = [s for s in ("train", "val", "test") if config[f"{s}_data"] or s in splits]
            opened = {split: open_split(config, split, out) for split in named}
            compare_classes(opened)
            folder.clear(keep=[f"{s}.png" for s in ("train", "val", "test") if s not in splits])
            folder.expect([*(f"{split}.png" for split in splits), "problems.json", "remarks.json"])
            checks = {s: check(config, s, opened[s], out, n) for s in splits}
            remarks = [remark for found in checks.values() for remark in found.file_remarks]
            remarks += across(checks)
            if remarks:
                write_json(out / "remarks.json", [remark.to_dict() for remark in remarks])
                print(f"\n{len(remarks)} remark(s), noted above, all in {out / 'remarks.json'}")
            problems = [problem for found in checks.values() for problem in found.problems]
            if not problems:
                print("\nno problems: training may start")
                return
            write_json(out / "problems.json", [problem.to_dict() for problem in problems])
        more = len(problems) - arguments.max_problems
        print("\nproblems", *problems[: arguments.max_problems], sep="\n  ")
        if more > 0:
            print(f"  ... and {more} more")
        raise DataError(
            f"{len(problems)} problem(s), all in {out / 'problems.json'}: mend them before training"
        )

    return cli.run_tool(work, go_on=cli.AGAIN)


def open_split(config: dict[str, Any], split: str, out: Path) -> Any:
    """Return the data set of a split, or the error for which there is none."""
    from segnoise.datasets.problems import DatasetError
    from segnoise.engine import data

    try:
        dataset = data.build_dataset(config, f"{split}_data")
    except DatasetError as error:
        return error
    data.keep_apart(out, "--out", dataset)
    return dataset


def compare_classes(opened: Mapping[str, Any]) -> None:
    """Raise ConfigError if labels of the data sets do not mean the same."""
    from segnoise.datasets.base import check_same_classes

    sound = {f"{s}_data": d.metainfo for s, d in opened.items() if not isinstance(d, Exception)}
    for one, other in itertools.combinations(sound, 2):
        check_same_classes(sound[one], sound[other], (one, other))
    if len(sound) < len(opened):
        missing = ", ".join(f"{split}_data" for split in opened if f"{split}_data" not in sound)
        print(f"cannot be opened, and its classes not compared: {missing}")


def across(checks: Mapping[str, Any]) -> list[Problem]:
    """Print and return the remarks on images that are in the training set and in another."""
    from segnoise.inspection.remarks import remarks_across, sentences

    others = [
        sample for split, found in checks.items() if split != "train" for sample in found.seen
    ]
    found = remarks_across(checks["train"].seen, others) if "train" in checks else []
    for words in sentences(found):
        print(f"\nNote: {words}")
    return found


def check(config: dict[str, Any], split: str, opened: Any, out: Path, images: int) -> Any:
    """Check one split: print its histogram, draw its contact sheet, return what was found."""
    import numpy as np

    from segnoise.datasets import DatasetError
    from segnoise.drawing import save_png
    from segnoise.engine import data
    from segnoise.inspection import DatasetCheck, check_dataset, contact_sheet

    print(f"\n{split}")
    if isinstance(opened, DatasetError):
        print("its other files have not been opened: first mend what is listed below")
        none = np.zeros(0, np.int64)
        return DatasetCheck(0, opened.problems, none, none, 0)
    dataset = opened
    if hasattr(dataset, "describe"):  # of scenes or volumes
        print(dataset.describe() + "\n")
    if "image" in dataset.metainfo:
        _print_bands(dataset)
    if split == "train":
        dataset = data.with_noise(dataset, config)
    found = check_dataset(dataset, workers=config["num_workers"], progress=f"checking {split}")
    classes = dataset.metainfo["classes"]
    print(found.table(classes))
    if found.noise is not None:
        print("\nrealised noise\n" + found.noise.table(classes))
    if not found.problems:
        path = out / f"{split}.png"
        save_png(path, contact_sheet(dataset, images))
        print(f"contact sheet  {path}")
        data.check_batches(found, config, "training set" if split == "train" else f"{split} set")
    return found


def _print_bands(dataset: Any) -> None:
    """What the bands of images that are not 8-bit RGB hold."""
    from segnoise.datasets.statistics import band_statistics
    from segnoise.errors import DataError

    try:
        found = band_statistics(dataset, most=50)
    except DataError:
        return  # the check says of every file what is wrong
    print(found.table(dataset.metainfo["image"].get("bands")))
    print(f"where there are labels, in {found.samples} samples\n")


if __name__ == "__main__":
    raise SystemExit(main())
