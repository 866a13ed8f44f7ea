"""Train one cell in a process of its own: ``python -m segnoise.benchmark.worker FOLDER``.

The process ends when its standard input does, that is, when whoever started it is gone: a
benchmark that is killed leaves nothing behind that goes on writing. Killed itself, it goes on from
``last.pth``.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segnoise.output_folder import OutputFolder


def main(folder: Path, select: str, evaluate: str, num_examples: int, checkpoints: str) -> None:
    """Train, score, draw, and write ``result.json`` last; only score what is trained already."""
    from segnoise.benchmark.examples import draw_examples
    from segnoise.benchmark.plan import (
        CELL_FILES,
        CONFIG,
        EXAMPLES,
        RESULT,
        claimed_cell,
        read_result,
        scored_on,
    )
    from segnoise.engine.config import load_config
    from segnoise.engine.evaluate import evaluate as score
    from segnoise.files import write_json

    with claimed_cell(folder, keep=CELL_FILES) as out:
        config = load_config(folder / CONFIG)
        # It may be trained, but not tested.
        result = read_result(folder) or _train(folder, config, out)
        checkpoint = folder / f"{select}.pth"
        if evaluate == "test":
            result["test"] = score(config, checkpoint)
            result["tested"] = scored_on(config, select)
        if num_examples:
            draw_examples(config, checkpoint, folder / EXAMPLES, num_examples)
        write_json(folder / RESULT, result)
        if checkpoints == "delete":
            for name in ("last.pth", "best.pth"):
                (folder / name).unlink(missing_ok=True)


def _train(folder: Path, config: dict[str, Any], out: OutputFolder) -> dict[str, Any]:
    """Train, or go on; returns what ``result.json`` holds of it."""
    from segnoise.engine.train import summary, train

    begun = (folder / "last.pth").is_file()
    # Files without a checkpoint are those of a run that was killed before its first one.
    name = "_".join(folder.parts[-5:])
    trained = train(config, name=name, resume=begun, overwrite=not begun, into=out)
    print(summary(trained))
    noise = trained.check["noise"]
    return {
        "best": trained.best,
        "last": trained.last,
        "test": None,
        "noise_share": 100 * noise["pixel_rate"] if noise else 0.0,
        "seconds": training_seconds(folder, config["train_cfg"]),
    }


def training_seconds(folder: Path, train_cfg: dict[str, Any]) -> float | None:
    """Time of all iterations, data and steps, without checks and validations; None if unknown.

    It is taken from the scalars, so that it is the same whether or not a run was interrupted.
    """
    from segnoise.engine.hooks.scores import ENTRY
    from segnoise.engine.run_folder import SCALARS
    from segnoise.records import read_lines, read_record

    lines = (entry for _, entry in read_lines(folder / "scalars.json", SCALARS))
    entries = [entry for entry in lines if entry and {"time", "iter"} <= entry.keys()]
    seconds, before = 0.0, 0
    for entry in entries:
        seconds += entry["time"] * (entry["iter"] - before)
        before = entry["iter"]
    scores = read_record(folder / "scores.json", [ENTRY])
    return seconds * scores[-1]["iter"] / before if before and scores else None


def _end_with_parent() -> None:
    # Not sys.stdin, whose lock this thread would hold when the interpreter shuts down.
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from segnoise.engine.cli import run_tool

    place, chosen, split, number, after = sys.argv[1:]
    raise SystemExit(
        run_tool(
            lambda: main(Path(place), chosen, split, int(number), after),
            go_on="the same benchmark goes on",
        )
    )
