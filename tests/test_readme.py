"""The code of README and pages runs, configs load, links lead somewhere, numbers are right."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from segnoise.engine.config import load_config
from segnoise.losses.names import short_names
from segnoise.noise import NOISES, PRESETS

ROOT = Path(__file__).parents[1]
PAGES = [f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md"))]
DOCUMENTS = ["README.md", "configs/README.md", "data/README.md", "CONTRIBUTING.md", *PAGES]
RUN = ["README.md", "docs/noise.md"]
CONFIGS = ["docs/guide.md", "configs/README.md"]


def blocks(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def is_config(code):
    return "read_base" in code or "train_data" in code


def test_there_is_code_to_test():
    assert all(len(blocks(document)) == 1 for document in RUN + CONFIGS)


def test_the_readme_is_short_and_counts_right():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.encode()) <= 10_000
    counts = {"names": len(short_names()), "models": len(NOISES)}
    for what, count in counts.items():
        assert int(re.search(rf"\| more than (\d+) {what}", text)[1]) in range(count - 10, count)
    assert f", {len(PRESETS)} published settings:" in text


@pytest.mark.parametrize("code", [code for document in RUN for code in blocks(document)])
def test_code_runs(code, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("document", CONFIGS)
def test_configs_load(document, tmp_path):
    (tmp_path / "_base_").symlink_to(ROOT / "configs" / "_base_")
    folder = tmp_path / "mine"
    folder.mkdir()
    for code in filter(is_config, blocks(document)):
        path = folder / "leaf.py"
        path.write_text(code)
        assert load_config(path)["train_data"]


def test_links_and_configs_named_exist():
    for document in DOCUMENTS:
        text = (ROOT / document).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert ((ROOT / document).parent / target).exists(), target
        for path in re.findall(r"\b(?:configs|tools|benchmarks)/[\w/]+\.(?:py|sh)\b", text):
            assert (ROOT / path).exists(), path
