"""Train a segmentation model on labels that may be noisy, as a config says.

A training goes on when nobody reads its output any more, as with `| head`: all is in train.log of
the run folder.
"""

from __future__ import annotations

from collections.abc import Sequence

from segnoise.engine import cli

EXAMPLES = """
examples:
  tools/train.py configs/phantoms/unet_r18_phantoms_200.py --noise "BoundaryErosion(width=2)"
  tools/train.py configs/voc/unet_r34_voc12aug_20k.py --cfg-options data_root=/data/VOC2012
  tools/train.py CONFIG --loss "ANL-CE(alpha=1)" --noise "BoundaryErosion(width=3)"
  tools/train.py CONFIG --check           # can it be trained? Writes nothing
  tools/train.py CONFIG --resume          # go on where the run stopped
  tools/train.py CONFIG --extend --cfg-options train_cfg.max_iters=40000  # ... and for longer
  tools/dist_train.sh CONFIG 4 --amp      # four GPUs
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and train."""
    parser = cli.parser(__doc__ or "", epilog=EXAMPLES)
    cli.add_config(parser)
    cli.add_parts(parser, "loss", "noise", "method", "recipe")
    parser.add_argument(
        "--work-dir",
        type=cli.path,
        help="run folder (default: work_dirs/<config name, and what these flags name>)",
    )
    parser.add_argument(
        "--resume",
        nargs="?",
        const=True,
        default=False,
        metavar="CHECKPOINT",
        help="go on from last.pth in the run folder, or from the checkpoint given",
    )
    parser.add_argument(
        "--extend",
        action="store_true",
        help="resume a run that is to become longer: what is done stays, and from there on the "
        "learning rate is that of a run of the new length",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace another run's results in the run folder"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="do all that comes before the first iteration, write nothing, and stop: open the "
        "data, build everything, try one training step and one validation batch",
    )
    parser.add_argument(
        "--amp",
        nargs="?",
        const="bf16",
        choices=("bf16", "fp16"),
        help="automatic mixed precision on a GPU (default when given: bf16)",
    )
    cli.add_launcher(parser)
    arguments = parser.parse_args(argv)
    if arguments.check:
        for flag in ("resume", "extend", "overwrite"):
            if getattr(arguments, flag):
                parser.error(f"--check writes nothing, so --{flag} has no meaning beside it")
        if arguments.launcher != "none":
            parser.error("--check is for one process: leave out --launcher")

    def work() -> None:
        # Imported late, so that --help answers at once.
        from mmengine.dist import is_main_process

        from segnoise.engine.config import load_config
        from segnoise.engine.config_files import find_config
        from segnoise.engine.train import check, summary, train

        config = load_config(arguments.config, cli.changes(arguments), arguments.allow_imports)
        if arguments.work_dir:
            config["work_dir"] = str(arguments.work_dir)
        if arguments.amp:
            config["amp"] = arguments.amp
        name = cli.run_name(find_config(arguments.config).stem, arguments)
        if arguments.check:
            print(check(config, name=name))
            return
        result = train(
            config,
            name=name,
            resume=arguments.resume,
            extend=arguments.extend,
            overwrite=arguments.overwrite,
            launcher=arguments.launcher,
        )
        if is_main_process():
            print("\n" + summary(result))

    return cli.run_tool(work, outlives_reader=True)


if __name__ == "__main__":
    raise SystemExit(main())
