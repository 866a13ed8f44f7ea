"""Draw which settings of ANL compete: every seed of docs/study's grid, beside other losses.

python benchmarks/plot_anl.py docs/study/anl.csv docs/study/full.csv docs/study/anl.svg
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

NOISES = {"clean": "clean labels", "swap": "objects of a wrong class"}
OTHERS = {"CE": "-", "Dice": "--"}


def scores(path: Path, dataset: str = "phantoms") -> dict[tuple[str, str], list[float]]:
    """Read (noise, loss and method) -> mIoU of the last iteration on validation data, by seed."""
    found = defaultdict(list)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["status"] == "done" and row["dataset"] == dataset:
                name = row["loss"]
                if row["method"] != "plain":
                    name += f", {row['method']}"
                found[row["noise"], name].append(float(row["mIoU_last"]))
    return dict(found)


def mean_of(found: dict[tuple[str, str], list[float]], noise: str, name: str, path: Path) -> float:
    """Average one loss's scores.

    Raises:
        SystemExit: if it has none.
    """
    values = found.get((noise, name))
    if not values:
        raise SystemExit(f"{path}: no finished run of {name} on {noise} labels")
    return sum(values) / len(values)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read, draw and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("anl", type=Path)
    parser.add_argument("others", type=Path)
    parser.add_argument("out", type=Path)
    settings = parser.parse_args(arguments)
    ours, others = scores(settings.anl), scores(settings.others)
    names = list(dict.fromkeys(name for _, name in ours))[::-1]
    # The same text and ids at every run: a figure changes where its numbers do.
    plt.rcParams |= {"svg.hashsalt": "segnoise", "svg.fonttype": "none", "font.size": 9}
    figure, axes = plt.subplots(
        1, len(NOISES), figsize=(8.5, 0.38 * len(names) + 1.2), sharey=True, layout="constrained"
    )
    for axis, (noise, title) in zip(axes, NOISES.items(), strict=True):
        for height, name in enumerate(names):
            values = ours.get((noise, name), [])
            axis.plot(values, [height] * len(values), "o", color="#33658a", markersize=5, alpha=0.7)
            if values:
                mean = sum(values) / len(values)
                axis.plot([mean, mean], [height - 0.3, height + 0.3], color="#33658a", linewidth=2)
        means = {name: mean_of(others, noise, name, settings.others) for name in OTHERS}
        for name, mean in means.items():
            axis.axvline(mean, color="#b3541e", linewidth=1, linestyle=OTHERS[name])
            side = "right" if mean == min(means.values()) else "left"
            axis.text(mean, len(names) - 0.35, f" {name} ", color="#b3541e", ha=side, va="bottom")
        axis.set_yticks(range(len(names)), names)
        axis.set_ylim(-0.6, len(names) - 0.4)
        axis.set_title(title, pad=18)
        axis.set_xlabel("mIoU, %")
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="x", color="#dddddd", linewidth=0.6)
        axis.set_axisbelow(True)
    figure.savefig(settings.out, metadata={"Date": None})


if __name__ == "__main__":
    main()
