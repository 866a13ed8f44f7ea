"""The package as it is imported and shipped."""

import subprocess
import sys
from pathlib import Path

import pytest

import segnoise


def test_parts_are_imported_when_they_are_used():
    code = (
        "import segnoise, sys; assert 'torch' not in sys.modules; "
        "print(segnoise.losses.DiceLoss.__name__, segnoise.noise.NoiseReport.__name__)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["DiceLoss", "NoiseReport"]


def test_its_parts_are_listed_and_other_names_are_unknown():
    assert {"losses", "noise", "metrics", "datasets", "__version__"} <= set(dir(segnoise))
    with pytest.raises(AttributeError, match="module 'segnoise' has no attribute 'lossess'"):
        segnoise.lossess  # noqa: B018
    with pytest.raises(AttributeError):
        segnoise._private  # noqa: B018


def test_types_are_shipped():
    """PEP 561: without the file a type checker takes everything for Any."""
    assert (Path(segnoise.__file__).parent / "py.typed").is_file()
    project = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    assert 'segnoise = ["py.typed"]' in project
