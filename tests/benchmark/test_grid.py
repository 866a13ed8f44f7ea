"""Grids: what is expanded, what is left out, and every mistake named."""

import json

import pytest

from segnoise.benchmark.grid import Cell, build_grid, load_grid, slug
from segnoise.errors import ConfigError

NOISE = {"type": "SymmetricFlip", "rate": 0.4}


def grid(**changes):
    return build_grid(
        {
            "datasets": {"a": "a.py", "b": "b.py"},
            "noises": {"clean": None, "flips": NOISE},
            "losses": {"CE": [{"type": "CE"}], "ANL": {"type": "ANL-CE"}},
            "seeds": [0, 1],
            **changes,
        }
    )


def test_the_grid_is_the_product():
    cells = grid(methods={"plain": {}, "EMA": {"ema": {"momentum": 0.1}}}).cells()
    assert len(cells) == len(set(cells)) == 2 * 2 * 2 * 2 * 2
    assert cells[0] == Cell("a", "clean", "CE", "plain", 0)
    assert {cell.seed for cell in cells[:16]} == {0}, "all of the first seed come first"
    assert len({cell.path for cell in cells}) == len(cells)
    assert cells[-1].path.as_posix() == "b/flips/ANL/EMA/seed_1"


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        ({"dataset": "a"}, 8),
        ({"dataset": "a", "noise": "flips"}, 12),
        ({"noise": "clean", "loss": {"not": ["CE"]}}, 12),
        ({"seed": [1], "loss": ["CE", "ANL"]}, 8),
        ({"seed": 1, "noise": "clean", "dataset": {"not": "b"}}, 14),
    ],
)
def test_cells_are_left_out(rule, left):
    cells = grid(skip=[rule]).cells()
    assert len(cells) == left
    if rule.get("loss") == {"not": ["CE"]}:
        assert {c.loss for c in cells if c.noise == "clean"} == {"CE"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": [1]}, "unknown key seed; did you mean seeds"),
        ({"loses": {}}, "unknown key loses; did you mean losses"),
        ({"datasets": {}}, "datasets must be a dict of at least one name"),
        ({"datasets": {"a": 3}}, r"datasets\.a must be the path"),
        ({"datasets": {"a": {"config": "a.py", "option": {}}}}, r"datasets\.a\.option; known"),
        ({"noises": {"x": {"rate": 1}}}, r"noises\.x has neither"),
        ({"noises": {"x": {"dose": 0.1}}}, r"noises\.x: a dose wants"),
        ({"noises": {"x": {"dose": 1, "noise": NOISE, "measur": "miou"}}}, "mean measure"),
        ({"noises": {"x": {"per_dataset": {}}}}, "must stand alone and be a dict of noises"),
        ({"noises": {"x": {"per_dataset": {"aa": NOISE}}}}, r"no data set 'aa'"),
        ({"noises": {"x": {"per_dataset": {"a": NOISE, "b": None}}}}, r"per_dataset\.b must be"),
        ({"losses": {"CE": "CE"}}, r"losses\.CE must be a list of dicts"),
        ({"losses": {"CE": {"type": "CE"}, "C/E": {}, "C E": {}}}, "'C/E' and 'C E' would share"),
        ({"losses": {"CE": {"type": "CE"}, "ce": {}}}, "would share the folder ce"),
        ({"losses": {"CE": {"type": "CE"}, "..": {}}}, "is no name"),
        ({"methods": {"EMA": {}}}, "methods has no 'plain'"),
        ({"methods": {"plain": {}, "x": {"emma": 1}}}, r"methods\.x\.emma; did you mean ema"),
        ({"methods": {"plain": {"seed": 3}}}, r"methods\.plain\.seed: the grid's seeds decide"),
        ({"methods": {"plain": {}, "x": {"losses": []}}}, r"methods\.x\.losses: the grid's losses"),
        (
            {"methods": {"plain": {"noise.rate": 1}}},
            r"plain\.noise\.rate: the grid's noises",
        ),
        ({"options": {"noise_seed": 3}}, r"options\.noise_seed: the grid's seeds decide"),
        ({"options": {"work_dir": "x"}}, r"options\.work_dir: .* give --work-dir"),
        ({"options": {"losses.0.q": 3}}, r"options\.losses\.0\.q: the grid's losses decide"),
        ({"options": {"train_cgf.max_iters": 1}}, r"options\.train_cgf.*mean train_cfg"),
        ({"seeds": []}, r"seeds(\.0)? must be"),
        ({"seeds": [1, 1]}, r"seeds(\.0)? must be"),
        ({"seeds": [-1]}, r"seeds(\.0)? must be"),
        ({"baseline": "GCE"}, "baseline 'GCE' is none of the losses: CE, ANL"),
        ({"select": "first"}, "select must be 'last' or 'best'"),
        ({"evaluate": "train"}, "evaluate must be 'val' or 'test'"),
        ({"checkpoints": False}, "checkpoints must be 'keep' or 'delete'"),
        ({"num_examples": -1}, "num_examples"),
        ({"skip": [{"datasets": "a"}]}, r"skip\.0\.datasets; did you mean dataset"),
        ({"skip": [{"noise": "flipps"}]}, "no noise 'flipps'; did you mean flips"),
        ({"skip": [{"noise": {"but": "clean"}}]}, "a dict must be"),
        ({"skip": [{"seed": 7}]}, "no seed 7"),
        ({"skip": [{"seed": [0, 1]}]}, "leaves no cell"),
    ],
)
def test_mistakes_are_named(changes, words):
    with pytest.raises(ConfigError, match=words):
        grid(**changes)


def test_a_part_is_missing():
    with pytest.raises(ConfigError, match="noises is missing"):
        build_grid({"datasets": {"a": "a.py"}})


def test_an_error_names_the_file(tmp_path):
    path = tmp_path / "grid.py"
    path.write_text("datasets = dict(a='a.py')\nseed = [1]\n")
    with pytest.raises(ConfigError, match=r"grid\.py: unknown key seed; did you mean seeds"):
        load_grid(path)
    path.write_text("datasets = dict(")
    with pytest.raises(ConfigError, match=r"grid\.py: .*SyntaxError"):
        load_grid(path)


def test_noises_of_a_data_set():
    other = {"type": "BoundaryErosion", "width": 2}
    made = grid(noises={"clean": None, "x": {"per_dataset": {"a": NOISE, "b": other}}})
    assert made.noise_of("b", "x") == other
    assert made.noise_of("a", "clean") is None
    assert made.clean == "clean"


def test_a_noise_of_some_data_sets_has_no_cells_on_others():
    made = grid(noises={"clean": None, "x": {"per_dataset": {"b": NOISE}}})
    assert {cell.dataset for cell in made.cells() if cell.noise == "x"} == {"b"}
    assert {cell.dataset for cell in made.cells() if cell.noise == "clean"} == {"a", "b"}


def test_a_noise_around_another_is_no_dose():
    around = {"type": "Sometimes", "rate": 0.5, "noise": NOISE}
    made = grid(noises={"clean": None, "x": around, "y": {"per_dataset": {"a": around}}})
    assert made.noise_of("a", "x") == made.noise_of("a", "y") == around


def test_a_long_name_is_a_folder_of_its_own(tmp_path):
    long = [
        f"Compose(noises=[{'SymmetricFlip(rate=0.1), ' * 20}SymmetricFlip(rate={r})])"
        for r in (1, 2)
    ]
    folders = {slug(name) for name in long}
    assert len(folders) == 2
    for folder in folders:
        (tmp_path / folder).mkdir()


def test_other_seeds_leave_out_the_same_cells(tmp_path):
    path = tmp_path / "grid.json"
    losses = {"CE": [{"type": "CE"}], "GCE": [{"type": "GCE"}]}
    rules = [{"noise": "clean", "loss": "GCE"}, {"seed": 0, "noise": "x"}]
    path.write_text(
        json.dumps(
            {
                "datasets": {"a": "a.json"},
                "noises": {"clean": None, "x": NOISE},
                "losses": losses,
                "skip": rules,
            }
        )
    )
    cells = load_grid(path, named={"seeds": [1]}).cells()
    assert {cell[1:3] for cell in cells} == {("clean", "CE"), ("x", "CE"), ("x", "GCE")}
    cells = load_grid(path, named={"losses": {"GCE": losses["GCE"]}}).cells()
    assert [cell[1:] for cell in cells] == [("clean", "GCE", "plain", 0)]
