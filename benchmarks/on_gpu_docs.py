"""What on_gpu.py has measured, as the GPU columns of docs/performance.md."""

from __future__ import annotations

import re
from typing import Any

from on_gpu_page import (
    NOTHING,
    about,
    best,
    medians,
    number,
    of_floor,
    rows_of,
    size,
    variant_of,
)


def filled(text: str, results: dict[str, Any]) -> str:
    """A page of docs whose GPU columns hold what was measured.

    A part of the page between ``<!-- gpu NAME -->`` and ``<!-- /gpu -->`` is a table, whose columns
    with GPU in their names are written by the first column of each row, and a line on where the
    numbers come from. What was not measured says so.

    Raises:
        ValueError: if a part has a name that is not known.
    """
    measured = columns(results)

    def part(match: re.Match[str]) -> str:
        if match[1] not in measured:
            raise ValueError(f"<!-- gpu {match[1]} -->: there is {', '.join(measured)}")
        values = measured[match[1]]
        lines = [line for line in match[2].splitlines() if line.startswith("|")]
        head = [cell.strip() for cell in lines[0].strip("|").split("|")]
        for place, line in enumerate(lines[2:], 2):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            own = values.get(cells[0], {})
            cells = [own.get(name, NOTHING) if "GPU" in name else cell
                     for name, cell in zip(head, cells, strict=True)]  # fmt: skip
            lines[place] = f"| {' | '.join(cells)} |"
        where = f"GPU: {shown(match[1], results)}{about(results)}" if values else f"GPU: {NOTHING}"
        return f"<!-- gpu {match[1]} -->\n{where}\n\n" + "\n".join(lines) + "\n\n<!-- /gpu -->"

    return re.sub(r"<!-- gpu (\S+) -->\n(.*?)<!-- /gpu -->", part, text, flags=re.DOTALL)


def shown(name: str, results: dict[str, Any]) -> str:
    """The shape that a part of the docs shows, the first that was measured; or the iterations."""
    rows = [row for step in results["steps"] for row in rows_of(step) if "error" not in row]
    if name == "main":
        return f"{next(row['iterations'] for row in rows if 'iterations' in row)} iterations; "
    of_step = {"losses": "path", "counting": "rows", "upsampling": "fused_milliseconds"}
    first = next((row for row in rows if of_step.get(name) in row and "shape" in row), None)
    return f"{size(first['shape'])}; " if first else ""


def columns(results: dict[str, Any]) -> dict[str, dict[str, dict[str, str]]]:
    """The GPU columns of each part of the docs, by the first cell of a row."""
    steps = {step["name"]: [r for r in rows_of(step) if "error" not in r]
             for step in results["steps"]}  # fmt: skip
    fastest = best(steps.get("losses", []))
    first = variant_of(fastest[0]) if fastest else ""
    found: dict[str, dict[str, dict[str, str]]] = {
        name: {} for name in ("losses", "step", "upsampling", "counting", "loop", "main")
    }
    for row in fastest:
        if variant_of(row) == first:
            found["losses"][row["loss"]] = {
                "GPU / cross-entropy": f"{number(row['both'])} ({row['path']})",
                "GPU of the floor": f"{100 * of_floor(row):.0f} %",
                "GPU memory / gradient": number(row["memory"]),
            }
    for row in steps.get("parts", []):
        if row["part"] == "step":
            for r in row["rows"]:
                found["step"][r["loss"]] = {"GPU share": f"{100 * r['share']:.1f} %"}
        elif row["part"] == "upsampling":
            ratio = {"GPU fused / two steps": number(row["ratio"])}
            found["upsampling"].setdefault(row["loss"], ratio)
        elif row["dtype"] == "float32":
            for way in row["rows"]:
                ratio = {"GPU / argmax and bincount": number(way["ratio"])}
                found["counting"].setdefault(way["way"], ratio)
    if rounds := steps.get("loop"):
        middle = medians(rounds)
        for name, key, digits in (("plain, images/s", "plain", 1), ("ours, images/s", "ours", 1),
                                  ("ours / plain", "ratio", 3)):  # fmt: skip
            found["loop"][name] = {"GPU": number(middle[key], digits)}
    for row in steps.get("main", []):
        score = {f"GPU {row['noise']}": number(row["mIoU"], 1)}
        found["main"].setdefault(row["loss"], {}).update(score)
    return found
