"""The table of a data set under a noise: one line a loss and method, over the seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from segnoise.benchmark.grid import Grid
from segnoise.benchmark.results import Row
from segnoise.benchmark.statistics import (
    Difference,
    Spread,
    damage_recovered,
    paired_difference,
    spread,
)
from segnoise.metrics.memorisation import memorisation_begins

Key = tuple[str, str]


class Line(NamedTuple):
    """One loss and method under one noise of one data set.

    Attributes:
        loss: name of the loss.
        method: name of the method.
        scores: "last", "best" and "test" -> mIoU over the seeds.
        difference: of the main score to the baseline, paired by seed; None for the baseline.
        recovered: damage recovered in percent.
        given: share of the wrong labels that are predicted as given, at the end.
        begins: epoch at which memorisation begins, over the seeds where it does.
        seconds: of training.
        done: seeds that are done.
        wanted: seeds of the grid.
    """

    loss: str
    method: str
    scores: dict[str, Spread | None]
    difference: Difference | None
    recovered: float | None
    given: Spread | None
    begins: Spread | None
    seconds: Spread | None
    done: int
    wanted: int

    @property
    def name(self) -> str:
        """Loss, and method where it is not plain."""
        return line_name(self.loss, self.method)


class Block(NamedTuple):
    """A data set under a noise.

    Attributes:
        dataset: name of the data set.
        noise: name of the noise.
        share: realised noise, percent of the valid training pixels, over the seeds of the baseline
            (methods may change labels of their own accord); None where none is done.
        lines: one for each loss and method, in the grid's order.
    """

    dataset: str
    noise: str
    share: Spread | None
    lines: list[Line]


def line_name(loss: str, method: str) -> str:
    """Loss, and method where it is not plain."""
    return loss if method == "plain" else f"{loss}, {method}"


def blocks(grid: Grid, rows: Sequence[Row]) -> list[Block]:
    """Gather rows into one block for each data set and noise that has cells."""
    main, base = grid.main_score, (grid.baseline, "plain")
    grouped: dict[tuple[str, str], dict[Key, list[Row]]] = {}
    for row in rows:
        cell = row.cell
        group = grouped.setdefault((cell.dataset, cell.noise), {})
        group.setdefault((cell.loss, cell.method), []).append(row)
    found = []
    for dataset in grid.datasets:
        for noise in grid.noises:
            group = grouped.get((dataset, noise), {})
            if not group:
                continue
            noisy = by_seed(group.get(base, []), main)
            clean: Mapping[int, float] = {}
            if grid.clean is not None and noise != grid.clean:
                clean = by_seed(grouped.get((dataset, grid.clean), {}).get(base, []), main)
            shares = [row.result["noise_share"] for row in group.get(base, []) if row.result]
            lines = [
                _line(key, members, main, None if key == base else noisy, noisy, clean)
                for key, members in group.items()
            ]
            found.append(Block(dataset, noise, spread(shares), lines))
    return found


def by_seed(rows: Sequence[Row], which: str) -> dict[int, float]:
    """Mean IoU of the rows that have one, by seed."""
    scores = {row.cell.seed: row.score(which) for row in rows}
    return {seed: score for seed, score in scores.items() if score is not None}


def _line(
    key: Key,
    rows: Sequence[Row],
    main: str,
    paired: Mapping[int, float] | None,
    noisy: Mapping[int, float],
    clean: Mapping[int, float],
) -> Line:
    values = by_seed(rows, main)
    done = [row for row in rows if row.result]
    last = [row.memorisation[-1]["given"] for row in done if row.memorisation]
    begins = [memorisation_begins(row.memorisation) for row in done]
    seconds = [row.result["seconds"] for row in done]
    return Line(
        *key,
        scores={
            which: spread(list(by_seed(rows, which).values())) for which in ("last", "best", "test")
        },
        difference=None if paired is None else paired_difference(values, paired),
        recovered=None if paired is None else damage_recovered(values, noisy, clean),
        given=spread([value for value in last if value is not None]),
        begins=spread([value for value in begins if value is not None]),
        seconds=spread([value for value in seconds if value is not None]),
        done=len(done),
        wanted=len(rows),
    )
