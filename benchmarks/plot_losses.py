"""Draw what benchmarks/losses.py --json has measured: each loss beside cross-entropy.

python benchmarks/plot_losses.py losses.json docs/performance_losses.svg
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt


def main(arguments: Sequence[str] | None = None) -> None:
    """Read, draw and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("json", type=Path)
    parser.add_argument("out", type=Path)
    settings = parser.parse_args(arguments)
    content = json.loads(settings.json.read_text())
    # The same text and ids at every run: a figure changes where its numbers do.
    plt.rcParams |= {"svg.hashsalt": "segnoise", "svg.fonttype": "none", "font.size": 8}
    tables = content["tables"]
    rows = max(len(table["rows"]) for table in tables)
    size = (4.2 * len(tables) + 1.2, 0.17 * rows + 1.4)
    figure, axes = plt.subplots(1, len(tables), figsize=size, squeeze=False, layout="constrained")
    for axis, table in zip(axes[0], tables, strict=True):
        found = sorted(table["rows"], key=lambda row: -row["both"])
        names = [
            row["loss"] if row["kernels"] == "auto" else f"{row['loss']} ({row['kernels']})"
            for row in found
        ]
        values = [row["both"] for row in found]
        colors = ["#b3541e" if "naive" in name else "#33658a" for name in names]
        axis.barh(names, values, color=colors, height=0.7)
        axis.axvline(1, color="black", linewidth=0.8)
        axis.axvline(table["floor"], color="black", linewidth=0.8, linestyle=":")
        axis.text(1, len(names) - 0.4, " F.cross_entropy", va="bottom", ha="left")
        axis.text(table["floor"], len(names) - 0.4, "floor ", va="bottom", ha="right")
        axis.set_xlim(0)
        axis.set_ylim(-0.6, len(names) + 0.6)
        axis.set_xlabel("time / time of F.cross_entropy, forward + backward")
        axis.set_title(" x ".join(map(str, table["shape"])))
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"{content['date']}, {content['device']}, {content['versions']}", fontsize=8)
    figure.savefig(settings.out, metadata={"Date": None})


if __name__ == "__main__":
    main()
