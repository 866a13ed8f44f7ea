"""The loops in examples/ train alike, see new views in every epoch, and resume."""

import importlib
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
NEEDS = {
    "plain": (),
    "lightning": ("lightning",),
    "accelerate": ("accelerate",),
    "monai": ("monai", "ignite"),
    "torchgeo": ("torchgeo", "lightning"),
}
LOSSES = [4.9610881, 4.8445121, 4.7573682]  # of the plain loop; the others train alike


@pytest.fixture
def parts(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield importlib.import_module("parts")
    for name in [*(f"{name}_loop" for name in NEEDS), "parts"]:
        sys.modules.pop(name, None)


def test_every_example_has_a_test():
    assert {f"{name}_loop" for name in NEEDS} == {p.stem for p in EXAMPLES.glob("*_loop.py")}


# Warnings of these libraries about themselves are theirs.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
@pytest.mark.parametrize("name", NEEDS)
def test_three_epochs(name, parts, tmp_path, monkeypatch):
    for module in NEEDS[name]:
        pytest.importorskip(module, reason=f"{module} is not installed: segnoise[frameworks]")
    made, seen = parts.loss, []

    def watched():
        """The loss, with a note of each mask that it sees."""
        criterion = made()
        criterion.register_forward_pre_hook(
            lambda _, given: seen.extend(mask.numpy().tobytes() for mask in given[1])
        )
        return criterion

    monkeypatch.setattr(parts, "loss", watched)
    loop = importlib.import_module(f"{name}_loop")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert loop.train(whole) == pytest.approx(LOSSES, abs=1e-5)
    views = set(seen)
    assert len(seen) == len(views) == 3 * 6
    del seen[:]
    assert loop.train(cut, epochs=2) == pytest.approx(LOSSES[:2], abs=1e-5)
    assert loop.train(cut, resume=True) == pytest.approx(LOSSES[2:], abs=1e-5)
    assert set(seen) == views
