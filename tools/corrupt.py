"""Write a noisy copy of a data set's masks, in the layout and the format of the clean ones.

The config says which data set, which noise and which noise_seed. A pixel that does not change
keeps its value in the file. manifest.json in the copy says what was done to each file. Killed at
any time, the same command goes on. To train on the copy: noise = dict(type="NoisyCopy",
folder=...) in the config, or --cfg-options "noise={'type': 'NoisyCopy', 'folder': '...'}", which
gives the masks that the config's own noise would give.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from typing import Any

from segnoise.engine import cli

EXAMPLES = """
examples:
  tools/corrupt.py CONFIG --dry-run --cfg-options noise.width=5      # what would it do?
  tools/corrupt.py configs/camvid/unet_r34_camvid_4k.py --out FOLDER --noise "HullMask(rate=0.5)"
  tools/corrupt.py --out FOLDER --verify                             # is all as it was written?
  tools/corrupt.py CONFIG --out FOLDER --ray --ray-address auto      # on a Ray cluster
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and write a copy, check one, or try the noise out."""
    parser = cli.parser(__doc__ or "", epilog=EXAMPLES)
    parser.add_argument("config", nargs="?", help="config file; --verify can do without")
    cli.add_options(parser)
    cli.add_allow_imports(parser)
    cli.add_parts(parser, "noise")
    parser.add_argument("--out", type=cli.path, help="folder of the copy")
    parser.add_argument(
        "--split",
        choices=("train", "val", "test"),
        default="train",
        help="data set of the config (default: train; scores on noisy val or test labels say "
        "little: corrupt those only if you know why)",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the noisy copy that is in --out"
    )
    cli.add_workers(parser)
    parser.add_argument(
        "--verify",
        action="store_true",
        help="check the copy in --out: its manifest, hashes of clean and noisy masks, missing and "
        "additional files, with a config also some masks made anew; exit code 2 if anything "
        "differs",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print the expected noise; no copy is written"
    )
    parser.add_argument(
        "--sample", type=cli.integer(1, 10**9), help="masks of a --dry-run (default: 50)"
    )
    parser.add_argument(
        "--ray",
        action="store_true",
        help="run on Ray (segnoise[ray]); all nodes must see the files at the same paths",
    )
    parser.add_argument("--ray-address", help="of a running cluster (default: start a local one)")
    arguments = parser.parse_args(argv)
    _check(parser, arguments)
    return cli.run_tool(lambda: corrupt(arguments), go_on="the same command goes on")


def _check(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """Refuse flags that have no meaning together."""
    if given.config is None and not given.verify:
        parser.error("give a config")
    if given.config is None and (given.noise or given.cfg_options or given.allow_imports):
        parser.error(
            "--noise, --cfg-options and --allow-imports have a meaning beside a config only"
        )
    if not given.out and not given.dry_run:
        parser.error("give --out, the folder of the copy")
    if given.verify + given.dry_run + given.overwrite > 1:
        parser.error("give one of --verify, --dry-run and --overwrite")
    if given.dry_run and (given.ray or given.out is not None):
        parser.error("--dry-run takes no --out and no --ray")
    if given.sample is not None and not given.dry_run:
        parser.error("--sample is the number of masks of a --dry-run")
    if given.ray_address is not None and not given.ray:
        parser.error("--ray-address has a meaning with --ray only")


def corrupt(arguments: Any) -> None:
    """Do what the command line says."""
    # Imported late, so that --help answers at once.
    from segnoise.engine import noisy_copy
    from segnoise.engine.config import load_config
    from segnoise.parallel import map_chunks
    from segnoise.ray_cluster import map_on_ray

    noisy = None
    if arguments.config is not None:
        config = load_config(arguments.config, cli.changes(arguments), arguments.allow_imports)
        noisy = noisy_copy.noisy_labels(config, arguments.split)
    mapper: Any = partial(map_chunks, workers=arguments.workers)
    if arguments.ray:
        mapper = partial(map_on_ray, workers=arguments.workers, address=arguments.ray_address)
    if noisy is None or arguments.verify:
        noisy_copy.verify(noisy, arguments.out, mapper)
    elif arguments.dry_run:
        noisy_copy.dry_run(noisy, arguments.sample or 50, arguments.workers)
    else:
        noisy_copy.write(noisy, arguments.out, mapper, arguments.overwrite)


if __name__ == "__main__":
    raise SystemExit(main())
