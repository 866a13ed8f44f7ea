"""What the cells of a benchmark have come to, one row each, and as results.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segnoise.benchmark.grid import Cell
from segnoise.benchmark.plan import FAILURE, OUTPUT, Plan, read_result, state
from segnoise.engine.hooks import memorisation, scores
from segnoise.errors import RecordError
from segnoise.files import write_text
from segnoise.metrics.memorisation import memorisation_begins
from segnoise.records import Within, read_record

_FAILURE_SCHEMA = {"error": str, "log": str}
_EXAMPLES_SCHEMA = {
    "samples": [str],
    "checkpoint": str,
    "classes": [str],
    "palette": [(Within(0, 255), Within(0, 255), Within(0, 255))],
}
SHARES = ("given", "true", "other", "right_accuracy")


@dataclass(frozen=True)
class Row:
    """One cell's outcome; scores in percent, None where there are none.

    Attributes:
        cell: which.
        status: see :func:`segnoise.benchmark.plan.state`.
        error: why it failed, or has no config.
        log: path of its output.
        result: content of ``result.json``.
        scores: entries of ``scores.json``.
        memorisation: entries of ``memorisation.json``.
        examples: content of ``examples.json``; None where nothing was drawn.
        folder: of the cell.
    """

    cell: Cell
    status: str
    folder: Path
    error: str = ""
    log: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    scores: list[dict[str, Any]] = field(default_factory=list)
    memorisation: list[dict[str, Any]] = field(default_factory=list)
    examples: dict[str, Any] | None = None

    def score(self, which: str) -> float | None:
        """Mean IoU of "best", "last" or "test"."""
        entry = self.result.get(which)
        return entry["mIoU"] if entry else None


def read_rows(plan: Plan) -> list[Row]:
    """One row for each cell of the grid, in its order; a damaged file makes a failed one."""
    rows = []
    for cell in plan.grid.cells():
        folder = plan.folder_of(cell)
        try:
            rows.append(_row(plan, cell, folder))
        except RecordError as error:
            rows.append(Row(cell, "failed", folder, error=str(error)))
    return rows


def _row(plan: Plan, cell: Cell, folder: Path) -> Row:
    status = state(plan, cell)
    if cell in plan.problems:
        return Row(cell, "failed", folder, error=plan.problems[cell])
    if status == "failed":
        failure = read_record(folder / FAILURE, _FAILURE_SCHEMA)
        return Row(cell, status, folder, error=failure["error"], log=failure["log"])
    if status != "done":
        return Row(cell, status, folder)
    return Row(
        cell,
        status,
        folder,
        log=str(folder / OUTPUT),
        result=read_result(folder) or {},
        scores=read_record(folder / "scores.json", [scores.ENTRY], optional=True) or [],
        memorisation=read_record(folder / "memorisation.json", [memorisation.ENTRY], optional=True)
        or [],
        examples=_examples(folder),
    )


def _examples(folder: Path) -> dict[str, Any] | None:
    path = folder / "examples" / "examples.json"
    found: dict[str, Any] | None = read_record(path, _EXAMPLES_SCHEMA, optional=True)
    if found is not None and len(found["classes"]) != len(found["palette"]):
        raise RecordError(f"{path}: damaged: not one colour a class; delete it")
    return found


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write one line a cell, numbers as they are; an empty field is a number that there is not."""
    classes = list(dict.fromkeys(name for row in rows for name in _ious(row)))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["dataset", "noise", "loss", "method", "seed", "status", "noise_share", "mIoU_last",
         "mIoU_best", "mIoU_test", "best_iter", *(f"wrong_{n}" for n in SHARES[:3]),
         "right_accuracy", "memorisation_begins", "seconds", *(f"IoU {n}" for n in classes),
         "error"]
    )  # fmt: skip
    for row in rows:
        last = row.memorisation[-1] if row.memorisation else {}
        ious = _ious(row)
        writer.writerow(
            _field(value)
            for value in [
                *row.cell, row.status, row.result.get("noise_share"), row.score("last"),
                row.score("best"), row.score("test"), (row.result.get("best") or {}).get("iter"),
                *(last.get(name) for name in SHARES), memorisation_begins(row.memorisation),
                row.result.get("seconds"), *(ious.get(name) for name in classes), row.error,
            ]
        )  # fmt: skip
    write_text(path, text.getvalue())


def _ious(row: Row) -> dict[str, float | None]:
    """IoU of each class, of the last epoch."""
    entry = row.result.get("last") or {"classes": {}}
    return {name: values["IoU"] for name, values in entry["classes"].items()}


def _field(value: Any) -> Any:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else value
