"""From a grid to the training config of each cell, and what has been done of it already."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segnoise.benchmark.doses import OutOfReachError, calibrated, stored_dose
from segnoise.benchmark.grid import Cell, Grid, check_options
from segnoise.benchmark.parts import check_parts
from segnoise.engine.config import dump_config, load_config, with_options
from segnoise.engine.hooks.scores import ENTRY, PERCENT
from segnoise.engine.keys import DEFAULTS, KEYS
from segnoise.engine.resume import as_json, comparable
from segnoise.errors import ConfigError, DataError, RecordError
from segnoise.files import write_json, write_text
from segnoise.output_folder import OutputFolder, claim
from segnoise.records import Maybe, Within, read_record

RESULT, FAILURE, CELL, CONFIG, OUTPUT = CELL_FILES = (
    "result.json", "failure.json", "cell.json", "cell.py", "output.log",
)  # fmt: skip
_RESULT_SCHEMA = {
    "best": Maybe(ENTRY),
    "last": Maybe(ENTRY),
    "test": Maybe({"mIoU": PERCENT}),
    "noise_share": Within(0, 100, float),
    "seconds": Maybe(Within(0, kind=float)),
    "tested?": dict,
}
EXAMPLES = "examples"
_KIND = "a benchmark's cell"
_PATIENCE = 60.0  # seconds; a cell's process ends when it notices that its benchmark is gone


@dataclass
class Plan:
    """All cells of a grid with their configs.

    Attributes:
        grid: the grid.
        folder: of the benchmark.
        configs: cell -> complete training config, where its noise is known.
        problems: cell -> why it can have none, such as a dose that cannot be reached.
        doses: (data set, noise) -> calibration, see :func:`calibrated`.
    """

    grid: Grid
    folder: Path
    configs: dict[Cell, dict[str, Any]] = field(default_factory=dict)
    problems: dict[Cell, str] = field(default_factory=dict)
    doses: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def folder_of(self, cell: Cell) -> Path:
        """The cell's folder."""
        return self.folder / cell.path


def make_plan(
    grid: Grid, folder: Path, options: Mapping[str, Any] | None = None, calibrate: bool = True
) -> Plan:
    """Build and check the config of every cell; those whose dose is not to be found get none."""
    check_options("--cfg-options", dict(options or {}))
    plan = Plan(grid, folder)
    bases = {
        name: load_config(
            entry["config"],
            {**entry["options"], **grid.options, **(options or {})},
            grid.allow_imports,
        )
        for name, entry in grid.datasets.items()
    }
    _check_splits(grid, bases)
    check_parts(grid, bases, folder)
    done: dict[tuple[str, ...], dict[str, Any]] = {}
    noises: dict[tuple[str, str], Any] = {}
    for cell in grid.cells():
        pair = (cell.dataset, cell.noise)
        if pair not in noises:
            noises[pair] = _noise(plan, cell, bases[cell.dataset], calibrate)
        if isinstance(noises[pair], str):
            if noises[pair]:
                plan.problems[cell] = noises[pair]
            continue
        names = cell[:4]
        if names not in done:
            changes = {"noise": noises[pair], **grid.training(cell.loss, cell.method)}
            try:
                done[names] = with_options(bases[cell.dataset], changes)
            except ConfigError as error:
                raise ConfigError(f"{' / '.join(names)}: {error}") from None
        plan.configs[cell] = {
            **done[names],
            "seed": cell.seed,
            "noise_seed": cell.seed,
            "work_dir": str(plan.folder_of(cell)),
        }
    return plan


def _check_splits(grid: Grid, bases: Mapping[str, Mapping[str, Any]]) -> None:
    needed = ["train_data", "val_data", *(["test_data"] if grid.evaluate == "test" else [])]
    for name, base in bases.items():
        for key in needed:
            if not base[key]:
                raise ConfigError(f"datasets.{name}: its config has no {key}")


def _noise(plan: Plan, cell: Cell, base: Mapping[str, Any], calibrate: bool) -> Any:
    """The config of a noise, or words on why there is none: empty ones if nobody has looked."""
    noise = plan.grid.noise_of(cell.dataset, cell.noise)
    if noise is None or "dose" not in noise:
        return noise
    config = {**base, "noise_seed": plan.grid.seeds[0]}
    asked = (plan.folder, cell.dataset, cell.noise, noise, config)
    if calibrate:
        try:
            found = calibrated(*asked)
        except (OutOfReachError, DataError, RecordError) as error:
            return str(error)
    else:
        try:
            stored = stored_dose(*asked)
        except RecordError as error:
            return str(error)
        if stored is None:
            return ""
        found = stored
    plan.doses[cell.dataset, cell.noise] = found
    return found["noise"]


def fingerprint(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a cell's weights and validation scores depend on; not places, loading, test data."""
    return {
        key: comparable(value)
        for key, value in json.loads(as_json(config)).items()
        if KEYS[key].decides != "nothing"
    }


def scored_on(config: Mapping[str, Any], select: str) -> dict[str, Any]:
    """What a test score depends on besides the training."""
    return {"select": select, "test_data": comparable(json.loads(as_json(config))["test_data"])}


def state(plan: Plan, cell: Cell) -> str:
    """What has been done of a cell.

    A cell with a problem has failed, whatever lies in its folder; a damaged file there becomes a
    problem of the plan. One without a config wants a dose that nobody has looked for: what has been
    trained there was trained under another.

    Returns:
        "done", "failed", "begun", "missing", "changed", or "untested" for one that is trained but
        lacks the test score that is asked for.
    """
    if cell in plan.problems:
        return "failed"
    try:
        return _state(plan, cell)
    except RecordError as error:
        plan.problems[cell] = str(error)
        return "failed"


def _state(plan: Plan, cell: Cell) -> str:
    folder = plan.folder_of(cell)
    stored = read_cell(folder)
    if stored is None:
        return "missing"
    if cell not in plan.configs or changed_keys(plan, cell, stored):
        return "changed"
    result = read_result(folder)
    if result and not _untested(plan, cell, result):
        return "done"
    if (folder / FAILURE).is_file():
        return "failed"
    if result:
        return "untested"
    return "begun" if (folder / OUTPUT).is_file() else "missing"


def changed_keys(plan: Plan, cell: Cell, stored: Mapping[str, Any]) -> list[str]:
    """Keys in which a cell's config differs from the one it was begun with."""
    now, before = fingerprint(plan.configs[cell]), stored["config"]
    before = {**DEFAULTS, **before}  # earlier versions have fewer keys
    return [key for key, value in now.items() if comparable(before[key]) != value]


def _untested(plan: Plan, cell: Cell, result: Mapping[str, Any]) -> bool:
    """Whether a trained cell lacks the test score that is asked for."""
    if plan.grid.evaluate != "test":
        return False
    if not result["test"]:
        return True
    now = scored_on(plan.configs[cell], plan.grid.select)
    before = result.get("tested") or {}
    return any(comparable(before.get(key)) != value for key, value in now.items())


def prepare(plan: Plan, overwrite: bool = False) -> list[Cell]:
    """Write the configs of the cells that are to be trained or tested, and return these cells.

    A cell that is to be tested and has no checkpoint any more becomes a problem of the plan.
    ``overwrite`` clears such cells, those whose config has changed, and those with damaged files.
    """
    states = {cell: state(plan, cell) for cell in plan.configs}
    changed = [cell for cell, what in states.items() if what == "changed"]
    if changed and not overwrite:
        folder = plan.folder_of(changed[0])
        keys = changed_keys(plan, changed[0], read_cell(folder) or {})
        raise ConfigError(
            f"{folder} was trained under another config ({', '.join(keys)}), one of "
            f"{len(changed)} such cell(s); take another --work-dir, or train these anew by "
            "--overwrite"
        )
    waiting = []
    for cell, what in states.items():
        folder = plan.folder_of(cell)
        damaged = cell in plan.problems
        if damaged and not overwrite:
            continue
        anew = damaged or what == "changed"
        if not anew and what != "done" and (folder / RESULT).is_file():
            checkpoint = folder / f"{plan.grid.select}.pth"
            anew = overwrite and not checkpoint.is_file()
            if not anew and not checkpoint.is_file():
                plan.problems[cell] = (
                    f"{checkpoint} was deleted, so it cannot be scored on test data; train it anew "
                    "by --overwrite, with checkpoints='keep' or evaluate='test' from the start"
                )
                continue
        if what == "done":
            continue
        with claimed_cell(folder) as out:
            if anew:
                out.clear()
                plan.problems.pop(cell, None)
            out.expect(CELL_FILES)
            write_text(folder / CONFIG, dump_config(plan.configs[cell]))
            write_json(folder / CELL, {"config": fingerprint(plan.configs[cell])})
        waiting.append(cell)
    return waiting


def claimed_cell(
    folder: Path, keep: Collection[str] = ()
) -> contextlib.AbstractContextManager[OutputFolder]:
    """A cell's folder, claimed once the process of a killed benchmark has left it."""
    flag = "--work-dir"
    return claim(folder, _KIND, flag=flag, keep=keep, patience=_PATIENCE)


def read_cell(folder: Path) -> dict[str, Any] | None:
    """What a cell was begun with; None if it was not begun."""
    remedy = "train the cell anew by --overwrite"
    return read_record(folder / CELL, {"config": dict}, remedy, optional=True)


def read_result(folder: Path) -> dict[str, Any] | None:
    """What a cell has come to; None if it has not come to an end."""
    return read_record(folder / RESULT, _RESULT_SCHEMA, optional=True)
