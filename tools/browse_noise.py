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
  tools/browse_noise.py configs/phantoms/unet_r18_phantoms_200.py
  tools/browse_noise.py CONFIG --target 0.15 --images 6 --out galleries/mine
  tools/browse_noise.py CONFIG --noise "SymmetricFlip(rate=0.1)" --noise "BoundaryErosion(width=2)"
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and draw."""
    parser = cli.parser(__doc__ or "", epilog=EXAMPLES)
    cli.add_config(parser)
    cli.add_parts(
        parser,
        "noise",
        each="; repeat it to show several (default: one of each kind that the data set can serve)",
    )
    cli.add_dose(parser, target=0.1)
    parser.add_argument("--images", type=cli.integer(1, 1000), default=4, help="rows (default: 4)")
    parser.add_argument(
        "--sample",
        type=cli.integer(1, 10**9),
        default=32,
        help="masks to calibrate on (default: 32)",
    )
    parser.add_argument(
        "--seed", type=cli.seed, help="of the noise (default: the config's noise_seed)"
    )
    parser.add_argument(
        "--out",
        type=cli.path,
        help="folder of the results (default: work_dirs/browse_noise/CONFIG)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a gallery that is there")
    arguments = parser.parse_args(argv)
    return cli.run_tool(lambda: browse(arguments), go_on=cli.AGAIN)


def browse(arguments: Any) -> None:
    """Draw the gallery and write it."""
    # Imported late, so that --help answers at once.
    from segnoise.drawing import save_png
    from segnoise.engine import data
    from segnoise.engine.config import load_config
    from segnoise.files import write_text
    from segnoise.output_folder import claim

    out = Path(arguments.out or f"work_dirs/browse_noise/{Path(arguments.config).stem}")
    with claim(out, "a noise gallery") as folder:
        if not arguments.overwrite:
            folder.refuse_finished()
        config = load_config(
            arguments.config, cli.options(arguments.cfg_options), arguments.allow_imports
        )
        dataset = data.build_dataset(config, "train_data")
        data.keep_apart(out, "--out", dataset)
        gallery = drawn(arguments, config, dataset)
        print(gallery.table())
        page, picture = gallery.html(), gallery.png()
        folder.clear()
        folder.expect(["gallery.png", "gallery.html"])
        save_png(out / "gallery.png", picture)
        write_text(out / "gallery.html", page)
        folder.finish()
    print(f"\npage     {out / 'gallery.html'}\npicture  {out / 'gallery.png'}")


def drawn(arguments: Any, config: dict[str, Any], dataset: Any) -> Any:
    """Return the gallery of the noise models that the command line names."""
    from segnoise.datasets.labels.noisy_labels import built_model
    from segnoise.engine.notation import part
    from segnoise.errors import ConfigError
    from segnoise.inspection.noise_gallery import default_noises, noise_gallery

    if "none" in map(str.strip, arguments.noise or ()):
        raise ConfigError(
            "--noise none: clean labels are in every gallery; name noise models, or leave --noise "
            "out for one of each kind"
        )
    noises = {} if arguments.noise else default_noises(dataset)
    # Built here, so that a wrong name ends the work before it starts.
    models: dict[str, Any] = {}
    for text in arguments.noise or ():
        model = built_model(part(text, "noise model"), dataset.metainfo)
        if model not in models.values():  # two spellings of one are shown once
            models[text] = model
    noises |= dict(zip(titles(list(models)), models.values(), strict=True))
    return noise_gallery(
        dataset,
        noises,
        target=arguments.target,
        measure=arguments.measure,
        images=arguments.images,
        sample=arguments.sample,
        seed=config["noise_seed"] if arguments.seed is None else arguments.seed,
        progress=True,
    )


def titles(texts: Sequence[str]) -> list[str]:
    """Return a title for each noise: its class where that says enough, else what was written.

    Example:
        >>> titles(["Shift(distance=2)", "Rotate(angle=5)"])
        ['Shift', 'Rotate']
        >>> titles(["Shift(distance=2)", "Shift(distance=4)"])
        ['Shift(distance=2)', 'Shift(distance=4)']
    """
    names = [text.partition("(")[0].strip() for text in texts]
    return names if len(set(names)) == len(names) else list(texts)


if __name__ == "__main__":
    raise SystemExit(main())
