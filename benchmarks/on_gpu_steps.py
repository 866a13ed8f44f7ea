"""The steps of on_gpu.py: each runs in a process of its own and writes a line for what it measures.

python benchmarks/on_gpu_steps.py losses --rows rows.jsonl --seconds 60 --device cpu
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
OVER = 3
FIRST = ("ANL-CE", "CE", "GCE", "NCE+AGCE", "Dice", "Hill")
TINY = [(2, 5, 24, 24), (1, 2, 16, 16)]


class TimeIsOverError(Exception):
    """A step's time is over, before it has measured all."""


class Rows:
    """What a step has measured, on the disk as soon as it is known.

    Args:
        file: to append to.
        seconds: after which no new measurement is begun.
    """

    def __init__(self, file: Path, seconds: float) -> None:
        self.file = file
        self.end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left."""
        return self.end - time.monotonic()

    def add(self, **row: Any) -> None:
        """Write a row."""
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def attempt(self, about: dict[str, Any], work: Callable[[], dict[str, Any]]) -> None:
        """Write what a measurement gives, or its error.

        Raises:
            TimeIsOverError: if there is no time for it.
        """
        if self.left() <= 0:
            raise TimeIsOverError
        try:
            found = work()
        except Exception as error:  # one measurement, not the step
            words = str(error).strip() or "no word"
            found = {"error": f"{type(error).__name__}: {words.splitlines()[0][:300]}"}
        self.add(**about, **found)


def main() -> int:
    """Run one step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--device", choices=["cuda", "cpu"], required=True)
    parser.add_argument("--data")
    parser.add_argument("--shard", type=int, help="which part of the tests; they run side by side")
    settings = parser.parse_args()
    rows = Rows(settings.rows, settings.seconds)
    try:
        if settings.shard is not None:
            return shard(rows, settings)
        rows.add(**_about(settings.device))
        STEPS[settings.step](rows, settings)
    except TimeIsOverError:
        return OVER
    return 0


def _about(device: str) -> dict[str, Any]:
    """The first row: what a number means nothing without."""
    from losses import environment

    about = environment(argparse.Namespace(device=device))
    return {"about": {key: about[key] for key in ("device", "versions")}}


def tests(rows: Rows, settings: argparse.Namespace) -> None:
    """The tests marked gpu, in several processes: of them only the outcome counts."""
    shards = min(6, (os.cpu_count() or 1) // 2) if settings.device == "cuda" else 1
    command = [sys.executable, __file__, "tests", "--rows", str(rows.file), "--seconds", "1"]
    command += ["--device", settings.device, "--shard"]
    environment = {**os.environ, "SEGNOISE_GPU_TESTS": settings.device, "TESTS": str(shards)}
    running = [subprocess.Popen([*command, str(n)], env=environment) for n in range(shards)]
    while any(process.poll() is None for process in running):
        if rows.left() <= 0:
            raise TimeIsOverError  # what still runs ends with this process's group
        time.sleep(0.2)
    codes = [process.returncode for process in running]
    if bad := [code for code in codes if code not in (0, 1, 5)]:  # all passed, some failed, none
        raise RuntimeError(f"pytest ended with {bad[0]}")


def shard(rows: Rows, settings: argparse.Namespace) -> int:
    """Every n-th test, by pytest without the plugins that pyproject.toml may ask for."""
    import pytest

    class Recorder:
        def pytest_collection_modifyitems(self, items: list[Any]) -> None:
            items[:] = items[settings.shard :: int(os.environ["TESTS"])]

        def pytest_runtest_logreport(self, report: Any) -> None:
            if report.when == "call" or report.outcome != "passed":
                row = {"test": report.nodeid, "outcome": report.outcome}
                if report.failed:
                    words = [line for line in report.longreprtext.splitlines() if line[:2] == "E "]
                    row["error"] = " ".join(words[0][1:].split())[:300] if words else report.when
                rows.add(**row, seconds=report.duration)

    files = [f for f in (ROOT / "tests").rglob("test_*.py") if "on_gpu" in f.read_text()]
    files = [str(f) for f in sorted(files) if f.name != "test_on_gpu.py"]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "pytest.ini")
        config.write_text(
            f"[pytest]\npythonpath = {ROOT / 'tests' / 'helpers'}\nmarkers =\n    gpu\n    slow\n"
        )
        options = [
            "-c",
            str(config),
            "--rootdir",
            str(ROOT),
            "--import-mode=importlib",
            "-m",
            "gpu",
        ]
        options += ["-q", "-p", "no:cacheprovider"]
        return int(pytest.main([*options, *files], plugins=[Recorder()]))


def losses(rows: Rows, settings: argparse.Namespace) -> None:
    """Every loss by every path, the most telling ones first."""
    from losses import measure_shape

    tiny = settings.device == "cpu"
    for (shape, dtype, last), name, path in loss_jobs(settings.device):
        options = argparse.Namespace(
            device=settings.device, dtype=dtype, channels_last=last, kernels=[path],
            rounds=1 if tiny else 7,
        )  # fmt: skip
        about = {"loss": name, "path": path, "shape": shape, "dtype": dtype, "channels_last": last}

        def measured(
            name: str = name, shape: tuple[int, ...] = shape, options: Any = options
        ) -> Any:
            table = measure_shape([name], shape, options)
            (row,) = (row for row in table.pop("rows") if row["loss"] == name)
            return {**table, **{key: row[key] for key in row if key not in ("loss", "kernels")}}

        rows.attempt(about, measured)


def loss_jobs(device: str) -> Iterator[tuple[tuple[tuple[int, ...], str, bool], str, str]]:
    """What to measure, in the order in which it is missed least: variant, loss, path."""
    from losses import SHAPES

    from segnoise.losses.names import short_names

    shapes = SHAPES["cuda"] if device == "cuda" else TINY
    others = [n for n in short_names() if n not in (*FIRST, "L1")]
    dtypes = ("float32", "bfloat16")
    variants = [(s, dtype, last) for last in (False, True) for dtype in dtypes for s in shapes]
    if device == "cpu":
        yield from ((v, n, "eager") for v in variants for n in FIRST)
        return
    main, half = variants[0], variants[len(shapes)]
    first = [(main, n, p) for n in FIRST for p in paths_of(n)]
    quick = [(v, n, p) for v in variants for n in FIRST for p in paths_of(n) if p != "compile"]
    all_quick = [(main, n, p) for n in others for p in paths_of(n) if p != "compile"]
    graphs = [(v, n, "compile") for v in (half, main) for n in (*FIRST, *others)]
    rest = [(v, n, p) for v in variants for n in (*FIRST, *others) for p in paths_of(n)]
    jobs = [*first, *quick, *all_quick, *graphs, *rest]
    yield from (job for job in dict.fromkeys(jobs) if job[2] in paths_of(job[1]))


def paths_of(name: str) -> tuple[str, ...]:
    """The paths by which a loss can be computed: where another would be eager, it is left out."""
    import torch
    from losses import built

    from segnoise.losses.base import PixelwiseLoss, StatisticsLoss

    loss = built(name, 4)
    loss = getattr(loss, "base", loss)  # LogitClip's
    if not isinstance(loss, PixelwiseLoss) or type(loss).forward is not PixelwiseLoss.forward:
        return ("eager",)
    if isinstance(loss, StatisticsLoss) and importlib.util.find_spec("triton"):
        from segnoise.losses.core.triton_path import supports

        if supports(torch.zeros(1, 4, 2), torch.zeros(1, 2, dtype=torch.long), loss.core):
            return ("eager", "triton", "compile")
    return ("eager", "compile")


def parts(rows: Rows, settings: argparse.Namespace) -> None:
    """Counting, upsampling, and the loss in a training step."""
    import metrics
    import training_step
    import upsampling
    from losses import SHAPES

    cuda = settings.device == "cuda"
    shapes = SHAPES["cuda"] if cuda else TINY[:1]
    options = argparse.Namespace(
        device=settings.device, channels_last=False, rounds=7 if cuda else 1, compile=cuda,
        batch_size=8 if cuda else 1, size=512 if cuda else 64,
        encoder="resnet34" if cuda else "resnet18",
    )  # fmt: skip
    for dtype in ("float32", "bfloat16"):
        options.dtype = dtype
        for shape in shapes:
            about = {"part": "counting", "shape": shape, "dtype": dtype}
            rows.attempt(about, lambda shape=shape: metrics.measure(shape, options))
    options.dtype = "float32"
    rows.attempt({"part": "step"}, lambda: {"rows": training_step.measure(options)})
    for shape in shapes:
        for name in ("ANL-CE", "CE", "GCE", "NCE+AGCE"):
            rows.attempt(
                {"part": "upsampling", "shape": shape},
                lambda name=name, shape=shape: upsampling.measure(name, shape, options),
            )


def loop(rows: Rows, settings: argparse.Namespace) -> None:
    """Rounds of our loop and of a plain one."""
    import training

    cuda = settings.device == "cuda"
    options = argparse.Namespace(
        rounds=7 if cuda else 1, iterations=60 if cuda else 7, batch_size=8 if cuda else 1,
        workers=min(12, os.cpu_count() or 1) if cuda else 0, data=settings.data,
        encoder="resnet34" if cuda else "resnet18", size=512 if cuda else 64,
        amp="bf16" if cuda else None, channels_last=True,
    )  # fmt: skip
    keys = ("encoder", "size", "batch_size", "workers", "amp", "channels_last")
    about = {key: getattr(options, key) for key in keys}
    for number in range(options.rounds):
        rows.attempt(about, lambda number=number: training.measure(options, options.data, number))


def main_job(rows: Rows, settings: argparse.Namespace) -> None:
    """The trainings of on_gpu_main.py."""
    from on_gpu_main import cells, iterations_for, trained

    cuda = settings.device == "cuda"
    iterations = iterations_for(rows.left(), settings.data, cuda)
    for noise, loss in cells():
        rows.attempt(
            {"noise": noise, "loss": loss, "iterations": iterations},
            lambda noise=noise, loss=loss: trained(noise, loss, iterations, settings.data, cuda),
        )


STEPS: dict[str, Callable[[Rows, argparse.Namespace], None]] = {
    "tests": tests,
    "losses": losses,
    "parts": parts,
    "loop": loop,
    "main": main_job,
}

if __name__ == "__main__":
    sys.exit(main())
