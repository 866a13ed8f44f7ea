"""Train a grid of data sets, noises, losses, methods and seeds, and compare them.

Every cell of the grid is a training in a process and a folder of its own. Killed at any time, the
same command goes on: finished cells are kept, others resume from their last checkpoint. A cell
that fails does not stop the others; the exit code is 1 then. The folder gets results.csv,
results.md and report.html. docs/benchmark.md describes the config. It goes on when nobody reads its
output any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from segnoise.engine import cli

EXAMPLES = """
examples:
  tools/benchmark.py configs/benchmarks/phantoms.py --work-dir work_dirs/bench
  tools/benchmark.py GRID --dry-run                       # which cells, and what is done already?
  tools/benchmark.py CONFIG --loss CE --loss ANL-CE --noise none --noise "BoundaryErosion(width=3)"
  tools/benchmark.py GRID --jobs 4                        # four at once: they share CPU and GPU
  tools/benchmark.py GRID --ray auto --jobs 2             # on a Ray cluster, two to a GPU
  tools/benchmark.py GRID --cfg-options train_cfg.max_iters=500 data_root=/data/camvid
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run the grid."""
    parser = cli.parser(__doc__ or "", epilog=EXAMPLES)
    parser.add_argument(
        "config",
        help="grid config, e.g. configs/benchmarks/phantoms.py; or a training config, with --loss "
        "and --noise",
    )
    parser.add_argument(
        "--work-dir",
        type=cli.path,
        help="the benchmark's folder (default: work_dirs/benchmarks/<config name>)",
    )
    cli.add_options(parser)
    cli.add_allow_imports(parser)
    cli.add_parts(parser, "loss", "noise", "method", "recipe", each="; repeat it to compare")
    parser.add_argument(
        "--seeds", nargs="+", type=cli.seed, metavar="SEED", help="instead of the config's"
    )
    parser.add_argument(
        "--jobs", type=cli.integer(1, 1024), default=1, help="cells at once (default: 1)"
    )
    parser.add_argument(
        "--ray",
        nargs="?",
        const=True,
        default=False,
        metavar="ADDRESS",
        help="run on Ray (segnoise[ray]): a local cluster, or the one at the address; all nodes "
        "must see the files at the same paths",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="train cells anew whose config has changed since; others are kept",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="list the cells and what is done; train nothing"
    )
    parser.add_argument(
        "--report-only", action="store_true", help="write the report from what there is"
    )
    arguments = parser.parse_args(argv)
    if arguments.dry_run + arguments.report_only + arguments.overwrite > 1:
        parser.error("give one of --dry-run, --report-only and --overwrite")
    failed: list[Any] = []
    code = cli.run_tool(
        lambda: failed.extend(benchmark(arguments)),
        go_on="the same command goes on",
        outlives_reader=True,
    )
    return code or int(bool(failed))


def named(arguments: Any) -> dict[str, Any]:
    """Return the axes of the grid that the command line names.

    Example:
        >>> from types import SimpleNamespace
        >>> given = dict(loss=["GCE(q=0.5)"], noise=["none"], method=None)
        >>> for axis in named(SimpleNamespace(**given, recipe=["auto"], seeds=None)).items():
        ...     print(axis)
        ('losses', {'GCE(q=0.5)': [{'type': 'GCE', 'q': 0.5}], 'recipe auto': {'recipe': 'auto'}})
        ('noises', {'clean': None})
        ('methods', {})
        ('seeds', None)
    """
    from segnoise.engine.notation import noise, part

    given = {name: each or () for name, each in cli.named_parts(arguments).items()}
    losses: dict[str, Any] = {text: [part(text, "loss")] for text in given["loss"]}
    losses |= {f"recipe {name}": {"recipe": name} for name in given["recipe"]}
    noises = {text: noise(text) for text in given["noise"]}
    methods = {text: {"methods": [part(text, "method")]} for text in given["method"]}
    return {
        "losses": losses,
        "noises": {"clean" if config is None else text: config for text, config in noises.items()},
        "methods": {"plain": {}, **methods} if methods else {},
        "seeds": arguments.seeds,
    }


def benchmark(arguments: Any) -> list[Any]:
    """Do what the command line says; returns the cells that failed."""
    # Imported late, so that --help answers at once.
    from pathlib import Path

    from segnoise.benchmark import run
    from segnoise.benchmark.grid import load_grid

    grid = load_grid(arguments.config, arguments.allow_imports, named(arguments))
    title = Path(arguments.config).stem
    folder = Path(arguments.work_dir or Path("work_dirs", "benchmarks", title))
    options = cli.options(arguments.cfg_options)
    if arguments.dry_run:
        print(run.dry_run(grid, folder, options))
        return []
    if arguments.report_only:
        rows = run.report_only(grid, folder, title, options)
    else:
        rows = run.run_benchmark(
            grid,
            folder,
            title=title,
            options=options,
            jobs=arguments.jobs,
            ray=arguments.ray,
            overwrite=arguments.overwrite,
        )
    print("\n" + (folder / "results.md").read_text(encoding="utf-8"))
    print(f"tables  {folder / 'results.md'}, {folder / 'results.csv'}")
    print(f"page    {folder / 'report.html'}")
    return [row for row in rows if row.status == "failed"]


if __name__ == "__main__":
    raise SystemExit(main())
