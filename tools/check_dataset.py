"""Open every image and mask of a config's data sets before hours of training.

Lists what is wrong with path and remedy, prints the class histogram, and draws a contact sheet.
Exit code 0: training may start. Exit code 2: it may not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segnoise.engine import cli

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

        config = load_config(arguments.config, cli.options(arguments.cfg_options))
        out = Path(arguments.out) / Path(arguments.config).stem
        splits = arguments.splits or [s for s in ("train", "val") if config[f"{s}_data"]]
        (out / "problems.json").unlink(missing_ok=True)
        problems = [p for split in splits for p in check(config, split, out, arguments)]
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


def check(config: dict[str, Any], split: str, out: Path, arguments: Any) -> Sequence[Any]:
    """Check one split: print its histogram, draw its contact sheet, return its problems."""
    from segnoise.datasets import check_dataset, contact_sheet
    from segnoise.datasets.problems import DatasetError
    from segnoise.drawing import save_png
    from segnoise.engine import data

    print(f"\n{split}")
    try:
        dataset = data.build_dataset(config, f"{split}_data")
    except DatasetError as error:
        print("its other files have not been opened: first mend what is listed below")
        return error.problems
    if split == "train":
        dataset = data.with_noise(dataset, config)
    found = check_dataset(dataset, workers=config["num_workers"], progress=f"checking {split}")
    classes = dataset.metainfo["classes"]
    print(found.table(classes))
    if found.noise is not None:
        print("\nrealised noise\n" + found.noise.table(classes))
    if not found.problems:
        path = out / f"{split}.png"
        save_png(path, contact_sheet(dataset, arguments.images))
        print(f"contact sheet  {path}")
    return found.problems


if __name__ == "__main__":
    raise SystemExit(main())
