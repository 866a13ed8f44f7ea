"""Predict pictures, rasters and volumes with a trained network, each in its own format."""

from __future__ import annotations

from collections.abc import Sequence

from segnoise.engine import cli

EXAMPLES = """
examples:
  tools/predict.py work_dirs/run photos/ --out predictions          # palette PNGs
  tools/predict.py work_dirs/run scene.tif --out maps --save labels confidence outlines
  tools/predict.py best.pth scenes.txt --out maps --window 1024 --overlap 256 --flip
  tools/predict.py best.pth case.nii.gz dicom_folder/ --out maps    # NIfTI, in their place
  tools/predict.py model.onnx scene.tif --out maps                  # of tools/export.py
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and predict."""
    usage = "%(prog)s [options] CHECKPOINT INPUT [INPUT ...] --out DIR"
    parser = cli.parser(__doc__ or "", epilog=EXAMPLES, usage=usage)
    parser.add_argument(
        "places",
        nargs="+",
        type=cli.path,
        metavar="CHECKPOINT INPUT",
        help="best.pth or last.pth of a run, its folder, or an exported .onnx; then pictures, "
        "rasters (GeoTIFF, VRT), NIfTI files, folders of a DICOM series, folders of such, or lists "
        "(.txt, a path a line)",
    )
    parser.add_argument(
        "--out",
        type=cli.path,
        required=True,
        help="folder of the results; an interrupted call goes on there",
    )
    parser.add_argument(
        "--save",
        nargs="+",
        default=["labels"],
        choices=("labels", "scores", "confidence", "entropy", "outlines"),
        help="what to write (default: labels): class scores, the probability of the predicted "
        "class, the entropy from 0 to 1, outlines of rasters as GeoJSON",
    )
    parser.add_argument(
        "--window",
        type=cli.integer(1, 2**15),
        help="side of overlapping windows in pixels (default: 512 for rasters; pictures as the "
        "run's inference says)",
    )
    parser.add_argument(
        "--overlap", type=cli.integer(0, 2**15), help="pixels (default: a quarter of the window)"
    )
    parser.add_argument(
        "--blend",
        choices=("gaussian", "cosine", "constant"),
        default="gaussian",
        help="weights of overlapping windows (default: gaussian)",
    )
    parser.add_argument(
        "--batch-size", type=cli.integer(1, 2**15), default=8, help="windows at once (default: 8)"
    )
    parser.add_argument(
        "--scales",
        nargs="+",
        type=cli.number(above=0, most=16),
        help="average over these image scales, such as 0.75 1 1.25",
    )
    parser.add_argument("--flip", action="store_true", help="average over mirrored images too")
    parser.add_argument(
        "--bands",
        nargs="+",
        type=cli.integer(1, 2**15),
        help="of rasters, from 1, in the order of the training's (default: those it read)",
    )
    parser.add_argument(
        "--nodata",
        type=cli.number(),
        help="what rasters hold where they have no data, if they do not say so",
    )
    parser.add_argument("--device", help="cuda, cuda:1, cpu ... (default: what is there)")
    parser.add_argument("--bf16", action="store_true", help="compute the network in bfloat16")
    parser.add_argument("--overwrite", action="store_true", help="replace other predictions")
    cli.add_allow_imports(parser)
    arguments = parser.parse_intermixed_args(argv)
    if len(arguments.places) < 2:
        parser.error("give a checkpoint, and then what to predict")

    def work() -> None:
        # Imported late, so that --help answers at once.
        from segnoise.engine.predict import predict
        from segnoise.engine.predictor import Predictor
        from segnoise.errors import ConfigError
        from segnoise.models.windows import Windows

        views: dict[str, object] = {}
        if arguments.scales:
            views["scales"] = tuple(arguments.scales)
        checkpoint, device = arguments.places[0], arguments.device
        if arguments.flip:
            views["flip"] = True
        predictor: Predictor
        if checkpoint.suffix == ".onnx":
            if arguments.bf16 or arguments.allow_imports:
                raise ConfigError("--bf16 and --allow-imports are for checkpoints: leave them out")
            from segnoise.engine.onnx_predictor import OnnxPredictor

            predictor = OnnxPredictor(checkpoint, device=device, views=views)
        else:
            predictor = Predictor(
                checkpoint,
                device=device,
                views=views,
                bfloat16=arguments.bf16,
                allow_imports=arguments.allow_imports,
            )
        windows = None
        if arguments.window or arguments.overlap is not None or arguments.blend != "gaussian":
            size = arguments.window or 512
            overlap = size // 4 if arguments.overlap is None else arguments.overlap
            windows = Windows(size, overlap, arguments.blend)
        files = predict(
            predictor,
            arguments.places[1:],
            arguments.out,
            windows=windows,
            batch_size=arguments.batch_size,
            save=arguments.save,
            bands=arguments.bands,
            nodata=arguments.nodata,
            overwrite=arguments.overwrite,
        )
        print(f"{len(files)} files  {arguments.out}")

    return cli.run_tool(work, go_on=cli.AGAIN)


if __name__ == "__main__":
    raise SystemExit(main())
