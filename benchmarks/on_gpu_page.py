"""What on_gpu.py has measured, as a page."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

GOALS = {"both": 0.6, "of the floor": 0.7, "memory": 1.15}
NOTHING = "not measured"
WORTH = 1.15  # how many times as fast as one graph Triton must be, or its kernels go


def page(results: dict[str, Any]) -> str:
    """All results as Markdown."""
    steps = {step["name"]: step for step in results["steps"]}
    lines = ["# What a GPU shows", "", about(results), "", "## Steps", ""]
    lines += table(
        ("step", "status", "s", "rows", "with an error", "why it ended"),
        [
            (
                step["name"],
                step["status"],
                f"{step.get('seconds', 0):.0f}",
                len(rows_of(step)),
                sum("error" in row for row in rows_of(step)),
                step.get("error", ""),
            )
            for step in results["steps"]
        ],
    )
    sections = {"tests": tests, "losses": losses, "parts": parts, "loop": loop, "main": main_job}
    for name, section in sections.items():
        rows = rows_of(steps.get(name, {"rows": []}))
        good = [row for row in rows if "error" not in row]
        if name == "tests":
            lines += section(rows) if rows else []
        elif good:
            lines += section(good)
        if name != "tests" and (bad := [row for row in rows if "error" in row]):
            lines += ["", f"Errors of {name}:", ""]
            lines += [f"- {', '.join(map(str, labels(row)))}: {row['error']}" for row in bad]
    return "\n".join([*lines, ""])


def about(results: dict[str, Any]) -> str:
    """Device, versions, date and command."""
    rows = [row for step in results["steps"] for row in step["rows"] if "about" in row]
    found = rows[-1]["about"] if rows else {"device": "no step has begun", "versions": ""}
    return f"{found['device']}; {found['versions']}; {results['date']}; `{results['command']}`"


def rows_of(step: dict[str, Any]) -> list[dict[str, Any]]:
    """A step's measurements."""
    return [row for row in step["rows"] if "about" not in row]


def labels(row: dict[str, Any]) -> list[Any]:
    """What a row is of."""
    keys = ("part", "noise", "loss", "path", "shape", "dtype", "channels_last")
    words = [row[key] for key in keys if row.get(key) is not None]
    return [size(w) if isinstance(w, list) else w for w in words if not isinstance(w, bool)]


def size(shape: Sequence[int]) -> str:
    """A shape in words."""
    return " x ".join(map(str, shape))


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """A Markdown table; all columns but those of words to the right."""
    rows = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    marks = [
        "--:" if any(re.match(r"\d", row[i]) for row in rows) else ":--" for i in range(len(head))
    ]
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join(marks)}|"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def number(value: float | None, digits: int = 2) -> str:
    """A number, or that there is none."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def tests(rows: list[dict[str, Any]]) -> list[str]:
    """How many passed, and each that did not."""
    count = {k: sum(r["outcome"] == k for r in rows) for k in ("passed", "failed", "skipped")}
    lines = ["", "## Tests", "", ", ".join(f"{n} {word}" for word, n in count.items()) + "."]
    failed = [(row["test"], row["error"]) for row in rows if row["outcome"] == "failed"]
    return lines + (["", *table(("test", "error"), failed)] if failed else [])


def losses(rows: list[dict[str, Any]]) -> list[str]:
    """A table a variant, and the goals."""
    lines = ["", "## Losses", "", goals(rows), "", *graph_or_triton(rows)]
    lines.append(
        "Ratios are to F.cross_entropy in the same rounds; memory is the peak beside the logits, "
        "in gradients; the floor is the time to move the logits' bytes three times."
    )
    for variant in dict.fromkeys(map(variant_of, rows)):
        own = [row for row in rows if variant_of(row) == variant]
        peer = statistics.median(row["cross_entropy_milliseconds"] for row in own)
        fastest = {id(row) for row in best(own)}
        lines += ["", f"**{variant}**; F.cross_entropy {peer:.2f} ms", ""]
        head = ("loss", "path", "ms", "/ cross-entropy", "forward", "backward",
                "memory / gradient", "of the floor's speed")  # fmt: skip
        lines += table(
            head,
            [
                (
                    f"**{row['loss']}**" if id(row) in fastest else row["loss"],
                    row["path"],
                    number(row["milliseconds"]),
                    *(number(row[key]) for key in ("both", "forward", "backward", "memory")),
                    f"{100 * of_floor(row):.0f} %",
                )
                for row in sorted(own, key=lambda row: row["loss"])
            ],
        )
    return lines


def variant_of(row: dict[str, Any]) -> str:
    """Shape, dtype and layout of a row."""
    return f"{size(row['shape'])}, {row['dtype']}{', channels last' * row['channels_last']}"


def of_floor(row: dict[str, Any]) -> float:
    """Speed as a share of that of the floor."""
    return float(row["floor"]) / float(row["both"])


def best(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The fastest path of each loss and variant."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        key = (row["loss"], variant_of(row))
        if key not in found or row["both"] < found[key]["both"]:
            found[key] = row
    return list(found.values())


def goals(rows: list[dict[str, Any]]) -> str:
    """How many losses, each by its fastest path, are within what is asked of them."""
    fastest = [row for row in best(rows) if row["loss"] not in ("Hill", "SPLC", "ASL")]
    within = {
        f"at most {GOALS['both']} of F.cross_entropy": lambda r: r["both"] <= GOALS["both"],
        f"at least {GOALS['of the floor']} of the floor's speed": lambda r: (
            of_floor(r) >= GOALS["of the floor"]
        ),
        f"at most {GOALS['memory']} gradients of memory": lambda r: (
            r["memory"] is not None and r["memory"] <= GOALS["memory"]
        ),
    }
    words = [f"{sum(map(test, fastest))} {name}" for name, test in within.items()]
    return (
        f"Of {len(fastest)} multi-class losses and variants, each by its fastest path (bold): "
        + "; ".join(words)
        + "."
    )


def graph_or_triton(rows: list[dict[str, Any]]) -> list[str]:
    """Whether the Triton kernels are worth having beside one graph."""
    by = {(row["loss"], variant_of(row), row["path"]): row["milliseconds"] for row in rows}
    pairs = [
        (loss, variant, graph, by[loss, variant, "triton"])
        for (loss, variant, path), graph in by.items()
        if path == "compile" and (loss, variant, "triton") in by
    ]
    if not pairs:
        return []
    worth = sum(graph >= WORTH * triton for _, _, graph, triton in pairs)
    words = (
        f"Triton is at least {WORTH} times as fast as one graph in {worth} of {len(pairs)} pairs."
    )
    cells = [
        (loss, variant, number(graph), number(triton), number(graph / triton))
        for loss, variant, graph, triton in sorted(pairs)
    ]
    head = ("loss", "variant", "one graph, ms", "Triton, ms", "one graph / Triton")
    return [words, "", *table(head, cells), ""]


def parts(rows: list[dict[str, Any]]) -> list[str]:
    """Counting, upsampling and the training step."""
    lines = []
    if counted := [row for row in rows if row["part"] == "counting"]:
        cells = [
            (size(row["shape"]), row["dtype"], way["way"], number(way["milliseconds"]),
             number(way["ratio"]), number(row["floor"]))
            for row in counted
            for way in row["rows"]
        ]  # fmt: skip
        head = ("shape", "dtype", "way", "ms", "/ argmax and bincount", "floor")
        lines += ["", "## Counting for mIoU", "", *table(head, cells)]
    if upsampled := [row for row in rows if row["part"] == "upsampling"]:
        cells = [
            (size(row["shape"]), row["loss"], number(row["two_steps_milliseconds"]),
             number(row["fused_milliseconds"]), number(row["ratio"]),
             number(row["two_steps_memory"]), number(row["fused_memory"]))
            for row in upsampled
        ]  # fmt: skip
        head = ("shape", "loss", "two steps, ms", "fused, ms", "fused / two steps",
                "memory, two steps", "fused")  # fmt: skip
        lines += ["", "## Upsampling in the loss", "", *table(head, cells)]
    for row in (row for row in rows if row["part"] == "step"):
        cells = [
            (r["loss"], number(r["step_milliseconds"], 1), number(r["loss_milliseconds"]),
             f"{100 * r['share']:.1f} %")
            for r in row["rows"]
        ]  # fmt: skip
        head = ("loss", "step, ms", "of which the loss, ms", "share")
        lines += ["", "## A training step", "", *table(head, cells)]
    return lines


def loop(rows: list[dict[str, Any]]) -> list[str]:
    """Medians over the rounds."""
    row, middle = rows[0], medians(rows)
    bits = (
        f"{row['encoder']}, {row['size']} x {row['size']}, batches of {row['batch_size']}, "
        f"{row['workers']} workers, {row['amp'] or 'float32'}"
        f"{', channels last' * row['channels_last']}; {len(rows)} rounds"
    )
    head = ("plain, images/s", "ours, images/s", "ours / plain", "min - max", "waiting for data",
            "step", "hooks")  # fmt: skip
    ratios = [row["ratio"] for row in rows]
    shares = (f"{100 * middle[key]:.0f} %" for key in ("waiting for data", "step", "hooks"))
    speeds = (number(middle["plain"], 1), number(middle["ours"], 1), number(middle["ratio"], 3))
    cells = (*speeds, f"{min(ratios):.3f} - {max(ratios):.3f}", *shares)
    return ["", "## Our loop beside a plain one", "", bits, "", *table(head, [cells])]


def medians(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Of each number of the loop's rounds."""
    keys = ("plain", "ours", "ratio", "waiting for data", "step", "hooks")
    return {key: statistics.median(row[key] for row in rows) for key in keys}


def main_job(rows: list[dict[str, Any]]) -> list[str]:
    """Mean IoU by loss and noise."""
    names = list(dict.fromkeys(row["loss"] for row in rows))
    noises = sorted({row["noise"] for row in rows}, key=lambda noise: (noise != "clean", noise))
    scores = {(row["noise"], row["loss"]): number(row["mIoU"], 1) for row in rows}
    cells = [(loss, *(scores.get((noise, loss), NOTHING) for noise in noises)) for loss in names]
    words = f"mIoU in percent on clean validation labels after {rows[0]['iterations']} iterations."
    return ["", "## CamVid", "", words, "", *table(("loss", *noises), cells)]
