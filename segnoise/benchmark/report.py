"""The report as Markdown: results.md."""

from __future__ import annotations

from collections.abc import Sequence

from segnoise.benchmark.grid import Grid
from segnoise.benchmark.plan import Plan
from segnoise.benchmark.results import Row
from segnoise.benchmark.statistics import Difference, Spread
from segnoise.benchmark.tables import Block, Line, blocks
from segnoise.tables import markdown, printable


def plus_minus(value: Spread | None, digits: int = 1) -> str:
    """Mean and standard deviation, the mean alone of one value, a dash of none.

    Example:
        >>> plus_minus(Spread(71.26, 0.54, 3)), plus_minus(Spread(71.26, None, 1))
        ('71.3 ± 0.5', '71.3')
    """
    if value is None:
        return "-"
    mean = f"{value.mean:.{digits}f}"
    return mean if value.std is None else f"{mean} ± {value.std:.{digits}f}"


def interval(value: Difference | None) -> str:
    """A difference with its sign and 95 % interval.

    Example:
        >>> interval(Difference(1.5, 0.8, 3)), interval(Difference(-0.2, None, 1))
        ('+1.5 [+0.7, +2.3]', '-0.2')
    """
    if value is None:
        return "-"
    if value.half is None:
        return f"{value.mean:+.1f}"
    low, high = value.mean - value.half, value.mean + value.half
    return f"{value.mean:+.1f} [{low:+.1f}, {high:+.1f}]"


def header(grid: Grid) -> list[str]:
    """Titles of the columns of :func:`cells`."""
    tested = [f"test, {grid.select}"] if grid.evaluate == "test" else []
    return [
        "loss", "method", *tested, "last", "best", f"against {grid.baseline}", "recovered, %",
        "learnt wrong, %", "from epoch", "time, s", "seeds",
    ]  # fmt: skip


def cells(grid: Grid, line: Line) -> list[str]:
    """One line of a table as text."""
    tested = [plus_minus(line.scores["test"])] if grid.evaluate == "test" else []
    base = (line.loss, line.method) == (grid.baseline, "plain")
    return [
        line.loss,
        line.method,
        *tested,
        plus_minus(line.scores["last"]),
        plus_minus(line.scores["best"]),
        "baseline" if base else interval(line.difference),
        "" if line.recovered is None else f"{line.recovered:.0f}",
        plus_minus(line.given),
        plus_minus(line.begins),
        plus_minus(line.seconds, 0),
        f"{line.done}" if line.done == line.wanted else f"{line.done} of {line.wanted}",
    ]


def block_title(block: Block) -> str:
    """Data set, noise, and how much of it there is."""
    known = block.share is not None and block.share.mean > 0
    share = f", {plus_minus(block.share)} % of the labels wrong" if known else ""
    return f"{block.dataset}, {block.noise}{share}"


def explanation(grid: Grid) -> list[str]:
    """What the columns are."""
    main = grid.main_score
    where = "the test data" if main == "test" else f"the {main} epoch"
    return [
        "mIoU in percent on clean labels, mean ± sample standard deviation over the seeds. A seed "
        "decides weights, order, augmentation and the noise that is drawn.",
        f"Against {grid.baseline} (plain), of {where}: mean of the differences over the seeds that "
        "both have, with its 95 % confidence interval (Student's t; none of a single seed).",
        f"Recovered: share of the damage that the noise does to {grid.baseline} (plain) which is "
        "made good; empty where the clean run is missing or the damage is under one point.",
        "Learnt wrong: of the wrong training labels, the share that is predicted as given in the "
        "last epoch; from epoch: where that begins to rise for good, over the seeds where it does.",
        "Time: of the training's iterations, as measured beside whatever else ran.",
    ]


def notes(plan: Plan, rows: Sequence[Row]) -> list[str]:
    """Doses that were missed, cells that failed, cells that are missing."""
    found = [
        f"{dataset}, {noise}: dose missed: {dose['measure']} {dose['reached']:.4f} of "
        f"{dose['target']:g}"
        for (dataset, noise), dose in plan.doses.items()
        if not dose["hit"]
    ]
    for row in rows:
        if row.status == "failed":
            log = f" (log: {row.log})" if row.log else ""
            found.append(f"failed: {row.cell}: {row.error}{log}")
        elif row.status == "changed":
            found.append(f"trained under another config, and left out: {row.cell}")
    untested = sum(row.status == "untested" for row in rows)
    if untested:
        found.append(f"trained, but not scored on the test data that are asked for: {untested}")
    missing = [str(row.cell) for row in rows if row.status in ("missing", "begun", "untested")]
    if missing:
        listed = "; ".join(missing[:20]) + ("; ..." if len(missing) > 20 else "")
        found.append(f"missing: {len(missing)} of {len(rows)} cells: {listed}")
    return found


def report(plan: Plan, rows: Sequence[Row], title: str) -> str:
    """The whole report."""
    grid = plan.grid
    parts = [f"# {printable(title)}", "\n".join(f"- {printable(s)}" for s in explanation(grid))]
    for block in blocks(grid, rows):
        table = markdown(header(grid), [cells(grid, line) for line in block.lines], left=(0, 1))
        parts.append(f"## {printable(block_title(block))}\n\n{table}")
    if remarks := notes(plan, rows):
        parts.append("## Notes\n\n" + "\n".join(f"- {printable(words)}" for words in remarks))
    return "\n\n".join(parts) + "\n"
