"""Draw noise models side by side, at equal dose, on images of a config's training set.

Writes one self-contained page (gallery.html: open it in any browser, no network needed; three
buttons choose between clean labels, noisy labels and their difference) and one picture
(gallery.png).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segnoise.engine import cli

EXAMPLES = """
examples:
  tools/browse_noise.py configs/phantoms/unet_r18_ce_clean_phantoms_200.py
  tools/browse_noise.py CONFIG --target 0.15 --images 6 --out galleries/mine
  tools/browse_noise.py CONFIG --noises "SymmetricFlip(rate=0.1)" "BoundaryErosion(width=2, fill=0)"
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and draw."""
    parser = cli.parser(__doc__ or "", epilog=EXAMPLES)
    cli.add_config(parser)
    parser.add_argument(
        "--noises",
        nargs="+",
        metavar="NOISE",
        help="models to show, by class name, with parameters where wanted (default: one of each "
        "kind that the data set can serve)",
    )
    cli.add_dose(parser, target=0.1)
    parser.add_argument("--images", type=int, default=4, help="rows (default: 4)")
    parser.add_argument(
        "--sample", type=int, default=32, help="masks to calibrate on (default: 32)"
    )
    parser.add_argument("--seed", type=int, help="of the noise (default: the config's noise_seed)")
    parser.add_argument(
        "--out", help="folder of the results (default: work_dirs/browse_noise/CONFIG)"
    )
    arguments = parser.parse_args(argv)
    return cli.run_tool(lambda: browse(arguments))


def browse(arguments: Any) -> None:
    """Draw the gallery and write it."""
    # Imported late, so that --help answers at once.
    from segnoise.datasets.noise_gallery import default_noises, noise_gallery
    from segnoise.drawing import save_png
    from segnoise.engine import data
    from segnoise.engine.config import load_config
    from segnoise.errors import ConfigError
    from segnoise.files import write_text

    config = load_config(arguments.config, cli.options(arguments.cfg_options))
    dataset = data.build_dataset(config, "train_data")
    if arguments.noises:
        noises = {text.partition("(")[0]: cli.noise_config(text) for text in arguments.noises}
        if len(noises) < len(arguments.noises):  # one model in several versions
            noises = {text: cli.noise_config(text) for text in arguments.noises}
    else:
        noises = default_noises(dataset)
    try:
        gallery = noise_gallery(
            dataset,
            noises,
            target=arguments.target,
            measure=arguments.measure,
            images=arguments.images,
            sample=arguments.sample,
            seed=config["noise_seed"] if arguments.seed is None else arguments.seed,
            progress=True,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error
    print(gallery.table())
    out = Path(arguments.out or f"work_dirs/browse_noise/{Path(arguments.config).stem}")
    write_text(out / "gallery.html", gallery.html())
    save_png(out / "gallery.png", gallery.png())
    print(f"\npage     {out / 'gallery.html'}\npicture  {out / 'gallery.png'}")


if __name__ == "__main__":
    raise SystemExit(main())
