"""Plans: the config of every cell, doses found once, and cells that have changed."""

import json

import pytest
import tiny_training

from segnoise.benchmark import doses
from segnoise.benchmark.grid import build_grid, load_grid
from segnoise.benchmark.plan import make_plan, prepare, scored_on, state
from segnoise.benchmark.results import read_rows
from segnoise.engine.config import load_config
from segnoise.engine.config_files import shipped_configs
from segnoise.errors import ConfigError
from segnoise.output_folder import MARK, announce

FLIPS = {"type": "SymmetricFlip", "rate": 0.4}
RESULT = {"best": None, "last": None, "test": None, "noise_share": 0.0, "seconds": None}


@pytest.fixture
def base(tmp_path):
    path = tiny_training.write(tmp_path / "base.py", tiny_training.config(tmp_path))
    return str(path)


def grid(base, **changes):
    return build_grid(
        {
            "datasets": {"a": base, "b": {"config": base, "options": {"batch_size": 3}}},
            "noises": {"clean": None, "dose": {"dose": 0.2, "noise": FLIPS}},
            "losses": {"CE": {"type": "CE"}},
            "methods": {"plain": {}, "EMA": {"ema": {"momentum": 0.1}, "train_cfg.max_iters": 4}},
            "seeds": [3, 5],
            **changes,
        }
    )


def by_name(plan):
    return {tuple(cell): config for cell, config in plan.configs.items()}


def test_every_cell_has_its_config(base, tmp_path):
    plan = make_plan(grid(base, options={"log_interval": 7}), tmp_path / "x", {"batch_size": 5})
    configs = by_name(plan)
    assert len(configs) == 16
    config = configs["b", "dose", "CE", "EMA", 5]
    assert (config["seed"], config["noise_seed"]) == (5, 5)
    assert config["batch_size"] == 5, "the command line comes last"
    assert config["log_interval"] == 7
    assert config["ema"] == {"momentum": 0.1}
    assert config["train_cfg"] == {"max_iters": 4, "val_interval": 4}
    assert config["work_dir"].endswith("b/dose/CE/EMA/seed_5")
    assert config["noise"]["rate"] == pytest.approx(0.2, abs=0.02)
    plain = configs["b", "clean", "CE", "plain", 3]
    assert plain["noise"] is None
    assert plain["ema"] is None
    assert plain["train_cfg"]["max_iters"] == 8
    assert (
        by_name(make_plan(grid(base), tmp_path / "x"))["b", "clean", "CE", "plain", 3]["batch_size"]
        == 3
    )


def test_a_dose_is_found_once_and_found_again_when_it_changes(base, tmp_path, monkeypatch):
    calls = []
    real = doses.calibrate
    monkeypatch.setattr(doses, "calibrate", lambda *a, **k: calls.append(a) or real(*a, **k))
    first = make_plan(grid(base), tmp_path / "x")
    assert len(calls) == 2, "once for each data set, not for each cell"
    second = make_plan(grid(base), tmp_path / "x")
    assert len(calls) == 2
    assert second.configs == first.configs
    stored = json.loads((tmp_path / "x" / "noises" / "a" / "dose.json").read_text())
    assert stored["reached"] == pytest.approx(0.2, abs=0.01)
    assert stored["hit"]
    make_plan(grid(base, noises={"dose": {"dose": 0.1, "noise": FLIPS}}), tmp_path / "x")
    assert len(calls) == 4


def test_without_calibration_the_cells_that_need_one_have_no_config(base, tmp_path):
    plan = make_plan(grid(base), tmp_path / "x", calibrate=False)
    assert {cell.noise for cell in plan.configs} == {"clean"}
    assert plan.problems == {}
    assert {row.status for row in read_rows(plan)} == {"missing"}
    assert not (tmp_path / "x").exists()


def test_a_dose_out_of_reach_is_a_problem_of_its_cells_alone(base, tmp_path):
    far = {"dose": 0.9, "noise": {"type": "BoundaryErosion", "width": 1}}
    plan = make_plan(grid(base, noises={"clean": None, "far": far}), tmp_path / "x")
    assert {cell.noise for cell in plan.configs} == {"clean"}
    assert all("at the most" in words for words in plan.problems.values())
    assert len(plan.problems) == 8


def test_results_of_another_dose_are_not_done(base, tmp_path):
    def doses_of(dose):
        return grid(base, noises={"x": {"dose": dose, "noise": FLIPS}})

    for cell in prepare(plan := make_plan(doses_of(0.2), tmp_path / "x")):
        (plan.folder_of(cell) / "result.json").write_text(json.dumps(RESULT))
    for calibrate in (False, True):
        assert states(make_plan(doses_of(0.2), tmp_path / "x", calibrate=calibrate)) == {"done"}
    moved = {"train_data.root": str(tmp_path / "data"), "data_root": str(tmp_path / "elsewhere")}
    plan = make_plan(doses_of(0.2), tmp_path / "x", moved, calibrate=False)
    assert len(plan.doses) == 2, "where data lie does not matter"
    for calibrate in (False, True):
        plan = make_plan(doses_of(0.1), tmp_path / "x", calibrate=calibrate)
        assert states(plan) == {"changed"}
        assert {row.status for row in read_rows(plan)} == {"changed"}


def test_a_cell_with_a_problem_is_never_done(base, tmp_path):
    near = {"dose": 0.02, "noise": {"type": "BoundaryErosion", "width": 1}}
    for cell in prepare(plan := make_plan(grid(base, noises={"x": near}), tmp_path / "x")):
        (plan.folder_of(cell) / "result.json").write_text(json.dumps(RESULT))
    plan = make_plan(grid(base, noises={"x": {**near, "dose": 0.9}}), tmp_path / "x")
    rows = read_rows(plan)
    assert {state(plan, row.cell) for row in rows} == {row.status for row in rows} == {"failed"}
    assert all("at the most" in row.error for row in rows)


def test_cells_are_prepared_and_loaded_as_they_are(base, tmp_path):
    plan = make_plan(grid(base), tmp_path / "x")
    cells = prepare(plan)
    assert len(cells) == 16
    for cell in cells[:3]:
        assert load_config(plan.folder_of(cell) / "cell.py") == plan.configs[cell]
    assert {state(plan, cell) for cell in cells} == {"missing"}
    (plan.folder_of(cells[0]) / "result.json").write_text(json.dumps(RESULT))
    (plan.folder_of(cells[1]) / "failure.json").write_text('{"error": "x", "log": "y"}')
    (plan.folder_of(cells[2]) / "output.log").touch()
    assert [state(plan, cell) for cell in cells[:3]] == ["done", "failed", "begun"]
    assert prepare(plan) == cells[1:]


def test_changed_cells_are_refused_or_cleared(base, tmp_path):
    plan = make_plan(grid(base), tmp_path / "x")
    done = prepare(plan)[0]
    (plan.folder_of(done) / "result.json").write_text(json.dumps(RESULT))
    announce(plan.folder_of(done), "last.pth", "scores.json", "examples/0_image.png")
    for name in ("last.pth", "scores.json", "output.log"):
        (plan.folder_of(done) / name).write_text("{}")
    (plan.folder_of(done) / "examples").mkdir()
    (plan.folder_of(done) / "examples" / "0_image.png").touch()
    moved = make_plan(grid(base), tmp_path / "x", {"num_workers": 1, "log_interval": 9})
    assert state(moved, done) == "done", "how data are loaded does not matter"
    other = make_plan(grid(base), tmp_path / "x", {"optim_wrapper.optimizer.lr": 0.5})
    with pytest.raises(ConfigError, match=r"another config \(optim_wrapper\), one of 16 such"):
        prepare(other)
    assert (plan.folder_of(done) / "result.json").exists()
    assert done in prepare(other, overwrite=True)
    assert {p.name for p in plan.folder_of(done).iterdir()} == {"cell.py", "cell.json", MARK}


def finished(plan, **result):
    """Put a result into every cell's folder."""
    for cell in prepare(plan):
        folder = plan.folder_of(cell)
        (folder / "result.json").write_text(json.dumps({**RESULT, **result}))
        (folder / "last.pth").touch()
        (folder / "examples").mkdir()
        announce(folder, "examples/0_image.png")
    return plan


def states(plan):
    return {state(plan, cell) for cell in plan.grid.cells()}


ONE = {"noises": {"clean": None}, "seeds": [0]}


def test_what_does_not_decide_the_weights_may_change(base, tmp_path):
    finished(make_plan(grid(base, **ONE), tmp_path / "x"), test=None)
    changes = {
        "eval_batch_size": 7, "test_data.num_images": 3, "train_data.root": str(tmp_path / "data"),
        "val_data.root": str(tmp_path / "elsewhere"), "data_root": str(tmp_path / "elsewhere"),
    }  # fmt: skip
    assert states(make_plan(grid(base, select="best", **ONE), tmp_path / "x", changes)) == {"done"}
    other = make_plan(grid(base, **ONE), tmp_path / "x", {"val_data.num_images": 3})
    assert states(other) == {"changed"}


def test_a_test_score_that_is_missing_is_measured_of_the_checkpoint(base, tmp_path):
    finished(make_plan(grid(base, **ONE), tmp_path / "x"), test=None)
    plan = make_plan(grid(base, evaluate="test", **ONE), tmp_path / "x")
    assert states(plan) == {"untested"}
    assert {row.score("test") for row in read_rows(plan)} == {None}
    cells = prepare(plan)
    assert len(cells) == 4
    kept = {"result.json", "last.pth", "examples", "cell.py", "cell.json", MARK}
    for cell in cells:
        assert {p.name for p in plan.folder_of(cell).iterdir()} == kept
    first = plan.folder_of(cells[0])
    scored = {"test": {"mIoU": 5.0}, "tested": scored_on(plan.configs[cells[0]], "last")}
    (first / "result.json").write_text(json.dumps({**RESULT, **scored}))
    assert state(plan, cells[0]) == "done"
    (plan.folder_of(cells[1]) / "failure.json").write_text('{"error": "x", "log": "y"}')
    assert state(plan, cells[1]) == "failed"
    for changes, options in (({"select": "best"}, {}), ({}, {"test_data.num_images": 3})):
        again = make_plan(grid(base, evaluate="test", **changes, **ONE), tmp_path / "x", options)
        assert state(again, cells[0]) == "untested", "the score is of something else"


def test_a_checkpoint_that_is_missed_is_told(base, tmp_path):
    cells = prepare(finished(make_plan(grid(base, **ONE), tmp_path / "x"), test=None))
    wanted = grid(base, evaluate="test", **ONE)
    plan = make_plan(wanted, tmp_path / "x")
    gone = plan.grid.cells()[0]
    (plan.folder_of(gone) / "last.pth").unlink()
    assert cells == []
    assert len(prepare(plan)) == 3
    assert "last.pth was deleted" in plan.problems[gone]
    assert "checkpoints='keep'" in plan.problems[gone]
    assert next(row.status for row in read_rows(plan) if row.cell == gone) == "failed"
    assert len(prepare(make_plan(wanted, tmp_path / "x"), overwrite=True)) == 4
    assert {p.name for p in plan.folder_of(gone).iterdir()} == {"cell.py", "cell.json", MARK}
    assert (plan.folder_of(plan.grid.cells()[1]) / "result.json").is_file()


@pytest.mark.parametrize("key", ["seed", "noise_seed", "work_dir", "noise.rate", "losses.0.alpha"])
def test_the_command_line_does_not_change_what_the_grid_decides(base, tmp_path, key):
    with pytest.raises(ConfigError, match=rf"^--cfg-options\.{key}: the .* decide"):
        make_plan(grid(base), tmp_path / "x", {key: 1})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"losses": {"CE": {"type": "CEE"}}}, r"a / CE / plain: losses\.0\.type: no loss .*'CEE'"),
        ({"losses": {"CE": {"type": "CE", "foo": 3}}}, r"a / CE / plain: losses\.0: .*'foo'"),
        ({"losses": {"CE": {"type": "GCE", "q": 7}}}, r"a / CE / plain: losses\.0: .*7"),
        ({"losses": {"CE": {"type": "CE", "class_weights": [1.0]}}}, "1 numbers for 5 classes"),
        ({"losses": {"CE": {"type": "CE", "class_weights": "x"}}}, r"losses\.0\.class_weights: "),
        ({"methods": {"plain": {}, "w": {"methods": [{"type": "WarmUp", "end": 3}]}}},
         r"a / CE / w: methods\.0: .*3"),
        ({"noises": {"x": {"type": "SymmetricFlip", "rate": 7}}}, r"noises\.x on a: .*rate"),
        ({"noises": {"x": {"dose": 0.1, "noise": {"type": "SymetricFlip"}}}},
         r"noises\.x on a: .*did you mean '?SymmetricFlip"),
        ({"noises": {"x": {"dose": 0.1, "measure": "rate", "noise": FLIPS}}},
         r"noises\.x on a: measure must be"),
        ({"noises": {"x": {"dose": 3, "noise": FLIPS}}}, r"noises\.x on a: .*dose"),
        ({"noises": {"x": {"dose": 0.1, "sample": 0, "noise": FLIPS}}},
         r"noises\.x on a: .*sample"),
        ({"noises": {"x": {"dose": 0.1, "noise": {"type": "SymmetricFlip", "rate": 7}}}},
         r"noises\.x on a: .*rate"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("calibrate", [False, True])
def test_parts_that_cannot_be_built(base, tmp_path, changes, words, calibrate):
    with pytest.raises(ConfigError, match=words):
        make_plan(grid(base, **changes), tmp_path / "x", calibrate=calibrate)
    assert not (tmp_path / "x").exists()


def test_missing_data_do_not_hide_a_misspelt_loss(base, tmp_path):
    nowhere = {"train_data": {"type": "CamVid", "split": "train"}, "data_root": str(tmp_path)}
    plan = make_plan(grid(base, noises={"x": FLIPS}), tmp_path / "x", nowhere, calibrate=False)
    assert len(plan.configs) == 8
    with pytest.raises(ConfigError, match="no loss called 'CEE'"):
        make_plan(grid(base, losses={"CE": {"type": "CEE"}}), tmp_path / "x", nowhere)


def test_a_config_without_the_data_that_are_scored(base, tmp_path):
    with pytest.raises(ConfigError, match=r"datasets\.a: its config has no test_data"):
        make_plan(grid(base, evaluate="test"), tmp_path / "x", {"test_data": None})


@pytest.mark.parametrize("path", sorted((shipped_configs() / "benchmarks").glob("*.py")))
def test_shipped_grids_are_sound(path, tmp_path):
    grid = load_grid(path)
    changes = {"data_root": str(tmp_path)}
    plan = make_plan(grid, tmp_path / "x", changes, calibrate=False)
    unknown = {cell for cell in grid.cells() if cell not in plan.configs}
    assert all("dose" in grid.noise_of(cell.dataset, cell.noise) for cell in unknown)
    assert len(unknown) < len(grid.cells())
