"""The README's code runs, its configs load, and its links lead somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from segnoise.engine.config import load_config

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "configs/README.md", "data/README.md", "CONTRIBUTING.md")


def blocks(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def is_config(code):
    return "read_base" in code or "train_data" in code


def test_there_is_code_to_test():
    assert len(blocks("README.md")) == 3
    assert len(blocks("configs/README.md")) == 1


@pytest.mark.parametrize("code", [b for b in blocks("README.md") if not is_config(b)])
def test_code_runs(code, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("document", ["README.md", "configs/README.md"])
def test_configs_load(document, tmp_path):
    (tmp_path / "_base_").symlink_to(ROOT / "configs" / "_base_")
    folder = tmp_path / "mine"
    folder.mkdir()
    for code in filter(is_config, blocks(document)):
        path = folder / "leaf.py"
        path.write_text(code)
        assert load_config(path)["train_data"]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_and_configs_named_exist(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert ((ROOT / document).parent / target).exists(), target
    for path in re.findall(r"\b(?:configs|tools|benchmarks)/[\w/]+\.(?:py|sh)\b", text):
        assert (ROOT / path).exists(), path
