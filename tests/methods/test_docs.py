"""docs/methods.md says what the code says, and its snippets run."""

import inspect
import re
from pathlib import Path

import pytest

from segnoise.engine.model import build_methods
from segnoise.engine.schema import complete
from segnoise.methods import METHODS

PAGE = (Path(__file__).parents[2] / "docs" / "methods.md").read_text()


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_its_parameters_with_their_defaults(name):
    section = PAGE.split(f"### {name}\n")[1].split("\n###")[0]
    listed = section.strip().split("\n\n")[0]
    expected = [
        p.name if p.default is p.empty else f"{p.name}={p.default!r}"
        for p in inspect.signature(METHODS[name]).parameters.values()
    ]
    assert re.findall(r"`([^`]+)`", listed) == expected
    assert f"| [{name}](#{name.lower()}) |" in PAGE
    assert f'type="{name}"' in section


@pytest.mark.parametrize("snippet", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
def test_the_snippets_are_configs(snippet):
    config = {}
    exec(snippet, {}, config)
    full = complete(config)
    assert build_methods(full["methods"]) or full["boundary_bias"]
