"""How close a simulated crowd comes to a real one, measure by measure.

Each annotator of an `Annotators` model draws the gold masks of the images that one real rater
drew; both are measured as in real_noise.py. Real experts' masks that equal the gold standard are
left out, and so are the simulated ones of these images.

    python benchmarks/simulated_raters.py FOLDER crowd-cells crowd
    python benchmarks/simulated_raters.py FOLDER expert-cells experts
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from real_noise import READ, ROWS, Record, looked_up, measured, raters, summarised

from segnoise.engine import notation
from segnoise.noise import PRESETS, Annotators, build_noise, generator
from segnoise.tables import markdown

Group = dict[str, dict[str, Record]]
# Title, place among the statistics, factor, decimals.
MEASURES = {
    **{title: cell for title, cell in ROWS.items() if cell and "diameter of cell" not in title},
    "IoU of cell, percentile 25, %": ("iou.p25", 100, 1),
    "IoU of cell, percentile 75, %": ("iou.p75", 100, 1),
    "offset, percentile 5, % of diameter": ("offset_of_diameter.p5", 100, 2),
    "offset, percentile 95, % of diameter": ("offset_of_diameter.p95", 100, 2),
    "sd along outline, percentile 5, % of diameter": ("offset_sd_of_diameter.p5", 100, 2),
    "sd along outline, percentile 95, % of diameter": ("offset_sd_of_diameter.p95", 100, 2),
}


def drawn_like(folder: Path, noise: Annotators, group: Group, seed: int) -> Group:
    """Return the records of simulated raters on the images of real ones.

    Args:
        folder: Holds SegmentationClass.
        noise: As many annotators as the group has raters.
        group: The real raters' records, by rater and image.
        seed: Of the errors.
    """
    if noise.number != len(group):
        raise SystemExit(f"the model has {noise.number} annotators, the group {len(group)}")
    found: Group = {name: {} for name in group}
    for image in sorted(set().union(*group.values())):
        gold = READ(folder / "SegmentationClass" / f"{image}.png")
        masks = noise.annotate(gold, generator(seed, "noise", image))
        for (name, real), mask in zip(group.items(), masks, strict=True):
            if image in real:
                found[name][image] = measured(gold, mask)
    return found


def compared(real: Mapping[str, Any], simulated: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
    """Return mean and spread over the raters of each measure: real, then simulated."""
    rows = {}
    for title, (path, factor, _) in MEASURES.items():
        values = [looked_up(part["over_raters"], path) for part in (real, simulated)]
        rows[title] = tuple(factor * value[name] for value in values for name in ("mean", "sd"))
    return rows


def table(rows: Mapping[str, tuple[float, ...]]) -> str:
    """Return a table of the measures, real beside simulated."""
    lines = []
    for title, (mean, spread, own, own_spread) in rows.items():
        digits = MEASURES[title][2]
        away = f"{(own - mean) / spread:+.1f}" if spread else ""
        real, made = f"{mean:.{digits}f} ± {spread:.{digits}f}", f"{own:.{digits}f}"
        lines.append([title, real, f"{made} ± {own_spread:.{digits}f}", away])
    return markdown(["mean ± sd over raters", "real", "simulated", "apart, sd"], lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="holds SegmentationClass and Raters")
    parser.add_argument("noise", help="a preset, or Annotators(...) with classes=[1]")
    parser.add_argument("group", choices=("crowd", "experts"))
    parser.add_argument("--seed", type=int, default=0)
    settings = parser.parse_args()
    name = settings.noise
    noise = build_noise(name if name in PRESETS else notation.part(name, "noise model"))
    if not isinstance(noise, Annotators):
        raise SystemExit(f"{name} is no Annotators model: see real_noise.py --noise")
    group = raters(settings.folder)[settings.group]
    real = summarised(group)
    simulated = summarised(drawn_like(settings.folder, noise, group, settings.seed))
    for part in real:
        print(f"{settings.group}, {part}\n\n{table(compared(real[part], simulated[part]))}\n")


if __name__ == "__main__":
    main()
