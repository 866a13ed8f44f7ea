"""Cost of the noise models, as ratios to decoding the PNG of the same mask.

A generated street scene of 19 classes with void, one core. In every round each model runs right
before or after one decoding, in alternating order; a ratio is the median over the rounds. Memory
is how far one call raises the process' resident size at its peak, over the mask's bytes: the
result and OpenCV's own buffers count (Linux only).

    python benchmarks/noise.py --rounds 15 --json noise.json
    python benchmarks/noise.py --models erosion SymmetricFlip

The limits are this project's own; the last column names those that are exceeded.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import io
import json
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import PIL
import scipy
from noise_models import LIMITS, MEMORY_LIMIT, MODELS, OTHER_LIMIT
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from street_scene import NUM_CLASSES, VOID, Scene, street_scene

from segnoise.noise import NOISES, BoundaryErosion, Noise, build_noise, generator, realised_noise

# How many times our erosion each peer must take at least.
PEER_LIMITS = {"class by class with cv2.erode": 6.0, "class by class with scipy.ndimage": 50.0}


class Row(NamedTuple):
    """What is measured, and how much it may cost."""

    model: str
    run: Callable[[int], Any]
    limit: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--size", type=int, nargs=2, default=(1024, 2048), metavar=("H", "W"))
    parser.add_argument("--models", nargs="+", help="classes, or parts of the rows' names")
    parser.add_argument("--json", type=Path, metavar="OUT")
    settings = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    scene = street_scene(*settings.size)
    rows = selected(table_rows(scene), settings.models)
    png = encode(scene.mask)
    decoder, decode = cheapest_decoder(png, settings.rounds)

    measured = []
    timed = alternate(decode, list(rows.values()), settings.rounds)
    for name, pairs in zip(rows, timed, strict=True):
        memory = peak_memory(rows[name])
        ratios = [own / peer for own, peer in pairs]
        measured.append(
            {
                "name": name,
                "model": rows[name].model,
                "milliseconds": 1e3 * statistics.median(own for own, _ in pairs),
                "ratio": statistics.median(ratios),
                "lowest": min(ratios),
                "highest": max(ratios),
                "limit": rows[name].limit,
                "memory_limit": MEMORY_LIMIT,
                "memory": memory and memory / scene.mask.nbytes,
                "changed": changed_share(scene.mask, rows[name].run(0)),
            }
        )
    peers = [] if settings.models else erosion_peers(scene.mask, settings.rounds)
    result = {
        "command": shlex.join([Path(sys.executable).name, *sys.argv]),
        "device": f"{processor()}, one core",
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "opencv": cv2.__version__,
            "scipy": scipy.__version__,
            "pillow": PIL.__version__,
        },
        "mask": {"size": list(settings.size), "png_bytes": len(png)},
        "decoder": decoder,
        "decode_milliseconds": 1e3 * decode_seconds(decode, settings.rounds),
        "rounds": settings.rounds,
        "rows": measured,
        "erosion_peers": peers,
    }
    print(report(result))
    if settings.json:
        settings.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def table_rows(scene: Scene) -> dict[str, Row]:
    """Return all rows, and say which registered model has none."""
    noises = {name: build_noise(config) for name, config in MODELS.items()}
    if missing := set(NOISES) - {type(noise).__name__ for noise in noises.values()}:
        print(f"not measured: {', '.join(sorted(missing))}: benchmarks/noise_models.py has no row")
    height, width = scene.mask.shape
    sources = {
        "image": scene.image,
        "instances": scene.instances,
        "others": [street_scene(height, width, seed).mask for seed in (1, 2, 3)],
        "sample_id": "street",
    }
    rows = {}
    for name, noise in noises.items():
        model = type(noise).__name__
        limit = LIMITS.get(model, OTHER_LIMIT)
        rows[name] = Row(model, _call(noise, name, scene.mask, sources), limit)
    noisy = BoundaryErosion(3)(scene.mask, generator(0))
    rows["realised_noise"] = Row(
        "realised_noise", lambda _: realised_noise(scene.mask, noisy, NUM_CLASSES), OTHER_LIMIT
    )
    return rows


def _call(
    noise: Noise, name: str, mask: NDArray[np.uint8], sources: dict[str, Any]
) -> Callable[[int], Any]:
    return lambda number: noise(mask, generator(0, name, number), **sources)


def selected(rows: dict[str, Row], names: Sequence[str] | None) -> dict[str, Row]:
    """Return the rows of the classes named, and those whose own names hold one of the words."""
    if names is None:
        return rows
    chosen = {}
    for name in names:
        found = {key: row for key, row in rows.items() if name == row.model or name in key}
        if not found:
            sys.exit(f"--models {name}: no such row; there are: {', '.join(rows)}")
        chosen |= found
    return chosen


def alternate(
    peer: Callable[[], Any], rows: list[Row], rounds: int
) -> list[list[tuple[float, float]]]:
    """Return for each row the seconds of (the row, the peer beside it) in every round."""
    pairs: list[list[tuple[float, float]]] = [[] for _ in rows]
    for row in rows:
        row.run(0)  # tables are built and code is loaded before any clock runs
    for number in range(rounds):
        for index in range(len(rows))[:: 1 if number % 2 else -1]:
            first = seconds(peer) if number % 2 else 0.0
            own = seconds(lambda run=rows[index].run, number=number: run(number))
            pairs[index].append((own, first or seconds(peer)))
    return pairs


def seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def encode(mask: NDArray[np.uint8]) -> bytes:
    """Return a grey PNG with Pillow's settings, which is how Cityscapes' scripts write masks."""
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    return file.getvalue()


def cheapest_decoder(png: bytes, rounds: int) -> tuple[str, Callable[[], Any]]:
    """Return the faster of the two usual decoders."""
    decoders: dict[str, Callable[[], Any]] = {
        "cv2.imdecode": lambda: cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED),
        "Pillow": lambda: np.array(Image.open(io.BytesIO(png))),
    }
    return min(decoders.items(), key=lambda item: decode_seconds(item[1], rounds))


def decode_seconds(decode: Callable[[], Any], rounds: int) -> float:
    return statistics.median(seconds(decode) for _ in range(rounds))


def changed_share(mask: NDArray[np.uint8], noisy: Any) -> float | None:
    """Return the share of the valid pixels that changed."""
    if not isinstance(noisy, np.ndarray):
        return None
    return np.count_nonzero(noisy != mask) / max(np.count_nonzero(mask != VOID), 1)


def peak_memory(row: Row) -> float | None:
    """Return the bytes by which one call raises the resident size at most; None if unknown."""
    try:
        # What the C library keeps for later use would hide what the call asks for.
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak
        before = _status("VmRSS")
        kept = row.run(0)
        peak = _status("VmHWM")
        del kept
    except (OSError, AttributeError):  # no Linux, or another C library
        return None
    return peak - before


def _status(name: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024.0 * int(line.split()[1])
    raise OSError(f"/proc/self/status has no {name}")


def erosion_peers(mask: NDArray[np.uint8], rounds: int) -> list[dict[str, Any]]:
    """Compare our erosion with two ways to erode class by class, whose results must be the same."""
    noise = BoundaryErosion(3, fill="void")
    kernel = np.ones((7, 7), np.uint8)

    def with_opencv(_: int) -> NDArray[np.uint8]:
        noisy = np.full_like(mask, VOID)
        for label in range(NUM_CLASSES):
            noisy[cv2.erode((mask == label).astype(np.uint8), kernel) == 1] = label
        return noisy

    def with_scipy(_: int) -> NDArray[np.uint8]:
        noisy = np.full_like(mask, VOID)
        for label in range(NUM_CLASSES):
            noisy[ndimage.binary_erosion(mask == label, kernel, border_value=1)] = label
        return noisy

    ours = noise(mask, generator(0))
    rows = [Row("", run, 0.0) for run in (with_opencv, with_scipy)]
    for row in rows:
        if not np.array_equal(row.run(0), ours):
            sys.exit(f"{noise!r} and {row.run.__name__} disagree: one of them is wrong")
    timed = alternate(lambda: noise(mask, generator(0)), rows, rounds)
    return [
        {"name": name, "ratio": statistics.median(o / p for o, p in pairs), "limit": limit}
        for (name, limit), pairs in zip(PEER_LIMITS.items(), timed, strict=True)
    ]


def processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def report(result: dict[str, Any]) -> str:
    """Return what was measured as Markdown."""
    height, width = result["mask"]["size"]
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    lines = [
        f"{result['device']}; {versions}",
        f"`{result['command']}`",
        f"Mask {height} x {width}, {NUM_CLASSES} classes and void, PNG of "
        f"{result['mask']['png_bytes'] / 1024:.0f} KiB; {result['decoder']} "
        f"{result['decode_milliseconds']:.1f} ms; {result['rounds']} rounds",
        "",
        "| row | model | changed % | ms | / decoding (min - max) | limit | memory / mask | limit "
        "| over |",
        "|:--|:--|--:|--:|--:|--:|--:|--:|:--|",
    ]
    for row in result["rows"]:
        over = ["time"] if row["ratio"] > row["limit"] else []
        over += ["memory"] if (row["memory"] or 0) > row["memory_limit"] else []
        memory = "" if row["memory"] is None else f"{row['memory']:.1f}"
        changed = "" if row["changed"] is None else f"{100 * row['changed']:.1f}"
        lines.append(
            f"| {row['name']} | {row['model']} | {changed} | {row['milliseconds']:.1f} "
            f"| {row['ratio']:.2f} ({row['lowest']:.2f} - {row['highest']:.2f}) "
            f"| {row['limit']:.1f} | {memory} | {row['memory_limit']:.1f} | {', '.join(over)} |"
        )
    if result["erosion_peers"]:
        lines += ["", "| erosion to void, same pixels | / ours | at least | |", "|:--|--:|--:|:--|"]
    for peer in result["erosion_peers"]:
        under = "under" if peer["ratio"] < peer["limit"] else ""
        lines.append(f"| {peer['name']} | {peer['ratio']:.1f} | {peer['limit']:.0f} | {under} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
