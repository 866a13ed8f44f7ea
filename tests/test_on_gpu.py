"""benchmarks/on_gpu.py rehearsed on a CPU: every step, the kill of one, the page, the docs."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
PROGRAM = str(ROOT / "benchmarks" / "on_gpu.py")


@pytest.fixture(autouse=True)
def _its_modules(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    # docs/ has a losses.py, too, which other tests import.
    other = sys.modules.pop("losses", None)
    yield
    sys.modules.pop("losses", None)
    if other is not None:
        sys.modules["losses"] = other


@pytest.fixture
def camvid(tmp_path):
    """CamVid in VOC's tree, with six images."""
    root = tmp_path / "camvid"
    splits = {"train": range(4), "val": range(4, 6), "test": range(5, 6)}
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    for number in range(6):
        mask = np.zeros((72, 96), np.uint8)
        mask[20:50, 10 * number : 10 * number + 40] = 3 + number % 2
        Image.fromarray(mask).save(root / "SegmentationClass" / f"frame_{number}.png")
        image = Image.fromarray(np.dstack([40 * mask, 255 - mask, mask]))
        image.save(root / "JPEGImages" / f"frame_{number}.jpg")
    for split, numbers in splits.items():
        names = [f"frame_{number}" for number in numbers]
        (root / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("\n".join(names) + "\n")
    return root


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, PROGRAM, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def steps_of(out):
    return {step["name"]: step for step in json.loads((out / "results.json").read_text())["steps"]}


def test_the_steps_share_the_minutes():
    done = start("--dry-run", "--minutes", 8)
    text, _ = done.communicate(timeout=60)
    assert done.returncode == 0
    minutes = {line.split()[2]: float(line.split()[0]) for line in text.splitlines()}
    assert list(minutes) == ["tests", "losses", "parts", "loop", "main"]
    assert sum(minutes.values()) == pytest.approx(8, abs=0.3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--out FOLDER: where do the results go?"),
        (("--out", "x"), "--data CAMVID: loop and main read its files"),
        (("--out", "x", "--only", "everything"), "invalid choice: 'everything'"),
    ],
)
def test_what_is_missing_is_named(arguments, words):
    done = start(*arguments)
    assert words in done.communicate(timeout=60)[1]
    assert done.returncode == 2


def test_a_rehearsal_is_not_written_into_the_gpu_columns(tmp_path):
    before = (ROOT / "docs" / "performance.md").read_bytes()
    (tmp_path / "results.json").write_text(json.dumps({"device": "cpu", "steps": []}))
    done = start("--write-docs", tmp_path / "results.json")
    assert "measured on a CPU, which is not for GPU columns" in done.communicate(timeout=60)[1]
    assert done.returncode == 2
    assert (ROOT / "docs" / "performance.md").read_bytes() == before


@pytest.mark.slow
def test_the_whole_program_on_a_cpu_with_a_step_that_is_killed(tmp_path, camvid):
    """The killed step is a row, and the next ones run."""
    out = tmp_path / "out"
    begun = time.monotonic()
    whole = start("--device", "cpu", "--minutes", 1, "--out", out, "--data", camvid)
    while True:
        assert time.monotonic() < begun + 60
        assert whole.poll() is None
        found = steps_of(out).values() if (out / "results.json").exists() else ()
        # One that runs, not a step that has had its time already.
        if step := next((s for s in found if "process" in s and s.get("rows")), None):
            break
        time.sleep(0.05)
    killed = step["name"]
    os.kill(step["process"], signal.SIGKILL)
    text, _ = whole.communicate(timeout=100)
    assert whole.returncode == 1
    assert time.monotonic() - begun < 80
    steps = steps_of(out)
    assert list(steps) == ["tests", "losses", "parts", "loop", "main"]
    assert steps[killed]["status"] == "failed"
    assert steps[killed]["error"] == "ended by SIGKILL"
    assert steps[killed]["rows"][: len(step["rows"])] == step["rows"]
    assert any(steps[name]["rows"] for name in ("parts", "loop", "main"))
    page = (out / "results.md").read_text()
    assert "| ended by SIGKILL |" in page
    assert "## Losses" in page
    for name, found in steps.items():
        assert not [row for row in found["rows"] if "error" in row], name
        assert name == killed or found["status"] in ("done", "cut")
        assert f"{name}: {found['status']}, {len(found['rows'])} rows" in text
        assert f"| {name} | {found['status']} |" in page
    # One step again: what is known of the others stays.
    again = start("--device", "cpu", "--minutes", 0.2, "--out", out, "--only", "losses")
    again.communicate(timeout=60)
    assert steps_of(out)["parts"] == steps["parts"]
    assert steps_of(out)["losses"]["status"] in ("cut", "done")


def test_the_most_telling_losses_are_measured_first():
    from on_gpu_steps import FIRST, loss_jobs, paths_of

    assert paths_of("Dice") == ("eager",)
    assert paths_of("Hill") == paths_of("ForwardCorrection") == ("eager", "compile")
    jobs = list(loss_jobs("cuda"))
    assert len(jobs) == len(set(jobs))
    assert {job[1] for job in jobs} == {job[1] for job in jobs if job[2] == "eager"}
    head = jobs[: sum(len(paths_of(name)) for name in FIRST)]
    assert {variant for variant, _, _ in head} == {((8, 21, 512, 512), "float32", False)}
    assert tuple(dict.fromkeys(name for _, name, _ in head)) == FIRST
    assert len({variant for variant, _, _ in jobs}) == 16
    assert (((16, 2, 512, 512), "bfloat16", True), "ASL", "compile") in jobs


def loss_row(path, both, **more):
    row = {"loss": "ANL-CE", "path": path, "shape": [8, 21, 512, 512], "dtype": "float32"}
    return {**row, "channels_last": False, "both": both, "forward": both, "backward": both,
            "milliseconds": 2.0, "memory": 1.1, "cross_entropy_milliseconds": 5.0,
            "floor": 0.3, **more}  # fmt: skip


@pytest.fixture
def results():
    score = {"noise": "clean", "loss": "CE", "iterations": 90, "mIoU": 41.26}
    step = {"loss": "ANL-CE", "step_milliseconds": 80.0, "loss_milliseconds": 2.0, "share": 0.025}
    way = {"way": "confusion_matrix_from_scores", "milliseconds": 1.0, "ratio": 0.25}
    counted = {
        "part": "counting",
        "shape": [8, 21, 512, 512],
        "dtype": "float32",
        "floor": 0.1,
        "rows": [way],
    }
    fused = {"part": "upsampling", "shape": [8, 21, 512, 512], "loss": "GCE", "ratio": 0.5,
             "two_steps_milliseconds": 4.0, "fused_milliseconds": 2.0, "two_steps_memory": 2.5,
             "fused_memory": None}  # fmt: skip
    round_ = {"plain": 200.0, "ours": 196.0, "ratio": 0.98, "waiting for data": 0.1, "step": 0.8,
              "hooks": 0.1, "encoder": "resnet34", "size": 512, "batch_size": 8, "workers": 12,
              "amp": "bf16", "channels_last": True}  # fmt: skip
    rows = {
        "tests": [
            {"test": "tests/a.py::b", "outcome": "passed", "seconds": 1.0},
            {"test": "tests/a.py::c", "outcome": "failed", "seconds": 1.0, "error": "1 | 2"},
        ],
        "losses": [
            {"about": {"device": "NVIDIA H200", "versions": "torch 2.11.0, Python 3.12"}},
            loss_row("eager", 0.9),
            loss_row("triton", 0.42),
            {**loss_row("compile", 0.0), "error": "RuntimeError: no"},
            loss_row("eager", 0.8, dtype="bfloat16"),
            loss_row("compile", 0.6, dtype="bfloat16", milliseconds=3.0),
            loss_row("triton", 0.7, dtype="bfloat16"),
        ],
        "parts": [counted, {"part": "step", "rows": [step]}, fused],
        "loop": [round_],
        "main": [score],
    }
    steps = [{"name": n, "status": "done", "seconds": 3.0, "rows": r} for n, r in rows.items()]
    return {"date": "2026-11-28", "command": "python x", "minutes": 8, "steps": steps}


def test_the_page_says_what_was_found(results):
    import on_gpu_page

    text = on_gpu_page.page(results)
    for line in (
        "NVIDIA H200; torch 2.11.0, Python 3.12; 2026-11-28; `python x`",
        "| losses | done | 3 | 6 | 1 |  |",
        "1 passed, 1 failed, 0 skipped.",
        r"| tests/a.py::c | 1 \| 2 |",
        "**8 x 21 x 512 x 512, float32**; F.cross_entropy 5.00 ms",
        "| **ANL-CE** | triton | 2.00 | 0.42 | 0.42 | 0.42 | 1.10 | 71 % |",
        "| ANL-CE | eager | 2.00 | 0.90 | 0.90 | 0.90 | 1.10 | 33 % |",
        "Triton is at least 1.15 times as fast as one graph in 1 of 1 pairs.",
        "| ANL-CE | 8 x 21 x 512 x 512, bfloat16 | 3.00 | 2.00 | 1.50 |",
        "- ANL-CE, compile, 8 x 21 x 512 x 512, float32: RuntimeError: no",
        "Of 2 multi-class losses and variants, each by its fastest path (bold): 2 at most 0.6",
        "| 8 x 21 x 512 x 512 | GCE | 4.00 | 2.00 | 0.50 | 2.50 | not measured |",
        "| ANL-CE | 80.0 | 2.00 | 2.5 % |",
        "resnet34, 512 x 512, batches of 8, 12 workers, bf16, channels last; 1 rounds",
        "| 200.0 | 196.0 | 0.980 | 0.980 - 0.980 | 10 % | 80 % | 10 % |",
        "mIoU in percent on clean validation labels after 90 iterations.",
        "| CE | 41.3 |",
    ):
        assert line in text


def test_the_docs_are_filled_and_what_is_not_measured_says_so(results):
    from on_gpu_docs import filled

    text = (ROOT / "docs" / "performance.md").read_text()
    whole = filled(text, results)
    found = {line for line in whole.splitlines() if line not in text.splitlines()}
    where = "NVIDIA H200; torch 2.11.0, Python 3.12; 2026-11-28; `python x`"
    assert f"GPU: 8 x 21 x 512 x 512; {where}" in found
    cells = [line.split(" | ") for line in found if line.startswith("|")]
    assert ["0.42 (triton)", "71 %", "1.10 |"] in [row[-3:] for row in cells]
    assert ["| ANL-CE", "2.5 % |"] in [[row[0], row[-1]] for row in cells]
    assert ["| GCE", "0.50 |"] in [[row[0], row[-1]] for row in cells]
    assert ["| confusion_matrix_from_scores", "0.25 |"] in [[row[0], row[-1]] for row in cells]
    assert ["| ours / plain", "0.980 |"] in cells
    assert ["| CE", "41.3", "not measured", "not measured |"] in cells
    assert len(cells) == 8
    assert f"GPU: 90 iterations; {where}" in found
    # Filled again it is the same, and of nothing it is as it was.
    assert filled(whole, results) == whole
    nothing = filled(whole, {**results, "steps": []})
    assert nothing.count("GPU: not measured") == 6
    assert not [line for line in nothing.splitlines() if line in found]
    with pytest.raises(ValueError, match="<!-- gpu loses -->: there is losses, step"):
        filled(text.replace("gpu losses", "gpu loses"), results)
