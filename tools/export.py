"""Write a trained network for other programs: ONNX, torch.export, or a Hugging Face hub folder."""

from __future__ import annotations

from collections.abc import Sequence

from segnoise.engine import cli

EXAMPLES = """
examples:
  tools/export.py work_dirs/run --out model.onnx                    # images of any size
  tools/export.py work_dirs/run --out model.onnx --size 512 512     # PSPNet, UPerNet, DPT
  tools/export.py work_dirs/run --format torch --out model.pt2
  tools/export.py work_dirs/run --format hub --out my-network       # smp.from_pretrained
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and export."""
    parser = cli.parser(__doc__ or "", epilog=EXAMPLES)
    parser.add_argument(
        "checkpoint", type=cli.path, help="best.pth or last.pth of a run, or its folder"
    )
    parser.add_argument(
        "--format",
        choices=("onnx", "torch", "hub"),
        default="onnx",
        help="onnx (default): a file for onnxruntime and others; torch: one of torch.export; hub: "
        "a folder that segmentation_models_pytorch loads",
    )
    parser.add_argument(
        "--out", type=cli.path, required=True, help="file .onnx or .pt2, or the hub's folder"
    )
    parser.add_argument(
        "--size",
        type=cli.integer(1, 2**15),
        nargs=2,
        metavar=("H", "W"),
        help="of all images, for networks that cannot be exported for images of any size",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")
    cli.add_allow_imports(parser)
    arguments = parser.parse_args(argv)

    def work() -> None:
        # Imported late, so that --help answers at once.
        from segnoise.engine.export import export
        from segnoise.engine.predictor import Predictor

        predictor = Predictor(
            arguments.checkpoint, device="cpu", allow_imports=arguments.allow_imports
        )
        path = export(
            predictor,
            arguments.out,
            arguments.format,
            size=tuple(arguments.size) if arguments.size else None,
            overwrite=arguments.overwrite,
        )
        print(f"{path}: computes what PyTorch does")

    return cli.run_tool(work, go_on=cli.AGAIN)


if __name__ == "__main__":
    raise SystemExit(main())
