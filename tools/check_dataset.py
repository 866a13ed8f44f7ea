"""Open every image and mask of a config's data sets before hours of training.

Lists what is wrong with path and remedy, prints the class histogram, and draws a contact sheet.
Exit code 0: training may start. Exit code 2: it may not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segnoise.engine import cli

if TYPE_CHECKING:
    from segnoise.datasets.problems import Problem

EXAMPLES = """
examples:
  tools/check_dataset.py configs/voc/unet_r34_ce_clean_voc12aug_20k.py
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
        "--out", default="work_dirs/check_dataset", help="folder for the contact sheets"
    )
    parser.add_argument("--images", type=int, default=6, help="images on a contact sheet")
    parser.add_argument(
        "--max-problems", type=int, default=50, help="problems to print (all are in problems.json)"
    )
    arguments = parser.parse_args(argv)

    def work() -> None:
        # Imported late, so that --help answers at once.
        from segnoise.engine.config import load_config
        from segnoise.errors import DataError
        from segnoise.files import write_json
        from segnoise.output_folder import claim

        config = load_config(arguments.config, cli.options(arguments.cfg_options))
        out = Path(arguments.out) / Path(arguments.config).stem
        n = arguments.images
        splits = arguments.splits or [s for s in ("train", "val") if config[f"{s}_data"]]
        with claim(out, "a check's sheets") as folder:
            opened = {split: open_split(config, split, out) for split in splits}
            folder.clear(keep=[f"{s}.png" for s in ("train", "val", "test") if s not in splits])
            folder.expect([*(f"{split}.png" for split in splits), "problems.json"])
            problems = [p for s, found in opened.items() for p in check(config, s, found, out, n)]
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
    """Return the data set of a split, or the problems for which there is none."""
    from segnoise.datasets.problems import DatasetError
    from segnoise.engine import data

    try:
        dataset = data.build_dataset(config, f"{split}_data")
    except DatasetError as error:
        return error.problems
    data.keep_apart(out, "--out", dataset)
    return dataset


def check(
    config: dict[str, Any], split: str, opened: Any, out: Path, images: int
) -> Sequence[Problem]:
    """Check one split: print its histogram, draw its contact sheet, return its problems."""
    from segnoise.datasets import check_dataset, contact_sheet
    from segnoise.drawing import save_png
    from segnoise.engine import data

    print(f"\n{split}")
    if isinstance(opened, tuple):
        print("its other files have not been opened: first mend what is listed below")
        return opened
    dataset = opened
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
    return found.problems


if __name__ == "__main__":
    raise SystemExit(main())
