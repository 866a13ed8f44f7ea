"""Tables and the page, of results that are written by hand."""

import csv
import json
import re

import numpy as np
import pytest
from offline_browser import browser

from segnoise import cli
from segnoise.benchmark.charts import Point, Series, line_chart
from segnoise.benchmark.grid import build_grid
from segnoise.benchmark.page import report_page
from segnoise.benchmark.plan import CELL_FILES, Plan, claimed_cell, fingerprint, prepare
from segnoise.benchmark.report import report
from segnoise.benchmark.results import read_rows, write_csv
from segnoise.benchmark.tables import blocks
from segnoise.drawing import save_png
from segnoise.engine.schema import complete

# mIoU of the last epoch by (noise, loss, method) and seed.
SCORES = {
    ("clean", "CE", "plain"): [80.0, 82.0, 81.0],
    ("flips", "CE", "plain"): [70.0, 71.0, 72.0],
    ("flips", "CE", "EMA"): [76.0, 77.0, None],
    ("flips", "ANL-CE", "plain"): [75.0, 77.0, 76.0],
    ("flips", "ANL-CE", "EMA"): [None, None, None],
}


def entry(value, iteration=100):
    classes = {"sky": {"IoU": value}, "<tree>": {"IoU": None}}
    return {"iter": iteration, "mIoU": value, "classes": classes}


@pytest.fixture
def plan(tmp_path):
    """A benchmark with results, one failure, cells that are missing, and a missed dose."""
    grid = build_grid(
        {
            "datasets": {"<data>": "a.py"},
            "noises": {"clean": None, "flips": {"type": "SymmetricFlip"}},
            "losses": {"CE": {"type": "CE"}, "ANL-CE": {"type": "ANL-CE"}},
            "methods": {"plain": {}, "EMA": {"ema": {}}},
            "seeds": [0, 1, 2],
            "skip": [
                {"noise": "clean", "loss": "ANL-CE"},
                {"noise": "clean", "method": "EMA"},
            ],
        }
    )
    plan = Plan(grid, tmp_path)
    plan.doses["<data>", "flips"] = {
        "hit": False, "measure": "miou", "reached": 0.5, "target": 0.7,
    }  # fmt: skip
    for cell in grid.cells():
        with claimed_cell(plan.folder_of(cell)) as out:
            out.expect(CELL_FILES)
            fill(plan, cell)
    return plan


def fill(plan, cell):
    """Write what a cell has come to."""
    config = complete({"seed": cell.seed})
    plan.configs[cell] = config
    score = SCORES[cell[1:4]][cell.seed]
    folder = plan.folder_of(cell)
    if cell.method == "EMA" and cell.seed == 2:
        put(folder / "cell.json", {"config": fingerprint(config)})
        if cell.loss == "CE":
            put(folder / "failure.json", {"error": "no <luck>", "log": "x.log", "code": 1})
    if score is None:
        return
    put(folder / "cell.json", {"config": fingerprint(config)})
    noisy = cell.noise != "clean"
    result = {"best": entry(score + 1, 50), "last": entry(score), "test": None,
              "noise_share": 20.0 if noisy else 0.0, "seconds": 10.0}  # fmt: skip
    put(folder / "result.json", result)
    put(folder / "scores.json", [entry(score + 1, 50), entry(score)])
    if noisy:
        shares = [(1.0, 10.0, 80.0), (2.0, 40.0, 50.0)]
        put(
            folder / "memorisation.json",
            [
                {"epoch": e, "given": g, "true": t, "other": 10.0, "right_accuracy": 95.0}
                for e, g, t in shares
            ],
        )
    if cell.seed == 0:
        for name in ("image", "clean", "noisy", "prediction"):
            if name != "noisy" or noisy:
                picture = np.full((8, 12, 3), 90, np.uint8)
                save_png(folder / "examples" / f"0_{name}.png", picture)
        about = {"samples": ["<one>"], "checkpoint": "last", "classes": ["sky", "<tree>"],
                 "palette": [[0, 0, 0], [0, 255, 0]]}  # fmt: skip
        put(folder / "examples" / "examples.json", about)


def put(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def test_one_line_of_the_csv_a_cell(plan, tmp_path):
    rows = read_rows(plan)
    write_csv(tmp_path / "results.csv", rows)
    with (tmp_path / "results.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == 15
    assert [line["status"] for line in table].count("done") == 11
    found = {(x["noise"], x["loss"], x["method"], x["seed"]): x for x in table}
    line = found["flips", "ANL-CE", "plain", "1"]
    assert float(line["mIoU_last"]) == 77
    assert float(line["mIoU_best"]) == 78
    assert line["best_iter"] == "50"
    assert line["mIoU_test"] == ""
    assert float(line["wrong_given"]) == 40
    assert float(line["memorisation_begins"]) == 1
    assert float(line["IoU sky"]) == 77
    assert line["IoU <tree>"] == ""
    failed = found["flips", "CE", "EMA", "2"]
    assert (failed["status"], failed["error"], failed["mIoU_last"]) == ("failed", "no <luck>", "")
    assert found["flips", "ANL-CE", "EMA", "2"]["status"] == "missing"


def test_lines_by_hand(plan):
    clean, flips = blocks(plan.grid, read_rows(plan))
    assert [line.name for line in clean.lines] == ["CE"]
    assert clean.lines[0].difference is None
    lines = {line.name: line for line in flips.lines}
    assert lines["CE"].scores["last"] == pytest.approx((71.0, 1.0, 3))
    assert lines["CE"].recovered is None
    anl = lines["ANL-CE"]
    assert anl.difference.mean == pytest.approx(5)
    assert anl.difference.half == pytest.approx(4.3027 * 1 / 3**0.5)
    assert anl.recovered == pytest.approx(50)
    # Of the seeds 0 and 1 alone: 76.5 against 70.5 and 81.
    assert lines["CE, EMA"].recovered == pytest.approx(100 * 6 / 10.5)
    assert (lines["CE, EMA"].done, lines["CE, EMA"].wanted) == (2, 3)
    assert lines["ANL-CE, EMA"].difference is None
    assert lines["ANL-CE, EMA"].scores["last"] is None


def test_the_noise_share_is_of_the_baseline_once_a_seed(plan):
    for cell in plan.grid.cells():
        path = plan.folder_of(cell) / "result.json"
        if cell.noise == "flips" and path.is_file():
            result = json.loads(path.read_text())
            plain = (cell.loss, cell.method) == ("CE", "plain")
            put(path, {**result, "noise_share": 20.0 + cell.seed if plain else 50.0})
    rows = read_rows(plan)
    assert blocks(plan.grid, rows)[1].share == pytest.approx((21.0, 1.0, 3))
    assert "flips, 21.0 ± 1.0 % of the labels wrong" in report(plan, rows, "title")
    single = [row for row in rows if row.cell.seed == 0]
    assert blocks(plan.grid, single)[1].share == (20.0, None, 1)


def test_the_report_makes_nothing_up(plan):
    text = report(plan, read_rows(plan), "title")
    rows = {tuple(c.strip() for c in x.split("|")[1:3]): x for x in text.splitlines()}
    assert "| +5.0 [+2.5, +7.5] |" in rows["ANL-CE", "plain"]
    empty = [cell.strip() for cell in rows["ANL-CE", "EMA"].split("|")[3:-1]]
    assert empty == ["-", "-", "-", "", "-", "-", "-", "0 of 3"]
    assert "<data>, flips: dose missed: miou 0.5000 of 0.7" in text
    assert "failed: <data> / flips / CE / EMA / seed 2: no <luck> (log: x.log)" in text
    assert "missing: 3 of 15 cells" in text
    assert "nan" not in text


def test_names_steer_no_terminal_and_end_no_line(tmp_path):
    odd = "\x1b[31mred\nname"
    mine = {"datasets": {odd: "a.py"}, "losses": {odd: {"type": "CE"}}, "noises": {odd: None}}
    plan = Plan(build_grid({**mine, "baseline": odd}), tmp_path)
    text = report(plan, read_rows(plan), odd)
    assert "\x1b" not in text
    assert "name\n- " not in text
    assert text.startswith("# \\x1b[31mred\\nname\n")
    assert f"Against {chr(92)}x1b[31mred{chr(92)}nname (plain)" in text


def test_a_cell_of_another_config_is_left_out(plan):
    cell = next(c for c in plan.grid.cells() if c[1:] == ("flips", "ANL-CE", "plain", 0))
    plan.configs[cell] = complete({"seed": 0, "batch_size": 3})
    rows = read_rows(plan)
    assert next(row for row in rows if row.cell == cell).status == "changed"
    text = report(plan, rows, "title")
    assert (
        "trained under another config, and left out: <data> / flips / ANL-CE / plain / seed 0"
        in text
    )


def test_a_chart_spans_its_points():
    points = [Point(10, 20.0, 10.0, 30.0), Point(20, 40.0, 40.0, 41.0)]
    drawn = line_chart("t", [Series("a<b", "s0", points), Series("none", "s1", [])], "x", "y")
    assert drawn.count('class="band"') == 1
    assert "a&lt;b: 40.0 at x 20" in drawn
    assert "none" not in drawn
    heights = [float(y) for y in re.findall(r'cy="([\d.]+)"', drawn)]
    assert heights[1] < heights[0]
    assert "no data" in line_chart("t", [Series("none", "s1", [])], "x", "y")


@pytest.fixture
def html(plan, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(report_page(plan, read_rows(plan), "a <title>"))
    return path


def test_the_page_is_one_file_without_addresses_and_scripts(html):
    bare = re.sub(r"data:image/webp;base64,[\w+/=]+", "", html.read_text())
    assert "http" not in bare.replace("http-equiv", "")
    assert "<script" not in bare
    assert "<data>" not in bare
    assert "<luck>" not in bare
    assert bare.count("<img ") == 3 + 6
    assert not re.search(r"\bnan\b", bare)


def test_the_page_in_a_browser_without_network(html):
    with browser() as opened:
        grounds = {}
        for scheme in ("light", "dark"):
            tab = opened(html, color_scheme=scheme)
            assert tab.title() == "a <title>"
            style = "getComputedStyle(document.body)"
            grounds[scheme] = tab.evaluate(f"[{style}.backgroundColor, {style}.color]")
            assert tab.evaluate("document.documentElement.scrollWidth") <= 1200
        assert grounds["light"] == ["rgb(255, 255, 255)", "rgb(32, 34, 40)"]
        assert grounds["dark"] == ["rgb(22, 24, 29)", "rgb(232, 234, 240)"]
        shown = tab.locator('section[id="data_--flips"] .line.n0')
        assert shown.count() == 3, "three charts"
        assert all(shown.nth(i).is_visible() for i in range(3))
        box = tab.locator('section[id="data_--flips"] .legend input').first
        box.focus()
        tab.keyboard.press("Space")
        assert not any(shown.nth(i).is_visible() for i in range(3)), "the legend hides a line"
        assert tab.locator('section[id="data_--flips"] .line.n1').first.is_visible()
        assert tab.locator("td.up").count() == 2


def test_the_command_reports_only(plan, tmp_path, capsys):
    assert cli.main(["benchmark", "nowhere.py", "--report-only"]) == 2
    assert "no config nowhere.py" in capsys.readouterr().err


DAMAGES = {
    "cell.json": "[]",
    "result.json": '{"best": [], "last": null, "test": null, "noise_share": 1, "seconds": 1}',
    "scores.json": '[{"iter": "x"}]',
    "memorisation.json": "7",
    "examples/examples.json": '{"samples": {}}',
}
MORE = [("examples/examples.json", '{"samples": [], "classes": ["a"], "palette": []}')]


@pytest.mark.parametrize(("name", "text"), [*DAMAGES.items(), *MORE])
def test_a_damaged_file_fails_its_cell_and_no_other(plan, name, text):
    before = {row.cell: row.status for row in read_rows(plan)}
    victim = next(c for c in plan.grid.cells() if c.noise == "flips" and c.seed == 0)
    path = plan.folder_of(victim) / name
    path.write_text(text)
    rows = read_rows(plan)
    assert {row.cell: row.status for row in rows} == {**before, victim: "failed"}
    (bad,) = (row for row in rows if row.cell == victim)
    assert bad.error.startswith(f"{path}: damaged: ")
    assert f"failed: {victim}: {path}: damaged" in report(plan, rows, "t")
    assert str(path) in report_page(plan, rows, "t")
    # The advice works: without the file, or trained anew, the cell has not failed.
    if name == "cell.json":
        assert victim in prepare(plan, overwrite=True)
        assert victim not in plan.problems
    else:
        path.unlink()
        plan.problems.clear()
        assert next(row.status for row in read_rows(plan) if row.cell == victim) != "failed"


def test_a_damaged_picture_is_named_in_its_place(plan):
    path = next(plan.folder.rglob("0_image.png"))
    for picture in plan.folder.rglob("0_image.png"):
        picture.write_bytes(b"no picture")
    assert f"{path.name}: cannot be read" in report_page(plan, read_rows(plan), "t")
