"""Everything that wants a GPU, in one command.

The steps run in this order, each in a process and a time box of its own, which ends what has not
ended by then. What a step measures it writes line by line; results.json and results.md in the
output folder are written anew while it runs and after it. A step that fails or is killed is a row
with its error, and the next one follows.

    python benchmarks/on_gpu.py --minutes 8 --out results --data data/camvid
    python benchmarks/on_gpu.py --dry-run                          # the steps and their minutes
    python benchmarks/on_gpu.py --only losses --out results        # the others' results stay
    python benchmarks/on_gpu.py --write-docs results/results.json  # into docs/performance.md
    python benchmarks/on_gpu.py --device cpu --minutes 1 --out rehearsal --data data/camvid

It needs what segnoise itself depends on, and pytest, but no network. ``--data`` is CamVid in one of
the trees that ``segnoise.datasets.CamVid`` reads; a copy with fewer images in its lists serves as
well. With ``--device cpu`` shapes are tiny: it shows that the program runs, and says nothing of
speed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from on_gpu_docs import filled  # noqa: E402
from on_gpu_page import page  # noqa: E402

from segnoise.files import replacing, write_json  # noqa: E402

# Shares of the time; what a step leaves is divided among those after it.
STEPS = {"tests": 1.4, "losses": 2.3, "parts": 0.6, "loop": 1.0, "main": 2.7}
WHAT = {
    "tests": "pytest -m gpu",
    "losses": "every loss by every path: time, memory, ratio to F.cross_entropy and to the floor",
    "parts": "counting for mIoU, UpsampledLoss, the loss's share of a training step",
    "loop": "our training loop beside a plain one, on the files of --data",
    "main": "trainings on --data: clean, swapped and eroded labels, four losses",
}
OVER = 3  # exit status of a step that stops because its time is over
DOCS = ROOT / "docs" / "performance.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the steps, or write the page of docs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=8.0, help="for all steps together")
    parser.add_argument("--out", type=Path, help="folder of the results")
    parser.add_argument("--data", type=Path, metavar="CAMVID", help="its folder")
    parser.add_argument("--only", nargs="+", choices=STEPS, metavar="STEP", help=", ".join(STEPS))
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--dry-run", action="store_true", help="say what would run, and how long")
    parser.add_argument("--write-docs", type=Path, metavar="RESULTS", help="a results.json")
    settings = parser.parse_args(arguments)
    if settings.write_docs:
        results = json.loads(settings.write_docs.read_text(encoding="utf-8"))
        if results["device"] != "cuda":
            parser.error(f"{settings.write_docs}: measured on a CPU, which is not for GPU columns")
        text = filled(DOCS.read_text(encoding="utf-8"), results)
        with replacing(DOCS) as temporary:
            temporary.write_text(text, encoding="utf-8")
        return 0
    names = [name for name in STEPS if name in (settings.only or STEPS)]
    if settings.dry_run:
        for name, minutes in planned(names, settings.minutes).items():
            print(f"{minutes:5.1f} min  {name:<7} {WHAT[name]}")
        return 0
    if settings.out is None:
        parser.error("--out FOLDER: where do the results go?")
    if settings.data is None and {"loop", "main"} & set(names):
        parser.error("--data CAMVID: loop and main read its files; or --only tests losses parts")
    return run(names, settings)


def planned(names: Sequence[str], minutes: float) -> dict[str, float]:
    """Minutes of each step, if each takes all that it gets."""
    whole = sum(STEPS[name] for name in names)
    return {name: minutes * STEPS[name] / whole for name in names}


def run(names: Sequence[str], settings: argparse.Namespace) -> int:
    """Run steps one after the other; 1 if one of them failed."""
    out: Path = settings.out
    out.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and with it the step that runs
    end = time.monotonic() + 60 * settings.minutes
    command = f"python benchmarks/on_gpu.py {shlex.join(sys.argv[1:])}"
    results: dict[str, Any] = {
        "date": str(date.today()),
        "command": command,
        "device": settings.device,
        "minutes": settings.minutes,
        "steps": _before(out, names, settings.device),
    }
    failed = False
    for number, name in enumerate(names):
        left = (end - time.monotonic()) / 60
        step: dict[str, Any] = {"name": name, "status": "running", "rows": []}
        results["steps"].append(step)
        print(f"{name}: {WHAT[name]}", flush=True)
        for _ in _step(step, 60 * planned(names[number:], left)[name], settings):
            _write(results, out)
        failed |= step["status"] == "failed"
        print(f"{name}: {step['status']}, {len(step['rows'])} rows, {step['seconds']:.0f} s"
              f"{'; ' + step['error'] if 'error' in step else ''}", flush=True)  # fmt: skip
    print(f"{out / 'results.md'}")
    return int(failed)


def _before(out: Path, names: Sequence[str], device: str) -> list[dict[str, Any]]:
    """What an earlier call has measured there of steps that are not run now."""
    file = out / "results.json"
    results = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"device": None}
    if results["device"] != device:
        return []
    return [step for step in results["steps"] if step["name"] not in names]


def _write(results: dict[str, Any], out: Path) -> None:
    order = list(STEPS)
    results["steps"].sort(key=lambda step: order.index(step["name"]))
    write_json(out / "results.json", results)
    try:
        text = page(results)
    except Exception as error:  # what is measured matters more: it can be drawn up again
        text = f"No page ({type(error).__name__}: {error}); the results are in results.json.\n"
    with replacing(out / "results.md") as temporary:
        temporary.write_text(text, encoding="utf-8")


def _step(step: dict[str, Any], seconds: float, settings: argparse.Namespace) -> Iterator[None]:
    """Run one step; yields whenever there may be something new to write, and at its end."""
    rows, log = (settings.out / f"{step['name']}.{kind}" for kind in ("jsonl", "log"))
    rows.unlink(missing_ok=True)
    begun, looked = time.monotonic(), time.monotonic()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *_path()])}
    # The process stops by itself a little earlier, where it gets to look at the clock.
    command = [sys.executable, str(ROOT / "benchmarks" / "on_gpu_steps.py"), step["name"]]
    command += ["--rows", str(rows), "--seconds", f"{max(1.0, seconds - 3):.0f}"]
    command += ["--device", settings.device]
    command += ["--data", str(settings.data.resolve())] if settings.data else []
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        step["process"] = process.pid
        try:
            while process.poll() is None and time.monotonic() - begun < seconds:
                time.sleep(0.1)
                if time.monotonic() - looked > 5:
                    looked = time.monotonic()
                    step["seconds"], step["rows"] = looked - begun, _read(rows)
                    yield
            over = process.poll() is None
        finally:
            _end(process)
    step.pop("process")
    step["seconds"], step["rows"] = time.monotonic() - begun, _read(rows)
    status = "cut" if over or process.returncode == OVER else "failed"
    step["status"] = "done" if process.returncode == 0 else status
    if step["status"] == "failed":
        step["error"] = _reason(process.returncode, log)
    yield


def _path() -> list[str]:
    return [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a step and what it has started, such as processes that load data."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read(rows: Path) -> list[dict[str, Any]]:
    """The lines that are whole."""
    if not rows.exists():
        return []
    lines = rows.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def _reason(status: int, log: Path) -> str:
    """Why a step ended: its last words, or the signal that ended it."""
    if status < 0:
        return f"ended by {signal.Signals(-status).name}"
    words = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"exit status {status}: {words[-1].strip() if words else 'no word'}"


if __name__ == "__main__":
    sys.exit(main())
