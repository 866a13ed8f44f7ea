"""Measure how one set of masks differs from another: real noise, with the numbers of simulated.

Masks are matched by their paths below the two folders, without the suffix. The first folder holds
the masks that count as clean. Prints the realised noise and its distribution over the images.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from segnoise.engine import cli
from segnoise.errors import ConfigError

EXAMPLES = """
examples:
  tools/compare_masks.py gold annotator_1 --classes background cell --out annotator_1.json
  tools/compare_masks.py fixed original --classes classes.txt --workers 4
  tools/compare_masks.py a b --classes no yes --value-map 0=0 255=1    # black-and-white masks
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and compare."""
    parser = cli.parser(__doc__ or "", epilog=EXAMPLES)
    parser.add_argument("clean", type=cli.path, help="folder of the masks to compare with")
    parser.add_argument("noisy", type=cli.path, help="folder of the masks to judge")
    parser.add_argument(
        "--classes",
        nargs="+",
        required=True,
        metavar="NAME",
        help="class names in the order of their ids, or a .txt file with one a line",
    )
    parser.add_argument(
        "--value-map",
        nargs="+",
        metavar="VALUE=ID",
        help="class id of every value in the files, where they differ: 0=0 255=1",
    )
    parser.add_argument(
        "--ignore-index",
        type=cli.integer(-(2**31), 2**31 - 1),
        default=255,
        help="void (default: 255)",
    )
    parser.add_argument(
        "--allow-missing", action="store_true", help="pass over masks that only one folder has"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the file of --out")
    parser.add_argument(
        "--out", type=cli.path, help="JSON file: the report, and rates image by image"
    )
    cli.add_workers(parser)
    arguments = parser.parse_args(argv)
    return cli.run_tool(lambda: compare(arguments), go_on=cli.AGAIN)


def compare(arguments: argparse.Namespace) -> None:
    """Compare, print, and write."""
    # Imported late, so that --help answers at once.
    from segnoise.datasets.files.class_files import read_classes
    from segnoise.datasets.files.masks import MaskReader
    from segnoise.files import check_new_json, write_json
    from segnoise.inspection.compare import SCHEMA, compare_masks, pair_masks
    from segnoise.output_folder import keep_apart

    if arguments.out:
        check_new_json(arguments.out, "--out", arguments.overwrite, SCHEMA)
    classes = arguments.classes
    if len(classes) == 1 and classes[0].endswith(".txt"):
        classes, _ = read_classes(Path(classes[0]))
    if twice := sorted({name for name in classes if list(classes).count(name) > 1}):
        raise ConfigError(f"--classes names {', '.join(twice)} more than once")
    values = value_map(arguments.value_map)
    reader = MaskReader(len(classes), value_map=values, ignore_index=arguments.ignore_index)
    pairs = pair_masks(arguments.clean, arguments.noisy, arguments.allow_missing)
    if arguments.out:
        for files in ([pair.clean for pair in pairs], [pair.noisy for pair in pairs]):
            keep_apart(arguments.out, files)
    found = compare_masks(pairs, reader, workers=arguments.workers, progress="comparing")
    print(found.table(classes))
    if arguments.out:
        write_json(arguments.out, found.to_dict(classes))
        print(f"\nall of it    {arguments.out}")


def value_map(pairs: Sequence[str] | None) -> dict[int, int] | None:
    """Parse VALUE=ID pairs.

    Raises:
        ConfigError: if one is none, or a value has two ids.

    Example:
        >>> value_map(["0=0", "255=1"])
        {0: 0, 255: 1}
    """
    if pairs is None:
        return None
    found: dict[int, int] = {}
    for pair in pairs:
        value, _, label = pair.partition("=")
        if not (value.isdecimal() and label.isdecimal()) or int(value) in found:
            raise ConfigError(f"--value-map wants each VALUE=ID once, such as 255=1, not {pair!r}")
        found[int(value)] = int(label)
    return found


if __name__ == "__main__":
    raise SystemExit(main())
