"""The package as it is imported and shipped."""

import subprocess
import sys
from pathlib import Path

import pytest

import segnoise


def test_parts_are_imported_when_they_are_used_and_need_no_more_than_they_say():
    """A stranger with torch alone imports a loss and never meets mmengine."""
    code = """if True:
        import segnoise, sys
        assert "torch" not in sys.modules
        assert segnoise.noise.NoiseReport.__name__ == "NoiseReport"
        assert "torch" not in sys.modules
        import torch
        before = set(sys.modules)
        assert segnoise.losses.DiceLoss.__name__ == "DiceLoss"
        from segnoise.metrics import functional
        print(*(name for name in set(sys.modules) - before if not name.startswith("segnoise")))
    """
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {name.split(".")[0] for name in shown.stdout.split()} <= sys.stdlib_module_names


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
