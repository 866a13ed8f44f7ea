"""Train on generated images whose organs are partly misnamed, and compare on clean labels.

Four short trainings of one very small U-Net on a CPU: cross-entropy on clean labels (what could be
had), then on noisy ones cross-entropy, the Active Negative Loss, and what recipe="auto" picks. The
first three weigh classes by 1 / sqrt(pixel count). One seed proves nothing; docs/study.md has more.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segnoise.engine import cli

CONFIG = "configs/phantoms/unet_mobile_phantoms_small_800.py"
SWAP: dict[str, Any] = {"noise": {"type": "RegionSwap", "rate": 0.375, "classes": [1, 2, 3, 4]}}
ANL = {"type": "ANL-CE", "class_weights": "inverse_sqrt"}
RUNS: dict[str, dict[str, Any]] = {
    "CE, clean": {},
    "CE, noisy": SWAP,
    "ANL-CE, noisy": {**SWAP, "losses": [ANL]},
    "auto, noisy": {**SWAP, "recipe": "auto"},
}


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run the demonstration."""
    parser = cli.parser(__doc__ or "")
    parser.add_argument(
        "--work-dir",
        type=cli.path,
        default=Path("work_dirs/demo"),
        help="folder of the four runs (default: work_dirs/demo)",
    )
    parser.add_argument("--overwrite", action="store_true", help="train anew")
    cli.add_options(parser)
    arguments = parser.parse_args(argv)

    def work() -> None:
        from segnoise.output_folder import claim

        folder: Path = arguments.work_dir
        with claim(folder, "a demonstration", flag="--work-dir") as out:
            out.expect(["demo.png"])
            run(folder, cli.options(arguments.cfg_options), arguments.overwrite)

    return cli.run_tool(work, outlives_reader=True)


def run(folder: Path, options: dict[str, Any], overwrite: bool) -> None:
    """Train or go on, print the comparison and draw it."""
    # Imported late, so that --help answers at once.
    from segnoise.engine.config import load_config
    from segnoise.engine.evaluate import percent, score_table
    from segnoise.engine.train import train

    results: dict[str, Any] = {}
    for title, changes in RUNS.items():
        name = title.replace(", ", "_")
        told = "".join(f", {key}={value!r}" for key, value in changes.items())
        print(f"\n{title}: {CONFIG}{told}", flush=True)
        config = load_config(CONFIG, {**changes, **options})
        config["work_dir"] = str(folder / name)
        resume = not overwrite and (folder / name).exists()
        results[title] = train(config, name=name, resume=resume, overwrite=overwrite)
    noise = (results["CE, noisy"].folder / "noise.md").read_text(encoding="utf-8")
    table = score_table({title: result.last for title, result in results.items()})
    print(f"\nRealised noise of the training labels\n\n{noise}")
    print(f"Scores on the clean labels of the validation images, last iteration\n\n{table}")
    best = [f"{title} {percent(result.best['mIoU'])}" for title, result in results.items()]
    print(f"mIoU of the best iteration: {', '.join(best)}")
    picture = folder / "demo.png"
    draw(results, picture)
    print(f"\npicture      {picture}\nrun folders  {folder}/")


def draw(results: dict[str, Any], path: Path, images: int = 4) -> None:
    """Picture of training labels before and after the noise, and of the runs' predictions."""
    from segnoise.drawing import colorize, grid, legend, save_png
    from segnoise.engine import data
    from segnoise.engine.evaluate import predictions

    rows, titles = [], []
    config = results["CE, noisy"].config
    validation = data.build_dataset(config, "val_data")
    noisy = data.with_noise(validation, config)  # for the eye only: scores are on clean labels
    palette, classes = validation.metainfo["palette"], validation.metainfo["classes"]
    indices = [i * len(validation) // images for i in range(images)]
    predicted = [
        predictions(result.config, result.folder / "last.pth", validation, indices)
        for result in results.values()
    ]
    for number, index in enumerate(indices):
        sample = noisy[index]
        masks = [sample["clean_mask"], sample["mask"], *(p[number] for p in predicted)]
        rows.append([sample["image"], *(colorize(m, palette) for m in masks)])
        titles.append(sample["sample_id"])
    scores = [f"{title}: {r.last['mIoU']:.1f} mIoU" for title, r in results.items()]
    heads = ["image", "clean labels", "noisy labels", *scores]
    save_png(path, grid(rows, heads, titles, footer=legend(classes, palette, void=False)))


if __name__ == "__main__":
    raise SystemExit(main())
