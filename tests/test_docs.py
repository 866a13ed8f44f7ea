"""The pages on losses and on recipes say what the code does."""

import json
import re
from pathlib import Path

import losses_page
import matplotlib as mpl
import noise_page
import pytest

from segnoise.engine.recipe import BY_KIND, RECIPES
from segnoise.losses import LOSSES
from segnoise.losses.names import own_parameters

DOCS = Path(__file__).parents[1] / "docs"
REMEDY = "run `python docs/losses_page.py`"


@pytest.fixture(scope="module")
def generator():
    return losses_page


@pytest.fixture(scope="module")
def theory():
    return json.loads((DOCS / "losses" / "theory.json").read_text())


def test_the_page_is_up_to_date(generator, theory):
    assert (DOCS / "losses.md").read_text() == generator.page(theory), REMEDY


def test_the_noise_page_is_up_to_date():
    assert (DOCS / "noise.md").read_text() == noise_page.page(), "run `python docs/noise_page.py`"


def test_every_loss_is_on_the_page():
    text = (DOCS / "losses.md").read_text()
    for name in LOSSES:
        assert f"`{name}`" in text or f"### {name}\n" in text, name


def test_every_loss_says_when_to_use_it_and_where_it_comes_from(generator):
    for group in generator.GROUPS.values():
        for name in group:
            parts = generator.sections(generator.class_of(name))
            assert parts["summary"].endswith("."), name
            assert parts["use"] or name in ("ER", "L1"), name
            assert parts["source"] or name == "CE", name
            own = own_parameters(generator.class_of(name))
            described = {n for n, _ in parts["args"]}
            assert set(own) <= described, name


def test_links_and_figures_exist():
    text = (DOCS / "losses.md").read_text()
    headings = {h.lower() for h in re.findall(r"^### (\w+)$", text, re.MULTILINE)}
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in headings
        else:
            assert (DOCS / target).exists(), target


@pytest.mark.slow
def test_the_figures_are_up_to_date(generator, tmp_path):
    names = generator.figures(tmp_path)
    assert {p.name for p in (DOCS / "losses").glob("*.svg")} == set(names), REMEDY
    for name in names:
        stored, drawn = ((f / name).read_text() for f in (DOCS / "losses", tmp_path))
        version = re.search(r"Matplotlib v([\d.]+)", stored)[1]
        if version != mpl.__version__:
            pytest.skip(f"drawn by Matplotlib {version}, this is {mpl.__version__}")
        number = re.compile(r"-?\d+\.\d+")
        assert number.sub("#", stored) == number.sub("#", drawn), f"{name}: {REMEDY}"
        pairs = zip(number.findall(stored), number.findall(drawn), strict=True)
        assert all(abs(float(a) - float(b)) < 0.3 for a, b in pairs), f"{name}: {REMEDY}"


@pytest.mark.slow
def test_the_theory_is_up_to_date(generator, theory):
    """One loss of each kind; what measures all of them takes minutes."""
    assert set(theory) <= set(generator.measured_names())
    names = ["MAE", "GCE", "NNCE", "NCE+AEL"]
    for name, found in generator.measure(names).items():
        assert found["symmetric"] == theory[name]["symmetric"], name
        for key in ("constant", "ratio", "rate"):
            expected = theory[name][key]
            near = expected if expected is None else pytest.approx(expected, rel=1e-3, abs=0.011)
            assert found[key] == near, (name, key)


def rows(page):
    """The cells of all tables of a page."""
    lines = (DOCS / page).read_text().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]


def test_the_recipes_are_those_of_the_page():
    by_kind = {row[1].split(":")[0]: row[2:] for row in rows("recipes.md") if len(row) == 4}
    for kind, names in BY_KIND.items():
        assert by_kind[kind] == [f"`{name}`" for name in names], kind
    parts = {row[0].strip("`"): row[1:] for row in rows("recipes.md") if len(row) == 3}
    for name, recipe in RECIPES.items():
        for kind, cell in zip((recipe.losses, recipe.methods), parts[name], strict=True):
            assert re.findall(r"`([^`]+)`", cell) == [part["type"] for part in kind], name
    assert set(parts) - {"recipe", ":--"} == set(RECIPES)
