"""What a resume mends: best.pth is always the one that the scores speak of."""

import json

import pytest
import tiny_training
from trees import tree

from segnoise.engine import checkpoint as checkpoints
from segnoise.engine.evaluate import evaluate
from segnoise.engine.schema import complete
from segnoise.engine.train import summary, train
from segnoise.errors import CheckpointError

NOISE = {"type": "SymmetricFlip", "rate": 0.3}
CHANGES = {
    "noise": NOISE, "num_pictures": 0, "seed": 3, "train_cfg": {"max_iters": 5, "val_interval": 1},
}  # fmt: skip
FILES = ("best.pth", "last.pth", "scores.json", "memorisation.json", "noise.json", "noise.md")


def run(root, name="run", resume=False, **changes):
    """Train, or go on, in a folder of a root."""
    config = tiny_training.config(root, **{**CHANGES, "work_dir": str(root / name), **changes})
    return train(complete(config), resume=resume)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A training that nothing has disturbed, its files, and where its best scores are."""
    root = tmp_path_factory.mktemp("mending")
    result = run(root)
    files = {name: text for name, text in tree(result.folder).items() if name in FILES}
    bests, best = [], -1.0
    for entry in json.loads(files["scores.json"]):
        if entry["mIoU"] > best:
            bests.append(entry["iter"])
            best = entry["mIoU"]
    assert bests == [1, 2, 3], "a best score that is beaten, and is not at the end"
    return root, result, files, bests


def fresh(whole):
    """Remove the run of the fixture, so that another one can take its place."""
    root = whole[0]
    for path in sorted((root / "run").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (root / "run").rmdir()
    return root


def test_a_disk_that_is_full_between_the_two(whole, monkeypatch):
    root, (_, result, files, bests) = fresh(whole), whole
    save = checkpoints.save

    def full(checkpoint, path):
        if path.name == "best.pth" and checkpoint["meta"]["iter"] == bests[-1]:
            raise CheckpointError(f"{path}: cannot be written (No space left on device)")
        save(checkpoint, path)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save", full)
        with pytest.raises(CheckpointError, match="No space"):
            run(root)
    folder = root / "run"
    assert checkpoints.load(folder / "last.pth")["meta"]["iter"] == bests[-1]
    assert checkpoints.load(folder / "best.pth")["meta"]["iter"] == bests[-2]
    resumed = run(root, resume=True)
    assert {name: text for name, text in tree(folder).items() if name in FILES} == files
    assert (resumed.best, resumed.last) == (result.best, result.last)
    config = complete(tiny_training.config(root, **CHANGES))
    scores = evaluate(config, folder / "best.pth", split="val")
    assert scores["mIoU"] == pytest.approx(resumed.best["mIoU"], abs=1e-9)


def test_files_that_are_gone_or_damaged_come_back(whole):
    root, _, files, _ = whole
    for name in FILES:
        if name in ("last.pth", "best.pth"):
            continue
        (root / "run" / name).unlink()
    (root / "run" / "scores.json").write_text("[]")
    run(root, resume=True)
    assert {name: t for name, t in tree(root / "run").items() if name in FILES} == files


def test_a_run_that_goes_on_elsewhere_takes_its_best_along(whole):
    root, result, files, _ = whole
    last = root / "run" / "last.pth"
    moved = run(root, "moved", resume=str(last))
    assert moved.best == result.best
    assert (root / "moved" / "best.pth").read_bytes() == files["best.pth"]


def test_a_best_that_is_lost_is_not_spoken_of(whole, capsys):
    root, _, _, bests = whole
    kept = root / "run" / "best.pth"
    content = kept.read_bytes()
    stopped = root / "alone"
    stopped.mkdir()
    part = checkpoints.load(root / "run" / "last.pth")
    part["meta"]["best"] = {"iter": bests[0], "mIoU": 99.0}
    checkpoints.save(part, stopped / "last.pth")
    lost = run(root, "lost", resume=str(stopped / "last.pth"))
    assert kept.read_bytes() == content
    assert lost.best is None
    assert not (root / "lost" / "best.pth").exists()
    assert f"weights of iteration {bests[0]}, the best so far, are not in" in (
        capsys.readouterr().out
    )
    assert "best.pth" not in summary(lost)
