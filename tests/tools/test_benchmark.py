"""A benchmark as a user runs it: killed and resumed, with cells that fail, on Ray."""

import csv
import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
import tiny_training
from tool_runs import environment, tool

from segnoise import cli
from segnoise.benchmark import run, worker

GRID = """
datasets = dict(phantoms={base!r})
noises = dict(clean=None, flips=dict(dose=0.2, noise=dict(type="SymmetricFlip", rate=0.4)))
losses = {losses!r}
seeds = {seeds!r}
skip = [dict(noise="clean", loss=dict([("not", ["CE"])]))]
num_examples = 1
{more}
"""
# Every cell starts a Python of its own, which takes long where others work too.
pytestmark = pytest.mark.timeout(900)

LOSSES = {"CE": [{"type": "CE"}], "ANL-CE": [{"type": "ANL-CE"}]}


@pytest.fixture
def grid(tmp_path, monkeypatch):
    """Write a grid over 32 px phantoms, whose cells can import its network; returns its path."""
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])

    def write(losses=LOSSES, seeds=(0,), more="", **changes):
        config = tiny_training.config(tmp_path, num_pictures=0, **changes)
        base = tiny_training.write(tmp_path / "base.py", config)
        path = tmp_path / "grid.py"
        text = GRID.format(base=str(base), losses=losses, seeds=list(seeds), more=more)
        path.write_text(text)
        return path

    return write


def lines(folder):
    """The table's lines without what differs between two runs."""
    with (folder / "results.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    for line in found:
        line.pop("seconds")
    return found


@pytest.fixture
def in_this_process(monkeypatch):
    """Train cells here, where the processes are not what is tested."""

    def here(jobs, at_once):
        for number, job in enumerate(jobs):
            worker.main(*job[:5])
            yield number

    with monkeypatch.context() as patched:
        patched.setattr(run, "run_here", here)
        yield patched


@pytest.mark.slow
@pytest.mark.usefixtures("in_this_process")
def test_one_command_trains_compares_and_goes_on(grid, tmp_path, capfd):

    def benchmark(path, *flags):
        return cli.main(["benchmark", str(path), "--work-dir", str(folder), *flags])

    path, folder = grid(more="evaluate = 'test'\ncheckpoints = 'delete'"), tmp_path / "bench"
    assert benchmark(path, "--jobs", "2") == 0
    table = lines(folder)
    assert [line["status"] for line in table] == ["done"] * 3
    assert all(float(line["mIoU_test"]) > 0 for line in table)
    assert float(table[0]["noise_share"]) == 0
    assert table[0]["wrong_given"] == ""
    noisy = [line for line in table if line["noise"] == "flips"]
    assert all(abs(float(line["noise_share"]) - 20) < 2 for line in noisy)
    assert all(0 < float(line["wrong_given"]) < 100 for line in noisy)
    result = json.loads(
        (folder / "phantoms" / "flips" / "CE" / "plain" / "seed_0" / "result.json").read_text()
    )
    assert float(noisy[0]["mIoU_test"]) == pytest.approx(result["test"]["mIoU"], abs=1e-4)
    assert not list(folder.rglob("*.pth"))
    text = (folder / "results.md").read_text()
    assert "| CE " in text
    assert "baseline" in text
    assert "missing" not in text.split("\n## ")[-1]
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("result.json")}
    capfd.readouterr()
    assert benchmark(path) == 0
    assert "3 done" in capfd.readouterr().out
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("result.json")} == before

    changed = grid(more="evaluate = 'test'", batch_size=3)
    assert benchmark(changed) == 2
    assert "another config (batch_size)" in capfd.readouterr().err
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("result.json")} == before
    assert benchmark(changed, "--overwrite") == 0
    assert not before.keys() - {p for p in folder.rglob("result.json")}
    assert all(p.stat().st_mtime_ns > t for p, t in before.items())


@pytest.mark.slow
def test_a_cell_that_fails_does_not_stop_the_others(grid, tmp_path, capfd):
    more = (
        'noises["far"] = dict(dose=0.9, noise=dict(type="BoundaryErosion", width=1))\n'
        'methods = {"plain": {}, "broken": {"load_from": "nowhere.pth"}}\n'
        'skip = [dict(noise="clean"), dict(noise="far", method="broken")]'
    )
    folder = tmp_path / "bench"
    path = grid({"CE": LOSSES["CE"]}, more=more)
    assert cli.main(["benchmark", str(path), "--work-dir", str(folder), "--jobs", "2"]) == 1
    table = {(x["noise"], x["method"]): x for x in lines(folder)}
    assert table["flips", "plain"]["status"] == "done"
    broken = table["flips", "broken"]
    assert broken["status"] == "failed"
    assert "nowhere.pth: no such checkpoint" in broken["error"]
    assert table["far", "plain"]["status"] == "failed"
    assert "at the most" in table["far", "plain"]["error"]
    text = (folder / "results.md").read_text()
    log = folder / "phantoms" / "flips" / "CE" / "broken" / "seed_0" / "output.log"
    assert f"(log: {log})" in text
    assert log.is_file()
    assert "FAILED" in capfd.readouterr().out


def start(path, folder, *flags):
    arguments = [path, "--work-dir", folder, *flags]
    return tool(
        "benchmark",
        *arguments,
        start=subprocess.Popen,
        stdout=subprocess.PIPE,
        # A test run in the background of a shell has Ctrl-C switched off, and its children too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def wait_for(process, condition):
    deadline = time.monotonic() + 200
    while not condition():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def workers(folder):
    """Processes that train a cell of a benchmark."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().decode().split("\0")
        except OSError:
            continue
        if "segnoise.benchmark.worker" in command and str(folder) in " ".join(command):
            found.append(entry.parent.name)
    return found


@pytest.mark.slow
def test_interrupted_and_killed_it_ends_as_an_undisturbed_one(grid, tmp_path, capfd, request):
    """tests/tools/test_kills.py aims at every renaming; here cells are processes, two at a time."""
    path = grid()
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    process = start(path, cut, "--jobs", "2")
    wait_for(process, lambda: list(cut.rglob("train.log")))
    assert cli.main(["benchmark", str(path), "--work-dir", str(cut)]) == 2
    assert "is being written by another process" in capfd.readouterr().err
    process.send_signal(signal.SIGINT)
    assert process.wait(40) == 130
    assert not workers(cut)
    assert not list(cut.rglob("failure.json"))
    process = start(path, cut, "--jobs", "2")
    wait_for(process, lambda: list(cut.rglob("result.json")))
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 20
    while workers(cut):
        assert time.monotonic() < deadline, "cells go on without their benchmark"
        time.sleep(0.05)
    assert len(list(cut.rglob("result.json"))) < 3
    request.getfixturevalue("in_this_process")
    for folder in (cut, whole):
        assert cli.main(["benchmark", str(path), "--work-dir", str(folder)]) == 0
    assert len(lines(whole)) == 3
    assert lines(cut) == lines(whole)


@pytest.mark.slow
@pytest.mark.usefixtures("in_this_process")
def test_on_ray(grid, tmp_path):
    pytest.importorskip("ray")
    path = grid({"CE": LOSSES["CE"]}, more='skip = [dict(noise="clean")]')
    here, there = tmp_path / "here", tmp_path / "there"
    assert cli.main(["benchmark", str(path), "--work-dir", str(here)]) == 0
    done = tool("benchmark", path, "--work-dir", there, "--ray", "--jobs", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert lines(there) == lines(here)


def test_a_dry_run_trains_nothing(grid, tmp_path, capsys):
    path, folder = grid(seeds=(0, 1)), tmp_path / "bench"
    assert cli.main(["benchmark", str(path), "--work-dir", str(folder), "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "6 cells: 6 missing" in printed
    assert "phantoms / flips / ANL-CE / plain / seed 1" in printed
    assert not folder.exists()


def test_there_is_nothing_to_report(grid, tmp_path, capsys):
    path, folder = grid(), tmp_path / "bench"
    assert cli.main(["benchmark", str(path), "--work-dir", str(folder), "--report-only"]) == 2
    assert f"--report-only: no folder {folder}" in capsys.readouterr().err
    assert not folder.exists()


@pytest.mark.parametrize(
    ("more", "arguments", "words"),
    [
        ("sedes = [1]", [], "unknown key sedes; did you mean seeds"),
        ("", ["--cfg-options", "train_cfg.max_iter=3"], "did you mean max_iters"),
        ("methods = dict(plain={}, x=dict(ema=dict(momentun=1)), y={'train_cfg.it': 3})", [],
         "phantoms / CE / y: unknown config key train_cfg.it"),
    ],
)  # fmt: skip
def test_mistakes_end_it_before_it_starts(grid, tmp_path, capsys, more, arguments, words):
    folder = tmp_path / "bench"
    path = grid(more=more)
    assert cli.main(["benchmark", str(path), "--work-dir", str(folder), *arguments]) == 2
    printed = capsys.readouterr().err
    assert words in printed
    assert "Traceback" not in printed
    assert not list(folder.rglob("cell.json"))
