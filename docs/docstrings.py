"""Docstrings taken apart, for the pages that are made of them."""

from __future__ import annotations

import inspect
import re
from typing import Any


def sections(cls: type) -> dict[str, Any]:
    """A docstring's parts: summary, body, use, args, shape, source."""
    text = inspect.cleandoc(cls.__doc__ or "")
    parts: dict[str, Any] = {"body": [], "use": "", "args": [], "shape": [], "source": ""}
    paragraphs = text.split("\n\n")
    parts["summary"] = " ".join(paragraphs[0].split())
    for paragraph in paragraphs[1:]:
        flat = " ".join(paragraph.split())
        if paragraph.startswith("Args:\n"):
            parts["args"] = entries(paragraph.removeprefix("Args:\n"))
        elif paragraph.startswith("Shape:\n"):
            parts["shape"] = items(paragraph.removeprefix("Shape:"))
        elif paragraph.startswith("Source:"):
            parts["source"] = flat.removeprefix("Source: ")
        elif paragraph.startswith("Use "):
            parts["use"] = flat
        elif paragraph.startswith("- "):
            parts["body"].append("\n".join(f"- {item}" for item in items("\n" + paragraph)))
        elif paragraph.startswith("1. "):
            steps = re.split(r"\n(?=\d\. )", paragraph)
            parts["body"].append("\n".join(" ".join(step.split()) for step in steps))
        elif not re.match(r"(Args, Shape|Shape|Raises|Example|Args)\b", paragraph):
            parts["body"].append(flat)
    return parts


def items(block: str) -> list[str]:
    """The items of a list, each in one line."""
    return [" ".join(item.split()) for item in re.split(r"\n\s*- ", block)[1:]]


def entries(block: str) -> list[tuple[str, str]]:
    """``name: description`` entries of an Args block."""
    found = re.findall(r"^ {4}(\S.*?): ((?:.*\n?)(?:(?: {8}.*)?\n?)*)", block, re.MULTILINE)
    return [(name, " ".join(text.split())) for name, text in found]


def code(text: str) -> str:
    """Double backticks are single ones in Markdown."""
    return text.replace("``", "`")


def parameter_table(cls: type, args: list[tuple[str, str]]) -> list[str]:
    """A table of parameters: name, default, description."""
    defaults = inspect.signature(cls).parameters
    lines = ["| parameter | default | |", "|:--|:--|:--|"]
    for parameter, text in args:
        found = defaults.get(parameter.lstrip("*"))
        default = ""
        if found is not None and found.default is not found.empty:
            default = f"`{found.default!r}`".replace("'", '"')
        lines.append(f"| `{parameter}` | {default} | {code(text)} |".replace("|e", "\\|e"))
    return [*lines, ""]
