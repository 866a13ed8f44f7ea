"""Run a benchmark: plan, train what is missing, and report after every cell."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from segnoise.benchmark.doses import dose_file
from segnoise.benchmark.grid import Grid
from segnoise.benchmark.page import report_page
from segnoise.benchmark.plan import Plan, make_plan, prepare, state
from segnoise.benchmark.processes import Job, run_here, run_with_ray
from segnoise.benchmark.report import report
from segnoise.benchmark.results import Row, read_rows, write_csv
from segnoise.engine.evaluate import percent
from segnoise.errors import ConfigError
from segnoise.files import write_text
from segnoise.output_folder import claim

_REPORTS = ("results.csv", "results.md", "report.html")


def run_benchmark(
    grid: Grid,
    folder: Path,
    *,
    title: str = "Benchmark",
    options: Mapping[str, Any] | None = None,
    jobs: int = 1,
    ray: str | bool = False,
    overwrite: bool = False,
) -> list[Row]:
    """Train the cells that are not done yet, and write the report.

    Killed at any time, the same call goes on: finished cells are kept, others resume; ``overwrite``
    trains those anew whose config has changed. ``ray=True`` starts a local cluster, a text is the
    address of a running one.
    """
    if jobs < 1:
        raise ConfigError(f"--jobs {jobs}: at least 1")
    with _claimed(grid, folder):
        plan = make_plan(grid, folder, options)
        waiting = prepare(plan, overwrite)
        cells = grid.cells()
        print(f"{len(cells)} cells, {len(cells) - len(waiting)} done or impossible: {folder}")
        for cell, problem in plan.problems.items():
            print(f"cannot run {cell}: {problem}", flush=True)
        threads = max(1, (os.cpu_count() or 1) // max(1, min(jobs, len(waiting))))
        tasks = [
            Job(
                plan.folder_of(cell),
                grid.select,
                grid.evaluate,
                grid.num_examples if cell.seed == grid.seeds[0] else 0,
                grid.checkpoints,
                threads,
            )
            for cell in waiting
        ]
        address = ray if isinstance(ray, str) else None
        ended = run_with_ray(tasks, jobs, address) if ray else run_here(tasks, jobs)
        began = time.monotonic()
        with contextlib.closing(ended):
            for count, number in enumerate(ended, start=1):
                rows = write_tables(plan, title)
                row = next(r for r in rows if r.cell == waiting[number])
                left = (time.monotonic() - began) / count * (len(waiting) - count)
                print(f"[{count}/{len(waiting)}] {_words(grid, row)}; {_eta(left)}", flush=True)
        return write_report(plan, title)


def report_only(
    grid: Grid, folder: Path, title: str, options: Mapping[str, Any] | None = None
) -> list[Row]:
    """Write the report from what there is, and train nothing."""
    if not folder.is_dir():
        raise ConfigError(f"--report-only: no folder {folder}; name a benchmark's by --work-dir")
    with _claimed(grid, folder):
        return write_report(make_plan(grid, folder, options, calibrate=False), title)


def dry_run(grid: Grid, folder: Path, options: Mapping[str, Any] | None = None) -> str:
    """The cells and what has been done of them, as text."""
    plan = make_plan(grid, folder, options, calibrate=False)
    states = {cell: state(plan, cell) for cell in grid.cells()}
    lines = [f"{what:<8} {cell}" for cell, what in states.items()]
    counts = ", ".join(f"{n} {what}" for what, n in Counter(states.values()).items())
    return "\n".join([*lines, f"{len(states)} cells: {counts}"])


def write_tables(plan: Plan, title: str) -> list[Row]:
    """Write results.csv and results.md."""
    rows = read_rows(plan)
    write_csv(plan.folder / "results.csv", rows)
    write_text(plan.folder / "results.md", report(plan, rows, title))
    return rows


def write_report(plan: Plan, title: str) -> list[Row]:
    """Write results.csv, results.md and report.html."""
    rows = write_tables(plan, title)
    write_text(plan.folder / "report.html", report_page(plan, rows, title))
    return rows


def _words(grid: Grid, row: Row) -> str:
    if row.status != "done":
        return f"{row.cell}: FAILED: {row.error} (log: {row.log})"
    main = grid.main_score
    seconds = row.result["seconds"]
    took = "" if seconds is None else f", {seconds:.0f} s"
    scores = [f"{which} {percent(row.score(which))}" for which in dict.fromkeys((main, "best"))]
    return f"{row.cell}: mIoU {', '.join(scores)}{took}"


def _eta(seconds: float) -> str:
    """How long it will take.

    Example:
        >>> _eta(40), _eta(4000)
        ('40 s left', '1 h 07 min left')
    """
    if seconds < 90:
        return f"{seconds:.0f} s left"
    minutes = round(seconds / 60)
    return (
        f"{minutes} min left" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min left"
    )


@contextlib.contextmanager
def _claimed(grid: Grid, folder: Path) -> Iterator[None]:
    """Make the folder this benchmark's, and keep a second one out of it."""
    with claim(folder, "a benchmark", flag="--work-dir") as out:
        doses = {dose_file(cell.dataset, cell.noise) for cell in grid.cells()}
        out.expect([*_REPORTS, *sorted(doses)])
        yield
