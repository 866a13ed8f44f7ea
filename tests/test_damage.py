"""Damaged files of ours and mutated configs: one line of error or the right end, nothing else.

Every example damages one file or one config and runs a tool on it. More of them than in the suite:
``SEGNOISE_EXAMPLES=5000 pytest -m slow tests/test_damage.py``.
"""

import copy
import json
import os
import shutil
import signal
from pathlib import Path

import pytest
import tiny_training
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segnoise import cli as command
from segnoise.benchmark import run, worker
from segnoise.benchmark.grid import load_grid
from segnoise.benchmark.plan import make_plan, prepare

pytestmark = pytest.mark.slow
MANY = settings(
    max_examples=int(os.environ.get("SEGNOISE_EXAMPLES", "40")),
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
SECONDS = 60  # for one tool on six tiny images: more is a hang
WRONG = [
    None, True, 7, -1, 0, 0.5, 1e308, 10**30, "x", "", "\0", "a.b", [], [[]], [1, "1"], {},
    {"type": 7}, {"type": "x.y"}, {"": None},
]  # fmt: skip
FILES = [
    b"", b"[]", b"7", b'"x"', b"null", b"{}", b"NaN", b'{"a": 1e999}', b"\xff\xfe\x00", b"[" * 9999,
    b'{"a":' * 200 + b"1" + b"}" * 200, b"[" + b"9" * 5000 + b"]", b"PK\x03\x04", b"[[]]\n[[]]\n",
]  # fmt: skip
CONV = {"type": "torch.nn.Conv2d", "in_channels": 3, "out_channels": 5, "kernel_size": 1}


def config(root):
    """A config that is data, of a training that takes a fifth of a second."""
    plain = tiny_training.config(root, model={"network": CONV}, num_pictures=0)
    noise = {"type": "SymmetricFlip", "rate": 0.2}
    cfg = {"max_iters": 2, "val_interval": 1}
    return {**plain, "noise": noise, "train_cfg": cfg}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A run, a noisy copy, one that was begun, and a benchmark of one cell, all sound."""
    root = tmp_path_factory.mktemp("place")
    before = Path.cwd()
    os.chdir(root)
    leaf, grid = root / "leaf.json", root / "grid.json"
    leaf.write_text(json.dumps(config(root)))
    assert command.main(["train", str(leaf)]) == 0
    assert command.main(["test", "run", "--json", "run/x.json"]) == 0  # which draws its images
    assert command.main(["corrupt", str(leaf), "--out", "copy"]) == 0
    shutil.copytree("copy", "begun")
    manifest = json.loads((root / "copy" / "manifest.json").read_text())
    head = {
        k: v for k, v in manifest.items() if k in ("format", "noise", "seed", "dataset", "versions")
    }
    done = [{"record": each, "report": manifest["report"]} for each in manifest["files"]]
    (root / "begun" / "manifest.json").unlink()
    lines = "\n".join(map(json.dumps, [head, *done[:3]]))
    (root / "begun" / ".unfinished.jsonl").write_text(lines + "\n")
    dose = {"dose": 0.2, "noise": {"type": "SymmetricFlip"}}
    mine = {"datasets": {"a": str(leaf)}, "noises": {"d": dose}, "losses": {"CE": {"type": "CE"}}}
    grid.write_text(json.dumps(mine))
    loaded = load_grid(grid)
    with run._claimed(loaded, root / "bench"):  # as the command has it, without its processes
        plan = make_plan(loaded, root / "bench")
        for cell in prepare(plan):
            worker.main(plan.folder_of(cell), "last", "val", 1, "keep")
    yield root, {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
    os.chdir(before)


RESUME, VERIFY = ["train", "leaf.json", "--resume"], ["corrupt", "--out", "copy", "--verify"]
REPORT = ["benchmark", "grid.json", "--work-dir", "bench", "--report-only"]
CELL = "bench/a/d/CE/plain/seed_0"
TARGETS = [
    ("run/last.pth", RESUME, "run"),
    ("run/last.pth", ["test", "run/last.pth", "--overwrite"], "run"),
    ("run/best.pth", RESUME, "run"),
    ("run/best.pth", ["test", "run", "--overwrite"], "run"),
    *((f"run/{name}", RESUME, "run") for name in (
        "data.json", "scores.json", "scalars.json", "memorisation.json", "noise.json",
        "versions.json", ".segnoise.jsonl",
    )),
    ("copy/manifest.json", VERIFY, "copy"),
    ("copy/manifest.json", ["corrupt", "leaf.json", "--out", "copy"], "copy"),
    ("begun/.unfinished.jsonl", ["corrupt", "leaf.json", "--out", "begun"], "begun"),
    *((f"{CELL}/{name}", REPORT, "bench") for name in (
        "cell.json", "result.json", "scores.json", "memorisation.json", "examples/examples.json",
        "examples/0_image.png",
    )),
    ("bench/noises/a/d.json", REPORT, "bench"),
]  # fmt: skip


def places_in(value, path=()):
    """Yield the path of every value inside another."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from places_in(value[key], (*path, key))
    elif isinstance(value, (list, tuple)):
        for number in range(len(value)):
            yield from places_in(value[number], (*path, number))


def changed(value, path, new):
    """A copy with another value at a path; ``...`` takes it out."""
    if not path:
        return new
    inside = copy.copy(list(value) if isinstance(value, tuple) else value)
    first, *rest = path
    if rest:
        inside[first] = changed(inside[first], rest, new)
    elif new is ...:
        del inside[first]
    else:
        inside[first] = new
    return inside


def damaged(draw, name, content):
    """Draw what has become of a file."""
    kind = draw(st.sampled_from(["inside", "inside", "replaced", "cut", "flipped"]))
    if kind == "replaced":
        return draw(st.sampled_from(FILES))
    if kind == "cut":
        return content[: draw(st.integers(0, len(content) - 1))]
    if kind == "flipped" or name.endswith(".png"):
        at = draw(st.integers(0, len(content) - 1))
        return (
            content[:at] + bytes([content[at] ^ (1 << draw(st.integers(0, 7)))]) + content[at + 1 :]
        )
    if name.endswith(".pth"):
        Path("x.pth").write_bytes(content)
        value = torch.load("x.pth", weights_only=True)
        torch.save(mutated(draw, value, [*WRONG, torch.ones(3), torch.tensor(1.0)]), "x.pth")
        content = Path("x.pth").read_bytes()
        Path("x.pth").unlink()
        return content
    lines = content.decode().splitlines() if name.endswith("l") or "scalars" in name else None
    if lines is None:
        return json.dumps(mutated(draw, json.loads(content), WRONG)).encode()
    number = draw(st.integers(0, len(lines) - 1))
    lines[number] = json.dumps(mutated(draw, json.loads(lines[number]), WRONG))
    return "\n".join(lines).encode()


def mutated(draw, value, wrong):
    """Draw a value like another but for one place, in whatever depth."""
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(sorted(places_in(value), key=repr)))
        taken_out = path and draw(st.booleans())
        value = changed(value, path, ... if taken_out else draw(st.sampled_from(wrong)))
        if not isinstance(value, (dict, list)):
            return value
    return value


def ends_well(arguments, capfd):
    """Run a tool, which ends in time, right or with one line of error; returns its code."""
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail(f"hangs: {arguments}"))
    signal.alarm(SECONDS)
    try:
        code = command.main(arguments)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    said = capfd.readouterr()
    assert "Traceback" not in said.out + said.err
    assert code in (0, 1, 2)  # 1: a benchmark some of whose cells have failed
    if code == 2:
        errors = [line for line in said.err.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, said.err
        assert "weights_only=False" not in errors[0]
    return code


def untouched(root, files, folder):
    """Nothing outside a folder has changed; puts everything inside as it was."""
    outside = {p: c for p, c in files.items() if not p.is_relative_to(root / folder)}
    now = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    for path, content in outside.items():
        assert now.pop(path) == content, path
    own = {p for p in now if p.is_relative_to(root / folder)}
    extra = set(now) - own - {root / "mutated.json"}
    for path in [p for p in extra if p.is_relative_to(root / "data")]:
        path.unlink()  # images of a data set that a mutated config describes
        extra.remove(path)
    shutil.rmtree(root / folder)
    for path, content in files.items():
        if path.is_relative_to(root / folder):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    assert not extra


@pytest.mark.parametrize(("name", "arguments", "folder"), TARGETS, ids=lambda x: str(x)[:40])
def test_files_that_are_damaged(place, capfd, name, arguments, folder):
    root, files = place

    @settings(MANY, max_examples=max(1, MANY.max_examples // 20))
    @given(st.data())
    def look(data):
        path = root / name
        path.write_bytes(damaged(data.draw, name, files[path]))
        try:
            code = ends_well(arguments, capfd)
        finally:
            untouched(root, files, folder)
        if arguments == REPORT:
            assert code in (0, 1), "one bad cell never stops the report"

    look()


@pytest.mark.parametrize("arguments", [RESUME, VERIFY, REPORT], ids=lambda x: x[0])
def test_files_that_are_sound(place, capfd, arguments):
    root, files = place
    assert ends_well(arguments, capfd) == 0
    untouched(root, files, {"train": "run", "corrupt": "copy", "benchmark": "bench"}[arguments[0]])


# What would be a training of days is no wrong number.
LONG = ("max_iters", "max_epochs", "num_images", "size", "num_workers")


def test_configs_that_are_mutated(place, capfd):
    root, files = place
    plain = {**config(root), "work_dir": str(root / "other")}

    @MANY
    @given(st.data())
    def look(data):
        value, draw = plain, data.draw
        for _ in range(draw(st.integers(1, 2))):
            path = draw(st.sampled_from(sorted(filter(None, places_in(value)), key=repr)))
            if path[-1] in ("root", "data_root", "work_dir"):
                continue
            kind = draw(st.sampled_from(["wrong", "wrong", "gone", "renamed", "nested"]))
            old = value
            for part in path:
                old = old[part]
            if kind == "gone":
                if path[-1] not in (*LONG, "train_cfg"):  # whose default is 20,000 iterations
                    value = changed(value, path, ...)
            elif kind == "renamed" and isinstance(path[-1], str):
                name = path[-1][:-1] + draw(st.sampled_from(["", "s", "_", "-", " ", "\n", "|"]))
                value = changed(changed(value, path, ...), (*path[:-1], name), old)
            elif kind == "nested":
                value = changed(
                    value, path, draw(st.sampled_from([[old], {"type": old}, {"a": old}]))
                )
            else:
                wrong = [w for w in WRONG if path[-1] not in LONG or w not in (10**30, 7)]
                value = changed(value, path, draw(st.sampled_from(wrong)))
        value = {"work_dir": str(root / "other"), "data_root": str(root / "data"), **value}
        (root / "mutated.json").write_text(json.dumps(value))
        (root / "other").mkdir(exist_ok=True)
        try:
            ends_well(["train", "mutated.json"], capfd)
        finally:
            untouched(root, files, "other")

    look()
