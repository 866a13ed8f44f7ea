"""Score a checkpoint on a labelled split, at the masks' original size."""

from __future__ import annotations

from collections.abc import Sequence

from segnoise.engine import cli

EXAMPLES = """
examples:
  tools/test.py work_dirs/run             # best.pth, under the config that it holds
  tools/test.py work_dirs/run/config.py work_dirs/run/last.pth
  tools/test.py CONFIG CHECKPOINT --split val --flip --scales 0.75 1 1.25 --out predictions
  tools/test.py CONFIG CHECKPOINT --cfg-options inference.mode=slide \\
      "inference.crop_size=(512,1024)"
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and test."""
    # argparse would repeat the two places after an ellipsis.
    usage = "%(prog)s [options] [CONFIG] CHECKPOINT"
    parser = cli.parser(__doc__ or "", epilog=EXAMPLES, usage=usage)
    parser.add_argument(
        "places",
        nargs="+",
        type=cli.path,
        metavar="[CONFIG] CHECKPOINT",
        help="best.pth or last.pth of a run, its folder, or weights alone; without a config, that "
        "of the checkpoint is used, as data: no code of its author runs",
    )
    cli.add_options(parser)
    cli.add_allow_imports(parser)
    parser.add_argument(
        "--split",
        choices=("test", "val"),
        default="test",
        help="data set of the config (default: test)",
    )
    parser.add_argument(
        "--out", type=cli.path, help="folder for coloured predictions (palette PNGs)"
    )
    parser.add_argument(
        "--json", type=cli.path, help="file for the scores (default: beside the checkpoint)"
    )
    parser.add_argument(
        "--scales",
        nargs="+",
        type=cli.number(above=0, most=16),
        help="average over these image scales, such as 0.75 1 1.25",
    )
    parser.add_argument(
        "--tolerance",
        type=cli.number(above=0),
        default=2.0,
        help="of volumes: within how many millimetres surfaces agree (default: 2)",
    )
    parser.add_argument("--flip", action="store_true", help="average over mirrored images too")
    parser.add_argument("--overwrite", action="store_true", help="replace results that are there")
    cli.add_launcher(parser)
    # So that options may stand between the two places.
    arguments = parser.parse_intermixed_args(argv)
    if len(arguments.places) > 2:
        parser.error(f"a config and a checkpoint, or a checkpoint, not {arguments.places}")

    def work() -> None:
        # Imported late, so that --help answers at once.
        from mmengine.dist import is_main_process

        from segnoise.engine.config import load_config
        from segnoise.engine.evaluate import (
            SCORES,
            case_table,
            checkpoint_in,
            evaluate,
            score_table,
            stored_config,
            with_test_time_augmentation,
        )
        from segnoise.engine.run_folder import RECORDS
        from segnoise.errors import ConfigError
        from segnoise.files import check_new_json, write_json
        from segnoise.output_folder import MARK, announce

        checkpoint = checkpoint_in(arguments.places[-1])
        default = checkpoint.parent / f"{arguments.split}_{checkpoint.stem}.json"
        report = arguments.json or default
        if report.name in RECORDS and (report.parent / MARK).exists():
            raise ConfigError(
                f"--json {report}: a training writes its {report.name} there: take another name"
            )
        check_new_json(report, "--json", arguments.overwrite, SCORES)
        changes = cli.options(arguments.cfg_options), arguments.allow_imports
        if len(arguments.places) == 2:
            config = load_config(arguments.places[0], *changes)
        else:
            config = stored_config(checkpoint, *changes)
        config = with_test_time_augmentation(config, arguments.scales, arguments.flip)
        scores = evaluate(
            config,
            checkpoint,
            split=arguments.split,
            out=arguments.out,
            report=report,
            overwrite=arguments.overwrite,
            launcher=arguments.launcher,
            tolerance=arguments.tolerance,
        )
        if not is_main_process():
            return
        print(f"\n{scores['samples']} images of {arguments.split}_data\n")
        print(score_table({checkpoint.name: scores}), flush=True)
        if "by_case" in scores:
            print(f"\n{case_table(scores['by_case'])}", flush=True)
        if not report.exists():
            announce(report.parent, report.name)  # in a run's folder, it is the run's
        write_json(report, scores)
        print(f"\nscores       {report}")
        if arguments.out:
            print(f"predictions  {arguments.out}")

    return cli.run_tool(work, go_on=cli.AGAIN)


if __name__ == "__main__":
    raise SystemExit(main())
